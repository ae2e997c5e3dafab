from enum import Enum
from typing import Annotated

import typer


class Optimizer(str, Enum):
    sgd = "sgd"
    adam = "adam"


def main(
    epochs: Annotated[int, typer.Option(help="Passes.")] = 2,
    learning_rate: float = typer.Option(1e-3, "--lr", min=0.0),
    optimizer: Optimizer = Optimizer.sgd,
    nesterov: bool = False,
):
    for epoch in range(epochs):
        print(f"epoch={epoch} val_loss={learning_rate + (optimizer == 'adam') + 2 * nesterov + 1 / (epoch + 1):.4f}")


if __name__ == "__main__":
    typer.run(main)
