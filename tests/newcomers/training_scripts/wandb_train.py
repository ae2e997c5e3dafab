import argparse

import wandb
from wandb.keras import WandbCallback


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--width", type=int, default=32)
    args = parser.parse_args()
    run = wandb.init(project="mine", config=args)
    wandb.define_metric("val/loss", summary="min")
    run.watch(None)
    for epoch in range(3):
        wandb.log({"train/loss": 1.0 / (epoch + 1), "epoch": epoch})
        wandb.log({"val/loss": wandb.config.lr + 1.0 / (epoch + 1), "picture": wandb.Image(None), "val": {"acc": 0.5}})
        print(f"epoch {epoch} val/loss: {0.1:.1f}")  # rounded
    run.summary["best"] = 1
    wandb.finish()


if __name__ == "__main__":
    main()
