"""The samples of a step and how they are carried out: effective batch, and micro-batches that fit the memory."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from hpo.objectives.networks.layers import Activation, Dropout, Linear, Sequential
from hpo.objectives.trainer import memory
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.order import generator, layout
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.schedules import rates
from hpo.objectives.trainer.setup import Setup
from hpo.objectives.trainer.tensors import Splits
from hpo.objectives.trainer.together import Cohort
from hpo.objectives.trainer.training_recipe import TrainingRecipe
from hpo.search import studyfile
from hpo.search.terms.errors import StudyFileError, UserError
from hpo.search.terms.job import Task

WIDE = 256


def build(*, dropout: float = 0.0, width: int = 16, module: bool = False) -> Any:
    if module:
        return torch.nn.Sequential(torch.nn.Linear(6, width), torch.nn.BatchNorm1d(width), torch.nn.Linear(width, 3))
    return Sequential(
        (Linear(width), Activation("tanh"), Dropout(dropout), Linear(width), Activation("relu"), Linear())
    )


def data(*, rows: int = 350) -> Splits:
    random = np.random.default_rng(0)
    x = random.normal(size=(rows + 100, 6)).astype("float32")
    y = (x[:, 0] + x[:, 1] ** 2 > 0.5).astype(int) + (x[:, 2] > 0.7)
    return Splits((x[:rows], y[:rows]), (x[rows:], y[rows:]), None, "classification", 3)


def problem(limit: int | None = None) -> Problem:
    return Problem(SimpleNamespace(__name__="toy", build=build, data=data), Task("toy", memory_limit=limit))


PROBLEM = problem()

KNOBS: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 0.1, "epochs": 2, "seed": 1}


def lane(where: Problem = PROBLEM, **knobs: Any) -> Lane:
    return Lane(0, where.setup({**KNOBS, **knobs}))


def trained(own: Lane) -> Lane:
    cohort = Cohort()
    while not own.done:
        cohort.advance([own])
    return own


# --- effective batch -------------------------------------------------------------------------------------------------


@given(st.integers(1, 200), st.integers(1, 90), st.integers(1, 70), st.integers(1, 70))
def test_windows_hold_the_effective_batch_whatever_they_are_cut_into(
    count: int, window: int, batch: int, micro: int
) -> None:
    cut = layout(count, window, batch, micro)
    real = cut.real > 0
    assert cut.places[real].tolist() == list(range(count))
    assert cut.items[cut.ends].tolist() == [min(window, count - start) for start in range(0, count, window)]
    assert real.sum(axis=1).max() <= min(window, batch, micro)


def test_a_step_of_ragged_micro_batches_is_that_of_plain_pytorch() -> None:
    own = lane(effective_batch=50, batch_size=16, epochs=15, momentum=0.9, schedule="linear", weight_decay=0.0)
    other = Lane(1, PROBLEM.setup({"batch_size": 16, "seed": 2, "epochs": 99}))
    assert [(cut := own.layout()).items[0], int(cut.real[3].sum())] == [50, 2]
    part, recipe = own.setup.data.train, own.setup.recipe
    model = torch.nn.Sequential(
        torch.nn.Linear(6, 16), torch.nn.Tanh(), torch.nn.Identity(), torch.nn.Linear(16, 16), torch.nn.ReLU(),
        torch.nn.Linear(16, 3),
    )  # fmt: skip
    model.load_state_dict(own.setup.network.state_dict(own.rows["weights"]))
    optimizer, step = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), 0
    for epoch in range(15):
        order = torch.from_numpy(generator(1, "order", epoch).permutation(350))
        for items in order.split(50):
            optimizer.zero_grad()
            F.cross_entropy(model(part.inputs[items]), part.targets[items]).backward()
            (optimizer.param_groups[0]["lr"],) = rates(recipe, [step], 105)
            optimizer.step()
            step += 1
    cohort = Cohort()
    for _ in range(15):
        cohort.advance([own, other])
    assert own.step == step == 105
    for name, value in own.setup.network.state_dict(own.rows["weights"]).items():
        torch.testing.assert_close(value, model.state_dict()[name], atol=1e-5, rtol=1e-5)


def test_an_effective_batch_that_is_a_multiple_is_accumulation_to_the_last_bit() -> None:
    said = trained(lane(effective_batch=48, batch_size=16, coupling="sqrt"))
    counted = trained(lane(accumulation_steps=3, batch_size=16, coupling="sqrt"))
    assert said.metrics == counted.metrics
    assert torch.equal(said.rows["weights"], counted.rows["weights"])


def test_a_batch_size_beyond_the_effective_batch_is_that() -> None:
    large, exact = trained(lane(effective_batch=20, batch_size=512)), trained(lane(batch_size=20))
    assert torch.equal(large.rows["weights"], exact.rows["weights"])


def test_what_depends_on_the_batch_goes_by_the_effective_one() -> None:
    recipe = TrainingRecipe(effective_batch=128, learning_rate=0.1, coupling="sqrt", reference_batch=32)
    assert recipe.peak_rate == pytest.approx(0.2)
    timed = TrainingRecipe(effective_batch=100, batch_size=8, learning_rate=0.1, weight_timescale=5.0)
    assert timed.decay_of(1000) == TrainingRecipe(
        batch_size=100, learning_rate=0.1, weight_timescale=5.0
    ).decay_of(1000)  # fmt: skip
    grown = TrainingRecipe(effective_batch=30, batch_schedule="linear", batch_growth=2.0)
    assert [grown.step_samples(grown.growth(epoch, 3)) for epoch in range(3)] == [30, 45, 60]


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"effective_batch": 64, "accumulation_steps": 2}, "both say .* drop accumulation_steps"),
        ({"batch_size": "auto"}, "add effective_batch"),
        ({"batch_size": "auto", "accumulation_steps": 4}, "add effective_batch"),
        ({"batch_size": "big"}, "'big' is not a whole number or auto"),
        ({"effective_batch": -1}, "effective_batch must be at least 0"),
    ],
)
def test_a_batch_said_twice_or_not_at_all_is_refused_with_a_remedy(knobs: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        lane(**knobs)


@pytest.mark.parametrize(
    ("search", "fixed", "line", "said"),
    [
        ("effective_batch: {choice: [32, 64]}", "accumulation_steps: 2", 5, "drop accumulation_steps"),
        ("learning_rate: {float: [0.1, 1]}", "batch_size: auto", 6, "add effective_batch"),
        ("momentum: {float: [0.1, 0.9]}", "batch_schedule: noise, class_weight: sqrt", 6, "resample: balanced"),
    ],
)
def test_knobs_that_contradict_one_another_in_every_recipe_are_a_mistake_of_the_study_file(
    tmp_path: Path, search: str, fixed: str, line: int, said: str
) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(f"# s\nobjective: mlp\ngoal: minimize val_loss\nsearch:\n  {search}\nfixed: {{{fixed}}}\n")
    with pytest.raises(StudyFileError, match=said) as caught:
        studyfile.read(str(file))
    assert [mistake.line for mistake in caught.value.mistakes] == [line]


def test_a_study_in_which_only_some_recipes_contradict_themselves_is_read(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(
        "# s\nobjective: mlp\ngoal: minimize val_loss\nmemory_limit: 64\nsearch:\n"
        "  effective_batch: {choice: [32, 64]}\n  batch_size: {choice: [auto, 16]}\n"
        "  accumulation_steps: {choice: [1, 2]}\n"
    )
    assert studyfile.read(str(file)).memory_limit == 64


# --- auto ------------------------------------------------------------------------------------------------------------

AUTO: dict[str, Any] = {"batch_size": "auto", "effective_batch": 300, "width": WIDE}


def test_a_step_that_fits_is_one_micro_batch() -> None:
    own = lane(problem(512), **AUTO)
    assert (own.batch, own.micro) == (300, 300)
    whole = lane(problem(), width=WIDE, batch_size=300)
    torch.testing.assert_close(trained(own).rows["weights"], trained(whole).rows["weights"], atol=1e-6, rtol=1e-4)


def test_a_smaller_limit_gives_more_micro_batches_of_equal_size_and_the_same_steps() -> None:
    fine = [trained(lane(problem(limit), **AUTO)) for limit in (2, 3, 64)]
    sizes = [own.micro for own in fine]
    assert sizes[0] < sizes[1] < sizes[2] == 300
    for own in fine:
        first = own.layout().real.sum(axis=1)[own.layout().window == 0]
        assert first.sum() == 300
        assert first.max() - first.min() < len(first)
        assert own.metrics["micro_batch"] == own.micro
        torch.testing.assert_close(own.rows["weights"], fine[-1].rows["weights"], atol=1e-6, rtol=1e-4)
    assert [lane(problem(2), **AUTO).micro for _ in range(2)] == [sizes[0]] * 2
    assert any("metric micro_batch" in note for note in fine[0].setup.notes)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
@pytest.mark.parametrize("beside", [{}, {"dropout": 0.5, "average": "ema"}, {"mixup": 0.3}, {"module": True}])
def test_what_is_counted_on_small_micro_batches_holds_for_large_ones(optimizer: str, beside: dict[str, Any]) -> None:
    trial = PROBLEM.setup({**KNOBS, "rows": 8000, "width": WIDE, "batch_size": 32, "optimizer": optimizer, **beside})

    def needed(size: int) -> float:
        return float(memory._bytes(fresh(trial), size).max())

    limit = 6
    most = memory.largest(fresh(trial), limit)
    allowed = limit * memory.MEBIBYTE
    assert needed(most) <= allowed
    assert needed(round(1.25 * most)) > allowed


def fresh(trial: Setup) -> Setup:
    return dataclasses.replace(trial, network=PROBLEM._network({**trial.knobs, "seed": 0}, trial.data, trial.recipe))


def test_the_counted_bytes_are_those_that_the_allocator_gives() -> None:
    from torch.profiler import ProfilerActivity, profile

    trial = PROBLEM.setup({**KNOBS, "width": WIDE, "batch_size": 32})
    memory._bytes(trial, 64)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as measured:
        counted = memory._bytes(trial, 64)
    changes = [event["bytes"] for event in _memory_events(measured)]
    assert counted.max() == pytest.approx(float(np.cumsum(changes).max()), rel=0.1)


def _memory_events(measured: Any) -> list[dict[str, int]]:
    events = measured.profiler.kineto_results.events()
    return [{"bytes": event.nbytes()} for event in events if event.name() == "[memory]"]


def test_one_sample_too_many_is_an_error_that_says_by_how_much() -> None:
    with pytest.raises(
        UserError, match=r"a single sample needs .* MiB .* more than the memory limit of 1 MiB .* raise"
    ):
        lane(problem(1), **{**AUTO, "width": 600})


def test_the_size_does_not_depend_on_company_but_lanes_of_equal_size_share_kernels() -> None:
    where = problem(3)
    first, second = lane(where, **AUTO), Lane(1, where.setup({**KNOBS, **AUTO, "seed": 9, "learning_rate": 0.3}))
    assert first.key == second.key
    cohort = Cohort()
    for _ in range(2):
        cohort.advance([first, second])
    assert first.metrics == trained(lane(problem(3), **AUTO)).metrics


def test_scoring_takes_no_more_samples_at_once_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    own = lane(problem(3), **AUTO)
    assert own.setup.capacity is not None
    sizes = []
    forward = own.setup.network.forward

    def watch(values: Any, inputs: torch.Tensor, masks: Any) -> torch.Tensor:
        sizes.append(inputs.shape[1])
        return forward(values, inputs, masks)

    monkeypatch.setattr(own.setup.network, "forward", watch)
    small = dataclasses.replace(own.setup, capacity=40)
    trained(Lane(0, small))
    assert max(sizes) == 40 == small.rows
    assert lane(problem(64), **AUTO).setup.rows == 512


def test_a_batch_that_follows_its_noise_is_cut_in_two_where_all_would_fit() -> None:
    own = lane(problem(512), **{**AUTO, "effective_batch": 60}, batch_schedule="noise")
    assert (own.batch, own.micro) == (30, 30)
    assert "gradient_variance" in trained(own).metrics


@pytest.mark.parametrize("batch_schedule", ["noise", "linear"])
def test_micro_batches_grow_with_the_step_as_far_as_memory_goes(batch_schedule: str) -> None:
    knobs = {**AUTO, "effective_batch": 20, "batch_schedule": batch_schedule, "batch_growth": 8.0, "label_noise": 1.0}
    knobs["epochs"] = 6
    own = lane(problem(2), **knobs)
    sizes, cohort = [], Cohort()
    while not own.done:
        sizes.append((own.window, own.micro))
        cohort.advance([own])
    assert own.setup.capacity is not None
    least = 2 if batch_schedule == "noise" else 1
    for window, micro in sizes:
        pieces = max(least, -(-window // own.setup.capacity))
        assert micro == -(-window // pieces)
    assert sizes[-1][0] > sizes[0][0]
    constant = lane(problem(2), **knobs, module=True)
    assert [constant.setup.cut(window)[1] for window in (20, 160)] == [constant.micro] * 2


def test_normalization_over_the_micro_batch_is_told_of_when_a_step_has_several() -> None:
    told = [lane(problem(limit), **AUTO, module=True).setup.notes for limit in (1, 512)]
    assert [any("not equivalent" in note for note in notes) for notes in told] == [True, False]


def test_the_default_limit_is_a_share_of_the_machine() -> None:
    assert 1 <= memory.default_limit(torch.device("cpu")) * 32 <= 1 << 26
