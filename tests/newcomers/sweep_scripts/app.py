import hydra


@hydra.main(config_path="conf", config_name="config", version_base=None)
def app(cfg):
    accuracy = 1.0 - cfg.model.lr
    print(f"accuracy={accuracy}")
    return accuracy


if __name__ == "__main__":
    app()
