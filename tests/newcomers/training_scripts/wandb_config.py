import wandb

DEFAULTS = dict(lr=0.1, epochs=2, optim={"name": "sgd", "momentum": 0.9})

with wandb.init(project="demo", config=DEFAULTS) as run:
    config = run.config
    for epoch in range(config.epochs):
        run.log({"val_loss": config["lr"] + config.optim["momentum"] / (epoch + 1)})
