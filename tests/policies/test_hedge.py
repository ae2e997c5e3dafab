import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thawed import Study

from hpo.search.contracts.policy import Start, View
from hpo.search.curves.single import Library, forecast
from hpo.search.curves.thaw import Settings
from hpo.search.curves.trust import HOPELESS, Calibration, evidence
from hpo.search.policies.hedge import Hedge, Hedging, Held
from hpo.search.terms.domain import Float
from hpo.search.terms.space import Parameter, Space
from hpo.search.terms.trial import Trial

NOTHING = Held()
LINE = Space((Parameter("x", Float(0.0, 1.0)),))


def policy(**constants: Any) -> Hedge:
    return Hedge(Settings(uniform=30, near=30), Hedging(**constants))


def curve(*values: float) -> np.ndarray:
    return np.column_stack([np.arange(1.0, len(values) + 1.0), values])


def trial(number: int, values: Sequence[float], state: Any = "paused") -> Trial:
    return Trial(number, {"x": (number + 0.5) / 50}, tuple(enumerate(values, 1)), state)


def view(trials: Sequence[Trial], held: Held = NOTHING, **facts: Any) -> View:
    return View(LINE, {}, "minimize", 0, 4, list(trials), memo={"held": held.plain()}, **facts)


FALLING = [trial(n, [1.0 - 0.01 * n]) for n in range(10)]


def test_a_held_trial_goes_on_while_no_complete_one_has_shown_what_early_points_are_worth() -> None:
    bad = trial(10, [9.0, 9.0, 9.0], "running")
    held = Held(open=(10,), drawn=(10,))
    verdict = policy(share=1.0 - 1e-9, most=1.0).judge(view([*FALLING, bad], held), 10)
    assert type(verdict).__name__ == "Continue"


def test_the_share_grows_where_held_trials_are_the_best_and_shrinks_where_others_are() -> None:
    held = Held(open=(10,), drawn=(10,))
    for values, grows in (((2.0, 2.0, 1.0, 0.1), True), ((2.0, 2.0, 2.0, 2.0), False)):
        turn = policy().next(view([*FALLING, trial(10, values, "complete")], held))
        assert turn.memo is not None
        assert (turn.memo["held"]["odds"] > 0) == grows
        assert 10 not in turn.memo["held"]["open"]


def test_what_is_told_of_the_share_outlives_what_freeze_thaw_keeps() -> None:
    held = Held(drawn=(10,), odds=1.5)
    trials = [*FALLING, trial(10, (2.0, 2.0, 1.0, 0.1), "complete")]
    turn = policy(share=1e-9, least=0.0).next(view(trials, held))
    assert turn.memo is None or turn.memo["held"] == held.plain()


def test_no_trial_is_held_before_the_first_look_around() -> None:
    turn = policy(share=1.0 - 1e-9, most=1.0).next(view(FALLING[:5]))
    assert isinstance(turn, Start)
    assert not (turn.memo or {}).get("held")


@pytest.mark.parametrize(
    ("curves", "sign"),
    [
        ([curve(3.0, 3.0, 3.0), curve(2.0, 2.0, 2.0), curve(1.0, 1.0, 1.0)], 1),
        ([curve(3.0, 3.0, 0.1), curve(2.0, 2.0, 0.2), curve(1.0, 1.0, 0.3)], -1),
        ([curve(3.0, 3.0, 3.0)], 0),
    ],
)
def test_ranks_speak_for_early_points_where_ends_keep_them(curves: list[np.ndarray], sign: int) -> None:
    assert np.sign(evidence(curves)) == sign


LEVELS = {
    n: curve(*(level + 0.5 * 0.8 ** np.arange(1, 21))) for n, level in enumerate((0.4, 0.5, 0.3, 0.6, 0.45, 0.55))
}
LATE = {n: np.where(c > 17, c, c - (c[:, :1] > 15) * [[0.0, 1.0 - 0.1 * n]]) for n, c in LEVELS.items()}
"""Curves that go on as they began, and such that fall late, the more the earlier they were begun."""


def hopes(complete: Mapping[int, np.ndarray], steps: int = 6) -> float:
    """Chance of a curve above all others to end below them, after so many steps."""
    whole = list(complete.values())
    seen = forecast(curve(*([2.0] * steps)), 20, Library.of(whole, 20), 0)
    best = min(float(each[:, 1].min()) for each in whole)
    return Calibration().chance(seen, best, complete, steps / 20)


def test_a_forecast_is_believed_after_some_complete_curves_that_ended_as_forecast() -> None:
    chances = [hopes(dict(list(LEVELS.items())[:n])) for n in range(1, len(LEVELS) + 1)]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > 0.1
    assert chances[-1] < 0.05


def test_where_curves_end_lower_than_forecast_no_forecast_is_believed() -> None:
    assert hopes(LATE) > 0.15


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 100.0), st.floats(-10.0, 10.0))
def test_a_chance_does_not_depend_on_the_scale_of_the_values(factor: float, offset: float) -> None:
    moved = {n: np.column_stack([c[:, 0], factor * c[:, 1] + offset]) for n, c in LEVELS.items()}
    seen = [forecast(c[5][:4], 20, Library.of([c[0], c[1]], 20), 0) for c in (LEVELS, moved)]
    values = 0.3, factor * 0.3 + offset
    first, second = (
        Calibration().chance(*given, 0.2) for given in ((seen[0], values[0], LEVELS), (seen[1], values[1], moved))
    )
    assert first == pytest.approx(second, abs=0.01)


def test_the_directions_are_mirrors() -> None:
    held = Held(open=(10,), drawn=(10,))
    trials = [*FALLING, trial(10, (2.0, 2.0, 1.0, 0.1), "complete")]
    mirrored = [dataclasses.replace(t, curve=tuple((s, -v) for s, v in t.curve)) for t in trials]
    down = policy().next(view(trials, held))
    up = policy().next(dataclasses.replace(view(mirrored, held), direction="maximize"))
    assert down == up


def test_what_is_told_early_to_be_hopeless_is_what_the_whole_count_says() -> None:
    for complete in (LEVELS, LATE):
        for steps in (3, 6, 12):
            whole = list(complete.values())
            seen = forecast(curve(*([2.0] * steps)), 20, Library.of(whole, 20), 0)
            for value in (0.3, 0.6, 1.5, 1.9):
                chance = Calibration().chance(seen, value, complete, steps / 20)
                told = Calibration().hopeless(seen, value, complete, steps / 20)
                assert told == (chance if chance < HOPELESS else None)


@pytest.mark.parametrize("lanes", [1, 4])
def test_a_restart_at_any_point_changes_nothing(lanes: int) -> None:
    whole = Study(policy(known=1), lanes=lanes).run(160)
    interrupted = Study(policy(known=1), lanes=lanes).run(160, policies=lambda: policy(known=1))
    assert [(t.point, t.curve, t.state) for t in interrupted.view.trials] == [
        (t.point, t.curve, t.state) for t in whole.view.trials
    ]
    assert whole.view.memo["held"]["theta"]
    assert interrupted.view.memo == whole.view.memo
