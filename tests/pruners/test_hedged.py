"""Trials that are held are stopped by a calibrated forecast alone; of the others another pruner decides."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pruning import HORIZON, Search, curve

from hpo.search.contracts.policy import Prune, View
from hpo.search.contracts.pruner import PRUNER, Answer, Pruner, PrunerContext
from hpo.search.pruners import hedged, successive_halving
from hpo.search.terms.errors import UserError
from hpo.search.terms.space import Space
from hpo.search.terms.trial import Trial


class Always(Pruner):
    """Stops all."""

    def judge(self, view: View, number: int) -> Answer:
        return Prune("no")


def trial(number: int, values: Sequence[float], state: Any = "running") -> Trial:
    """A trial with a curve."""
    curve = tuple(enumerate(values, 1))
    return Trial(number, {}, curve, state, values=(min(values),))


def search(share: float = 0.5) -> Search:
    context = PrunerContext(HORIZON, seed=1)
    return Search(hedged.make(context, of=successive_halving.make(context), share=share))


def crossing(rate: float) -> list[float]:
    """What falls fast ends high."""
    return [1.0 - rate * (1 - 0.5**t) - (1 - rate) * 2.0 * (t / HORIZON) ** 4 for t in range(HORIZON)]


def test_some_trials_go_on_whatever_early_points_say_and_most_are_stopped() -> None:
    found = search()
    rates = np.random.default_rng(0).random(60).tolist()
    stops = [found.train(crossing(rate)) for rate in rates]
    complete = [rate for rate, stop in zip(rates, stops, strict=True) if stop is None]
    assert sum(stop in (1, 3) for stop in stops) > 10
    assert min(complete) < 0.2  # which halving stops at its first rung
    alone = Search(successive_halving.make(PrunerContext(HORIZON)))
    left = [rate for rate in rates if alone.train(crossing(rate)) is None]
    assert min(left) > 0.2


def test_the_ninth_trial_is_held_and_none_of_the_eight_before() -> None:
    context = PrunerContext(HORIZON)
    found = Search(hedged.make(context, of=successive_halving.make(context, bootstrap_count=2)))
    assert [found.train(curve(5.0 + i)) for i in range(9)] == [1] * 8 + [None]


def trained(make: object, trials: int = 150) -> tuple[Search, int]:
    """A search over curves of one kind, and how many of its later trials came to their ends."""
    found = search()
    rng = np.random.default_rng(2)
    stops = [found.train(make(float(rng.random()))) for _ in range(trials)]  # type: ignore[operator]
    return found, sum(stop is None for stop in stops[trials // 2 :])


def test_fewer_trials_are_held_where_early_points_are_right() -> None:
    _, right = trained(lambda level: curve(level))
    _, wrong = trained(crossing)
    assert right < wrong


def test_a_held_trial_is_stopped_once_forecasts_have_been_right_and_is_told_why() -> None:
    found = search(share=0.95)
    rng = np.random.default_rng(3)
    said = []
    for _ in range(60):
        if found.train(curve(float(0.2 + rng.random()))) is not None:
            said.append(found.said)
    held = [each for each in said if each.reason.startswith("held on until")]
    assert held
    for each in held:
        assert each.evidence["probability"] < 0.05
        assert 0 < each.evidence["held"] < 1


def test_what_halving_stops_says_how_far_early_points_decide() -> None:
    found = search()
    for level in (0.5, 0.4, 0.3, 0.9):
        found.train(curve(level))
    assert "of the steps are for trials that early points do not stop" in found.said.reason
    assert found.said.evidence["place"] > 0


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10), st.sampled_from(["minimize", "maximize"]))
def test_what_it_says_follows_from_the_curves_alone(seed: int, direction: str) -> None:
    """Also after a restart: another pruner that sees the same trials says the same."""
    rng = np.random.default_rng(seed)
    sign = 1.0 if direction == "minimize" else -1.0
    context = PrunerContext(HORIZON, seed=1)

    def fresh() -> object:
        return hedged.make(context, of=successive_halving.make(context))

    lasting, forgetful = Search(fresh(), direction), Search(fresh(), direction)  # type: ignore[arg-type]
    for _ in range(25):
        values = [sign * value for value in crossing(float(rng.random()))]
        forgetful.pruner = fresh()  # type: ignore[assignment]
        assert lasting.train(values) == forgetful.train(values)
        assert lasting.said == forgetful.said


def test_who_is_held_is_settled_before_it_starts() -> None:
    """Whatever the share comes to while it trains: who was held at its first point is held at its last."""
    context = PrunerContext(HORIZON, seed=1)
    pruner = hedged.make(context, of=Always())
    trials, memo = [trial(number, [1.0]) for number in range(40)], dict[str, Any]()

    def held() -> list[int]:
        view = View(Space(()), {}, "minimize", 0, None, trials, memo=memo)
        said = [pruner.judge(view, number) for number in range(40)]
        for each in said:
            if each.memo is not None:
                memo[PRUNER] = each.memo
        return [number for number, each in enumerate(said) if not isinstance(each, Prune)]

    first = held()
    assert 8 in first
    assert not set(first) & set(range(8))
    for n in range(20):
        trials[n] = trial(n, [1.0] * HORIZON, "complete") if n in first else trial(n, [1.0], "pruned")
    assert [n for n in held() if n >= 20] == [n for n in first if n >= 20]
    assert memo[PRUNER]["parts"][-1][0] == 40  # what has changed counts from the next trial on


def test_a_held_winner_counts_as_won_however_many_were_held_since() -> None:
    found = search(share=0.9)
    for number in range(9):
        found.train(curve(-10.0 if number == 8 else 5.0))
    shares = []
    for _ in range(200):
        found.train(crossing(0.5))
        if found.said.evidence.get("held"):
            shares.append(found.said.evidence["held"])
    assert min(shares[20:]) > 0.5


def test_trials_that_end_before_the_last_step_are_held_as_often_as_those_that_need_as_many() -> None:
    """The share is of steps, and a held trial has those that complete trials have had, not those that are allowed."""

    def complete(horizon: int) -> int:
        context = PrunerContext(horizon, seed=1)
        found = Search(hedged.make(context, of=successive_halving.make(context)))
        rates = np.random.default_rng(0).random(60).tolist()
        return sum(found.train(crossing(rate)) is None for rate in rates)

    assert complete(1000) > complete(HORIZON) / 2


def test_what_has_diverged_is_not_held() -> None:
    found = search()
    assert found.train([1.0, float("nan"), float("nan"), float("nan")]) == 3


def test_without_another_pruner_only_forecasts_stop() -> None:
    found = Search(hedged.make(PrunerContext(HORIZON)))
    assert [found.train(curve(level)) for level in (0.5, 0.4, 9.0)] == [None] * 3


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, float("nan")])
def test_a_share_is_between_0_and_1(share: float) -> None:
    with pytest.raises(UserError, match="share is between 0 and 1"):
        hedged.make(PrunerContext(), share=share)
