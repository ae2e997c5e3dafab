"""The rates that a tool makes of an exported file are the recipe's, step by step; where they are not, by how much."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from exporting import TRAINING, run, written
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.objectives.trainer import schedules
from hpo.search.report.formats.common import rates
from hpo.search.report.formats.common.huggingface import scheduler

STEPS = 60
SCHEDULES: list[dict[str, Any]] = [
    {"schedule": "constant"},
    {"schedule": "cosine"},
    {"schedule": "cosine", "floor": 0.1},
    {"schedule": "linear"},
    {"schedule": "linear", "floor": 0.25},
    {"schedule": "polynomial", "power": 3.0},
    {"schedule": "polynomial", "power": 0.5, "floor": 0.2},
    {"schedule": "wsd", "cooldown": 0.25},
    {"schedule": "wsd", "cooldown": 1.0, "floor": 0.1},
    {"schedule": "wsd", "cooldown": 0.0},
    {"schedule": "cosine", "floor": 1.0},
]
WARMUPS = [0.0, 0.2]
"""Of 60 steps: 12, of which the rest has a whole number of steps in each cooldown above."""


def ours(recipe: dict[str, Any], steps: int = STEPS) -> list[float]:
    made = run(max_steps=steps, **recipe)
    return schedules.rates(made.training, range(steps), steps)


def close(found: list[float], wanted: list[float]) -> bool:
    return all(math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-15) for a, b in zip(found, wanted, strict=True))


def run_through(optimizer: Any, schedule: Any, steps: int = STEPS) -> list[float]:
    """Rates with which a loop of steps trains: step, then the schedule."""
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def late(wanted: list[float], warmup: int, peak: float) -> list[float]:
    """The same with the warm-up of transformers: from 0, each of its steps one behind."""
    return [peak * at / warmup for at in range(warmup)] + wanted[warmup:]


@given(recipe=TRAINING, total=st.integers(1, 400))
def test_the_source_that_goes_into_files_computes_what_the_suite_does_bit_for_bit(
    recipe: dict[str, Any], total: int
) -> None:
    made, space = run(**recipe), {"math": math}
    exec(rates.source(made), space)
    factor: Any = space["factor"]
    assert [factor(at, total) for at in range(total)] == [
        schedules.factor(made.training, at, total) for at in range(total)
    ]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("warmup", WARMUPS)
@pytest.mark.parametrize("recipe", SCHEDULES, ids=str)
def test_transformers_has_the_same_rates_but_for_a_warmup_that_is_one_step_late(
    recipe: dict[str, Any], warmup: float
) -> None:
    transformers = pytest.importorskip("transformers", reason="pip install transformers")
    torch = pytest.importorskip("torch")
    recipe = {**recipe, "warmup": warmup}
    made = run(max_steps=STEPS, **recipe)
    content = yaml.safe_load(written("transformers", made))
    optimizer = torch.optim.SGD(torch.nn.Linear(1, 1).parameters(), lr=content["learning_rate"])
    schedule = transformers.get_scheduler(
        content["lr_scheduler_type"], optimizer, content["warmup_steps"], content["max_steps"],
        content.get("lr_scheduler_kwargs"),
    )  # fmt: skip
    found, wanted = run_through(optimizer, schedule), ours(recipe)
    assert scheduler(made).exact
    if content["lr_scheduler_type"] == "warmup_stable_decay" and made.least and made.warmup:
        assert "climbs from the floor" in written("transformers", made).replace("\n#  ", "")
        assert close(found[made.warmup :], wanted[made.warmup :])
    else:
        assert close(found, late(wanted, made.warmup, made.peak))
        assert not warmup or "begins at 0" in written("transformers", made).replace("\n#  ", "")


@pytest.mark.filterwarnings("ignore")
def test_a_decay_of_no_whole_number_of_steps_is_told_and_ends_within_a_step_of_the_recipes() -> None:
    transformers = pytest.importorskip("transformers", reason="pip install transformers")
    torch = pytest.importorskip("torch")
    recipe = {"schedule": "wsd", "cooldown": 0.33}
    made = run(max_steps=STEPS, **recipe)
    assert "19.8 steps" in written("transformers", made)
    optimizer = torch.optim.SGD(torch.nn.Linear(1, 1).parameters(), lr=made.peak)
    schedule = transformers.get_scheduler(scheduler(made).kind, optimizer, 0, STEPS, scheduler(made).kwargs)
    found = run_through(optimizer, schedule)
    assert max(abs(a - b) for a, b in zip(found, ours(recipe), strict=True)) <= made.peak / 19.8


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("warmup", WARMUPS)
@pytest.mark.parametrize("recipe", SCHEDULES, ids=str)
def test_torchtune_has_the_same_rates_by_the_functions_that_its_file_names(
    recipe: dict[str, Any], warmup: float
) -> None:
    config = pytest.importorskip("torchtune.config", reason="pip install torchtune")
    pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    from omegaconf import OmegaConf

    recipe = {**recipe, "warmup": warmup}
    made = run(max_steps=STEPS, **recipe)
    content = yaml.safe_load(written("torchtune", made))
    if "lr_scheduler" not in content:
        assert set(ours(recipe)) == {made.peak}
        return
    optimizer = torch.optim.SGD(torch.nn.Linear(1, 1).parameters(), lr=content["optimizer"]["lr"])
    total = content["epochs"] * content["max_steps_per_epoch"]
    words = OmegaConf.create(content["lr_scheduler"])
    schedule = config.instantiate(words, optimizer, num_training_steps=total, last_epoch=-1)
    found, wanted = run_through(optimizer, schedule), ours(recipe)
    assert close(found[made.warmup :], wanted[made.warmup :])
    if content["lr_scheduler"].get("min_lr_ratio", 0) == 0:
        assert close(found, late(wanted, made.warmup, made.peak))


@pytest.mark.parametrize("warmup", WARMUPS)
@pytest.mark.parametrize(
    "recipe", [recipe for recipe in SCHEDULES if recipe["schedule"] in ("cosine", "constant")], ids=str
)
def test_nanogpt_has_the_same_rates_but_for_a_warmup_of_one_more_part(recipe: dict[str, Any], warmup: float) -> None:
    recipe = {**recipe, "warmup": warmup}
    made, space = run(max_steps=STEPS, **recipe), dict[str, Any]()
    exec(written("nanogpt", made), space)
    rising, top, least, end = (space[name] for name in ("warmup_iters", "learning_rate", "min_lr", "lr_decay_iters"))

    def rate(at: int) -> float:  # what its train.py of December 2024 documents: linear, then half a cosine
        if at < rising:
            return float(top * (at + 1) / (rising + 1))
        return float(least + 0.5 * (1 + math.cos(math.pi * (at - rising) / (end - rising))) * (top - least))

    wanted = ours(recipe)
    assert close([rate(at) for at in range(rising, STEPS)], wanted[rising:])
    assert close([rate(at) * (rising + 1) / rising for at in range(rising)], wanted[:rising])


RULES = ("adamw", "sgd", "muon")
ANY = [*SCHEDULES, {"schedule": "step"}, {"schedule": "one-cycle"}, {"schedule": "exponential"}]


@pytest.mark.parametrize(
    ("recipe", "warmup", "rule"),
    [(recipe, warmup, RULES[(i + j) % 3]) for i, recipe in enumerate(ANY) for j, warmup in enumerate(WARMUPS)],
)
def test_the_code_for_lightning_steps_with_the_recipes_rates(recipe: dict[str, Any], warmup: float, rule: str) -> None:
    torch = pytest.importorskip("torch")
    recipe = {**recipe, "warmup": warmup, "optimizer": rule}
    made, space = run(max_steps=STEPS, **recipe), dict[str, Any]()
    exec(written("lightning", made), space)
    layers = torch.nn.Sequential(
        torch.nn.Embedding(5, 4), *(torch.nn.Linear(4, 4) for _ in range(3)), torch.nn.LayerNorm(4)
    )
    given = space["configure_optimizers"](layers)
    pairs = [(given["optimizer"], given["lr_scheduler"])] if rule != "muon" else list(zip(*given, strict=True))
    for at, (optimizer, schedule) in enumerate(pairs):
        scale = made.training.adam_share if at else 1.0
        found = run_through(optimizer, schedule["scheduler"])
        assert all(math.isclose(a, b * scale, rel_tol=1e-12) for a, b in zip(found, ours(recipe), strict=True))
        assert schedule["interval"] == "step"
    held = [parameter for optimizer, _ in pairs for group in optimizer.param_groups for parameter in group["params"]]
    assert {id(parameter) for parameter in held} == {id(parameter) for parameter in layers.parameters()}
    assert len(held) == len(list(layers.parameters()))


@settings(max_examples=30)
@given(recipe=TRAINING)
def test_axolotls_one_cycle_is_torchs_with_the_recipes_rates(recipe: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    recipe = {**recipe, "schedule": "one-cycle", "floor": 0.0, "max_steps": STEPS, "optimizer": "adamw"}
    recipe["warmup"] = max(0.05, recipe.get("warmup", 0.0))
    made = run(**recipe)
    content = yaml.safe_load(written("axolotl", made))
    optimizer = torch.optim.AdamW(torch.nn.Linear(1, 1).parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=content["learning_rate"], total_steps=STEPS, **content["lr_scheduler_kwargs"]
    )
    found = [optimizer.param_groups[0]["lr"]]
    for _ in range(STEPS - 1):
        optimizer.step()
        schedule.step()
        found.append(optimizer.param_groups[0]["lr"])
    assert close(found, schedules.rates(made.training, range(STEPS), STEPS))
