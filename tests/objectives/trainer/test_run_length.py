"""How long a run is and how its batch grows: by epochs, by optimizer steps, by the noise that it measures."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toylanes import rows_by_step

from hpo.objectives.networks.layers import Activation, Linear, Sequential
from hpo.objectives.trainer.gradient_noise import NoiseRecord
from hpo.objectives.trainer.growth import Growth
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.lanes import CohortExecutor
from hpo.objectives.trainer.plan import Place, Plan
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.schedules import rates
from hpo.objectives.trainer.tensors import Splits
from hpo.objectives.trainer.together import Cohort
from hpo.objectives.trainer.training_recipe import TrainingRecipe
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Job, Point, Task


def build(*, normalization: str = "none") -> Any:
    if normalization == "batch":
        return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 2))
    return Sequential((Linear(8), Activation("tanh"), Linear()))


def data(*, flipped: float = 0.2) -> Splits:
    random = np.random.default_rng(1)
    x = random.normal(size=(140, 4)).astype("float32")
    y = ((x[:, 0] > 0) ^ (random.random(140) < flipped)).astype(int)
    return Splits((x[:100], y[:100]), (x[100:], y[100:]), None, "classification", 2)


OBJECTIVE = SimpleNamespace(__name__="toy", build=build, data=data)
PROBLEM = Problem(OBJECTIVE, Task("toy"))

KNOBS: dict[str, Any] = {"epochs": 6, "batch_size": 10, "learning_rate": 0.1, "optimizer": "sgd", "weight_decay": 0.0}


def lane(number: int = 0, **knobs: Any) -> Lane:
    return Lane(number, PROBLEM.setup({**KNOBS, **knobs}))


def train(own: Lane) -> list[dict[str, float]]:
    cohort, curve = Cohort(), []
    while not own.done:
        cohort.advance([own])
        assert not own.failure
        curve.append(dict(own.metrics))
    return curve


def stepwise(own: Lane) -> list[float]:
    """The learning rate of each step of a run."""
    used = []
    while not own.done:
        used += own.rates(own.layout().steps)
        Cohort().advance([own])
    return used


# --- steps -----------------------------------------------------------------------------------------------------------


def test_a_run_ends_within_an_epoch_after_its_steps_and_the_part_of_it_is_a_point() -> None:
    own = lane(max_steps=23)
    assert len(train(own)) == 3
    assert own.step == 23
    assert own.done
    long = lane(schedule="constant")
    short = lane(schedule="constant", max_steps=20)
    assert train(short) == train(long)[:2]
    assert torch.equal(short.rows["weights"], short.final)


def test_the_partial_epoch_trains_on_its_first_windows_alone() -> None:
    knobs: dict[str, Any] = {"schedule": "constant", "epochs": 1, "momentum": 0.0}
    rows = rows_by_step(lane(**knobs))
    for steps in (1, 4, 10):
        short = lane(**knobs, max_steps=steps)
        ((point,),) = [train(short)]
        assert torch.equal(short.rows["weights"], rows[steps - 1])
        assert math.isfinite(point["train_loss"])


def test_the_rate_spreads_over_the_steps_of_the_run() -> None:
    recipe = TrainingRecipe(**{**KNOBS, "schedule": "cosine", "warmup": 0.2})
    assert stepwise(lane(schedule="cosine", warmup=0.2, max_steps=23)) == rates(recipe, range(23), 23)


@pytest.mark.parametrize("batch_schedule", ["step", "linear"])
def test_a_growing_batch_has_grown_when_the_steps_are_over(batch_schedule: str) -> None:
    own = lane(batch_schedule=batch_schedule, batch_growth=4.0, max_steps=30, epochs=100)
    windows, used = [], []
    while not own.done:
        windows.append(own.window)
        used += own.rates(own.layout().steps)
        Cohort().advance([own])
    assert own.step == own.plan.total == len(used) == 30
    assert windows[0] == 10
    assert windows[-1] == 40
    assert windows == sorted(windows)
    assert used == rates(own.setup.recipe, range(30), 30)


@given(
    st.integers(1, 12), st.integers(1, 60), st.integers(1, 40), st.sampled_from(["fixed", "step", "linear"]),
    st.floats(1, 9),
)  # fmt: skip
def test_the_plan_of_a_run_is_what_it_then_does(
    epochs: int, limit: int, batch: int, batch_schedule: Any, growth: float
) -> None:
    recipe = TrainingRecipe(
        epochs=epochs, max_steps=limit, batch_size=batch, batch_schedule=batch_schedule, batch_growth=growth
    )
    plan, epoch, step = Plan(recipe, 50), 0, 0
    while plan.share(Place(epoch, step)) < 1:
        step += plan.layout(Place(epoch, step), plan.window(epoch, 1.0), batch, 64).steps
        epoch += 1
    assert step == plan.total
    assert step == limit or epoch == epochs
    assert plan.window(epoch - 1, 1.0) == recipe.step_samples(recipe.growth(plan.epochs - 1, plan.epochs))


def test_steps_that_are_never_reached_are_said() -> None:
    own = lane(max_steps=500)
    (note,) = own.setup.notes
    assert note.startswith("max_steps: 500 is not reached: 6 epochs are 60 steps")
    assert not lane(max_steps=60).setup.notes
    assert train(own) == train(lane())


def test_the_even_average_begins_at_its_share_of_the_steps() -> None:
    rows = []
    own = lane(average="swa", average_start=0.5, max_steps=40, epochs=100, schedule="constant")
    while not own.done:
        Cohort().advance([own])
        rows.append(own.rows["weights"].clone())
    assert len(rows) == 4
    torch.testing.assert_close(own.final, torch.stack(rows[2:]).mean(dim=0))


# --- noise -----------------------------------------------------------------------------------------------------------

NOISE: dict[str, Any] = {"batch_schedule": "noise", "batch_growth": 8.0, "epochs": 8, "schedule": "cosine"}


def record(*epochs: tuple[float, float]) -> list[NoiseRecord]:
    """What a lane's record is after each epoch of four windows with these S and G."""
    kept, found = NoiseRecord(), []
    for variance, square in epochs:
        kept.add(np.array([[variance, square]] * 4))
        found.append(NoiseRecord(kept.windows, kept.total.copy()))
    return found


