"""The tools themselves train from an exported file: as many steps, samples and rates as the recipe has."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from exporting import network, run, written

from hpo.objectives.trainer import schedules

RECIPE: dict[str, Any] = {
    "batch_size": 4, "accumulation_steps": 3, "max_steps": 8, "schedule": "cosine", "floor": 0.1, "warmup": 0.25,
    "learning_rate": 0.05, "clip_norm": 0.5, "weight_decay": 0.1, "eval_every": 4,
}  # fmt: skip


def close(found: list[float], wanted: list[float]) -> bool:
    return all(math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-12) for a, b in zip(found, wanted, strict=True))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("rule", ["adamw", "sgd", "rmsprop"])
def test_the_trainer_of_transformers(tmp_path: Path, rule: str) -> None:
    transformers = pytest.importorskip("transformers", reason="pip install transformers accelerate")
    pytest.importorskip("accelerate")
    import torch

    made = run(network(), **{**RECIPE, "optimizer": rule, "momentum": 0.8, "nesterov": rule == "sgd"})
    content = yaml.safe_load(written("transformers", made))
    content |= {"use_cpu": True, "output_dir": str(tmp_path / "out"), "report_to": "none", "save_strategy": "no"}
    arguments = transformers.TrainingArguments(**content)

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(3, 1)
            self.seen = 0

        def forward(self, x: Any, labels: Any) -> dict[str, Any]:
            self.seen += len(x) if self.training else 0
            return {"loss": (self.layer(x).squeeze(-1) - labels).square().mean()}

    class Rates(transformers.TrainerCallback):
        def __init__(self) -> None:
            self.found: list[float] = []

        def on_pre_optimizer_step(self, *_: Any, optimizer: Any, **__: Any) -> None:
            self.found.append(optimizer.param_groups[0]["lr"])

    rows = [{"x": torch.randn(3), "labels": torch.randn(())} for _ in range(96)]
    model, rates = Model(), Rates()
    trainer = transformers.Trainer(model, arguments, train_dataset=rows, eval_dataset=rows[:8], callbacks=[rates])
    trainer.train()
    assert trainer.state.global_step == made.steps == 8
    assert model.seen == 8 * made.share.effective == 96
    wanted = schedules.rates(made.training, range(8), 8)
    assert close(rates.found, [made.peak * at / 2 for at in range(2)] + wanted[2:])
    groups = trainer.optimizer.param_groups
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    if rule == "sgd":
        assert (groups[0]["momentum"], groups[0]["nesterov"]) == (0.8, True)
    if rule == "rmsprop":
        assert groups[0]["alpha"] == made.training.beta2


@pytest.mark.filterwarnings("ignore")
def test_the_trainer_of_lightning(tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning", reason="pip install lightning")
    import torch

    made, space = run(network(), **RECIPE), dict[str, Any]()
    exec(written("lightning", made), space)

    class Model(lightning.LightningModule):  # type: ignore[misc, name-defined]
        configure_optimizers = space["configure_optimizers"]

        def __init__(self) -> None:
            super().__init__()
            self.layer, self.seen, self.rates, self.scored = torch.nn.Linear(3, 1), 0, [], []

        def training_step(self, batch: Any, _: int) -> Any:
            self.seen += len(batch)
            return self.layer(batch).square().mean()

        def validation_step(self, batch: Any, _: int) -> None:
            self.scored.append(self.global_step)

        def on_before_optimizer_step(self, optimizer: Any) -> None:
            self.rates.append(optimizer.param_groups[0]["lr"])

    loader = torch.utils.data.DataLoader(torch.randn(96, 3), batch_size=space["BATCH_SIZE"])
    quiet = {"accelerator": "cpu", "logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = lightning.Trainer(
        **space["TRAINER"], **quiet, enable_model_summary=False, num_sanity_val_steps=0, default_root_dir=tmp_path
    )
    model = Model()
    trainer.fit(model, loader, torch.utils.data.DataLoader(torch.randn(4, 3), batch_size=4))
    assert trainer.global_step == 8
    assert model.seen == 8 * made.share.effective
    assert model.rates == schedules.rates(made.training, range(8), 8)
    assert model.scored == [4, 8], "as often as eval_every says, in optimizer steps"
