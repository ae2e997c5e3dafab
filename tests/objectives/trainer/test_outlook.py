"""Where a run is heading: an average of its weights, which changes nothing in how it trains."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import toylanes
from hypothesis import given, settings
from hypothesis import strategies as st

import hpo
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.paused import Paused
from hpo.search.terms.job import OUTLOOK, Job, Judged

ALWAYS = Judged("val_loss", range(1, 100))


def lane(judged: Judged | None = ALWAYS, **knobs: Any) -> Lane:
    return Lane(0, toylanes.PROBLEM.setup({**toylanes.NEUTRAL, **knobs}), judged)


def outlooks(curve: list[dict[str, float]]) -> list[float | None]:
    return [point.get(OUTLOOK) for point in curve]


@given(
    batch=st.sampled_from([1, 3, 10, 40]),
    steps=st.integers(2, 60),
    schedule=st.sampled_from(["fixed", "linear"]),
    every=st.sampled_from([0, 7]),
)
@settings(max_examples=15)
def test_the_weights_of_a_step_have_the_share_of_its_eighth_power(
    batch: int, steps: int, schedule: str, every: int
) -> None:
    own = lane(
        batch_size=batch, max_steps=steps, epochs=30, batch_schedule=schedule, batch_growth=4.0, eval_every=every
    )
    taken: list[tuple[int, torch.Tensor]] = []
    stepped = own.stepped

    def watch() -> None:
        before = own.foreseen
        stepped()
        if own.foreseen != before:
            taken.append((own.step, own.rows["weights"].double()))

    own.stepped = watch  # type: ignore[method-assign]
    toylanes.train(own)
    ends = [step for step, _ in taken]
    shares = [(end**9 - begin**9) / ends[-1] ** 9 for begin, end in zip([0, *ends], ends, strict=False)]
    assert sum(shares) == pytest.approx(1)
    expected = sum(share * weights for share, (_, weights) in zip(shares, taken, strict=True))
    assert torch.allclose(own.rows["outlook"].double(), expected, atol=1e-5)


def test_a_run_is_the_same_whether_somebody_asks_where_it_is_heading_or_not() -> None:
    for knobs in ({}, {"average": "ema"}, {"optimizer": "adamw", "patience": 2}):
        asked, plain = lane(**knobs), lane(None, **knobs)
        told, untold = toylanes.train(asked)[0], toylanes.train(plain)[0]
        assert [{k: v for k, v in point.items() if k != OUTLOOK} for point in told] == untold
        assert torch.equal(asked.final, plain.final)


def test_it_is_told_where_somebody_decides_and_not_at_the_end() -> None:
    curve = toylanes.train(lane(Judged("val_loss", frozenset({2, 3, 5})), epochs=5))[0]
    assert [value is not None for value in outlooks(curve)] == [False, True, True, False, False]
    assert outlooks(toylanes.train(lane(Judged("val_accuracy", {1})))[0])[0] in [n / 20 for n in range(21)]
    assert outlooks(toylanes.train(lane(Judged("train_loss", {1})))[0]) == [None] * 3  # nothing is known of that


def test_it_does_not_depend_on_who_trains_beside_it() -> None:
    alone = outlooks(toylanes.train(lane(epochs=4))[0])
    beside = [lane(epochs=4), lane(epochs=2, learning_rate=0.3), lane(None, epochs=4, seed=3)]
    assert outlooks(toylanes.train(*beside)[0]) == alone


def test_it_sees_through_a_rate_that_is_too_high_to_settle() -> None:
    curve = toylanes.train(lane(epochs=12, learning_rate=2.0, batch_size=2))[0]
    late = curve[5:-1]
    assert sum(point[OUTLOOK] < point["val_loss"] for point in late) > len(late) / 2


def test_weights_are_averaged_from_half_way_to_the_first_decision_up_to_the_last() -> None:
    for asked, epochs in (({6, 7}, {4, 5, 6, 7}), ({1}, {1}), ({3}, {2, 3}), (range(1, 100), set(range(1, 10)))):
        own = lane(Judged("val_loss", asked), epochs=9)
        cohort, found = toylanes.Cohort(), set()
        while not own.done:
            before = own.foreseen
            cohort.advance([own])
            found |= {own.epoch} if own.foreseen != before else set()
        assert found == epochs


@pytest.mark.parametrize("limit", [0, 10**9])
def test_a_run_that_was_paused_heads_where_it_did(limit: int, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    whole = toylanes.train(lane(epochs=4))[0]
    paused = Paused(limit, lambda job: lane(epochs=4), print)
    own, found = lane(epochs=4), []
    while not own.done:
        cohort = toylanes.Cohort()
        cohort.advance([own])
        found.append(own.metrics)
        own.detach()
        paused.put(own)
        own = paused.take(Job(0, {}))
    paused.clear()
    assert found == whole


@pytest.mark.parametrize(
    ("record", "asked"), [("outlook", True), (["statistics", "outlook"], True), ("statistics", False)]
)
def test_a_study_asks_for_it(record: Any, asked: bool) -> None:
    found = hpo.run(
        {"objective": "mlp", "goal": "minimize val_loss", "search": {"learning_rate": {"float": [0.001, 0.1]}}},
        fixed={"epochs": 4, "width": 8}, trials=3, record=record, confirm="none", storage=":memory:", name="ahead",
    )  # fmt: skip
    trials = found.report.trials
    assert asked or not any(trial.outlook for trial in trials)
    assert (
        all([step for step, _ in trial.outlook] == [s for s in (1, 2, 3) if s <= len(trial.curve)] for trial in trials)
        is asked
    )


def test_nobody_is_told_in_the_first_tenth() -> None:
    found = hpo.run(
        {"objective": "mlp", "goal": "minimize val_loss", "search": {"learning_rate": {"float": [0.001, 0.1]}}},
        fixed={"epochs": 20, "width": 8}, trials=6, pruner={"hedged": {"of": "successive-halving"}},
        record="outlook", confirm="none", storage=":memory:", name="early",
    )  # fmt: skip
    trials = found.report.trials
    assert max(len(trial.curve) for trial in trials) == 20
    for trial in trials:
        told = [step for step, _ in trial.outlook]
        assert told == [step for step in (3, 4, 5, 6, 8, 9, 10, 13, 16) if step <= len(trial.curve)]
