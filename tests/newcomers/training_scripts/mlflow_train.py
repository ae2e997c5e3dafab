import click
import mlflow
import mlflow.pytorch


@click.command()
@click.option("--depth", default=3)
def main(depth):
    mlflow.set_experiment("mine")
    mlflow.pytorch.autolog()
    with mlflow.start_run() as run:
        mlflow.log_param("depth", depth)
        for epoch in range(2):
            mlflow.log_metric("rmse", depth - epoch, step=epoch)
        mlflow.log_metrics({"r2": 0.5}, step=2)
        mlflow.pytorch.log_model(None, "model")


if __name__ == "__main__":
    main()