def followed(growth: float, *epochs: tuple[float, float]) -> list[int]:
    recipe = TrainingRecipe(batch_size=10, batch_schedule="noise", batch_growth=growth)
    own, factors = Growth(), []
    for kept in record(*epochs):
        own.follow(recipe, kept)
        factors.append(own.factor)
    return factors


def test_the_batch_is_the_largest_doubling_up_to_the_noise_scale() -> None:
    assert followed(64.0, (19.0, 1.0)) == [1]
    assert followed(64.0, (20.0, 1.0)) == [2]
    assert followed(64.0, (330.0, 1.0)) == [32]
    assert followed(5.0, (330.0, 1.0)) == [4]  # powers of two within the growth allowed


def test_recent_epochs_count_more_the_batch_never_falls_and_nothing_known_changes_nothing() -> None:
    # averages (S, G): (20, 1), then (10 + 90, 1.5), then (50 + 0, .75 + 10)
    assert followed(64.0, (20.0, 1.0), (90.0, 1.0), (0.0, 10.0)) == [2, 4, 4]
    assert followed(64.0, (330.0, -1.0)) == [1]
    assert followed(64.0, (math.nan, math.nan)) == [1]


def test_a_lane_follows_the_noise_it_measures() -> None:
    own = lane(**NOISE, flipped=0.5)
    assert own.micro == 8  # a step of one micro-batch is cut in two
    curve = train(own)
    batches = [point["effective_batch"] for point in curve]
    assert batches[0] == 10
    assert batches == sorted(batches)
    assert batches[-1] == 80  # targets that are mostly noise ask for a large batch at once
    assert {batch / 10 for batch in batches} <= {1, 2, 4, 8}
    assert own.micro == 16
    assert own.step == sum(-(-100 // int(batch)) for batch in batches)


def test_a_batch_that_may_not_grow_is_a_fixed_one() -> None:
    grown = lane(**{**NOISE, "batch_growth": 1.0}, accumulation_steps=2)
    plain = lane(**{**NOISE, "batch_schedule": "fixed"}, accumulation_steps=2)
    assert [{k: v for k, v in p.items() if k != "effective_batch"} for p in train(grown)] == train(plain)


def test_under_noise_the_rate_goes_by_the_share_of_samples() -> None:
    own = lane(**NOISE, flipped=0.4, warmup=0.25)
    epochs: list[list[float]] = []
    while not own.done:
        epochs.append(own.rates(own.layout().steps))
        Cohort().advance([own])
    assert len(epochs[-1]) == 2
    recipe = own.setup.recipe
    by_samples = rates(recipe, range(80), 80)
    for epoch, used in enumerate(epochs):
        assert used[0] == pytest.approx(by_samples[10 * epoch])
    assert epochs[-1][1] == pytest.approx(by_samples[75])


def test_under_noise_steps_end_the_run_and_its_schedule_too() -> None:
    own = lane(**{**NOISE, "epochs": 100}, flipped=0.4, max_steps=31)
    used = stepwise(own)
    assert own.step == len(used) == 31
    assert used == pytest.approx(rates(own.setup.recipe, range(31), 31))


@pytest.mark.parametrize("company", [0, 2])
def test_following_noise_does_not_depend_on_company_or_on_being_set_aside(company: int) -> None:
    recipe = {**KNOBS, **NOISE, "flipped": 0.4, "seed": 5, "batch_size": 8}
    alone = train(Lane(0, PROBLEM.setup(recipe)))
    executor = CohortExecutor(PROBLEM, SimpleNamespace(), 3, 1 << 20)  # type: ignore[arg-type]
    executor.admit(Job(0, recipe))
    for number in range(company):
        executor.admit(Job(1 + number, {**recipe, "seed": number, "batch_schedule": ("noise", "fixed")[number]}))
    curve: list[dict[str, float]] = []
    for turn in range(len(alone)):
        if turn in (2, 5):
            executor.evict(0, keep=turn == 2)
            executor.admit(Job(0, recipe, done=len(curve)))
        curve += [dict(news.metrics) for news in executor.advance() if isinstance(news, Point) and news.number == 0]
    assert curve == alone


@pytest.mark.parametrize(
    ("knobs", "remedy"),
    [
        ({"batch_size": 1}, "2 or more"),
        ({"class_weight": "balanced"}, "resample: balanced"),
        ({"normalization": "batch"}, "accumulation_steps: 2"),
    ],
)
def test_noise_that_cannot_be_measured_is_refused_with_a_remedy(knobs: dict[str, Any], remedy: str) -> None:
    with pytest.raises(UserError, match=f"batch_schedule: noise .*{remedy}"):
        lane(**NOISE, **knobs)
    assert lane(**NOISE, normalization="batch", accumulation_steps=2).micro == 10
