from dataclasses import dataclass, field

import tyro


@dataclass
class Optimizer:
    learning_rate: float = 1e-3
    """Size of a step."""
    nesterov: bool = False


@dataclass
class Config:
    optimizer: Optimizer = field(default_factory=lambda: Optimizer(learning_rate=0.01))
    width: int = 32
    epochs: int = 2


if __name__ == "__main__":
    config = tyro.cli(Config)
    for epoch in range(config.epochs):
        off = config.optimizer.learning_rate - 0.1
        print(f"epoch {epoch} val_loss: {off**2 + 0.5 * config.optimizer.nesterov + 1 / (epoch + 1)}")
