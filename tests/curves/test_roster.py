"""What is kept of all trials is what looking at each of them would find, in whichever order they came and changed."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.search.curves.encoding import Encoding
from hpo.search.curves.halving import promoted
from hpo.search.curves.history import History, Units, bends
from hpo.search.curves.known import Known, know
from hpo.search.curves.roster import Roster
from hpo.search.terms.domain import Float
from hpo.search.terms.space import Parameter, Space
from hpo.search.terms.trial import Trial

SPACE = Space((Parameter("x", Float(0.0, 1.0)),))
ENCODING = Encoding(SPACE, {})
HORIZON = 27
STATES: Any = ("running", "paused", "complete", "pruned", "failed")

values = st.sampled_from([0.5, 0.25, 0.125, 1.0, 3.0, -2.0])
trials = st.lists(st.tuples(st.lists(values, max_size=12), st.sampled_from(STATES)), min_size=1, max_size=12)


def made(told: list[tuple[list[float], Any]]) -> list[Trial]:
    found = []
    for number, (curve, state) in enumerate(told):
        state = state if curve or state != "complete" else "paused"
        found.append(Trial(number, {"x": (number + 0.5) / 20}, tuple(enumerate(curve, 1)), state))
    return found


def known(trial: Trial, old: Known | None = None) -> Known:
    return know(trial, ENCODING, 1.0, HORIZON, old)


def at_once(told: list[Trial]) -> Roster:
    roster = Roster()
    for trial in told:
        roster.put(trial.number, known(trial))
    return roster


def bit_by_bit(told: list[Trial], seed: int) -> Roster:
    """The same trials, each of which went on for a while before it was as told; their turns are drawn."""
    roster, rng, lengths = Roster(), np.random.default_rng(seed), [0] * len(told)
    for trial in told:
        roster.put(trial.number, known(Trial(trial.number, trial.point, (), "running")))
    while (open_ := [t for t in told if lengths[t.number] < len(t.curve)]) and rng.random() < 0.95:
        trial = open_[rng.integers(len(open_))]
        lengths[trial.number] += 1
        now = Trial(trial.number, trial.point, trial.curve[: lengths[trial.number]], "running")
        roster.put(trial.number, known(now, roster.known[trial.number]))
        roster.promoted(None, np.zeros(len(told)), np.inf)
    for trial in told:
        roster.put(trial.number, known(trial, roster.known[trial.number]))
    return roster


@settings(max_examples=60, deadline=None)
@given(trials, st.integers(0, 3))
def test_how_trials_came_does_not_matter(told: list[tuple[list[float], Any]], seed: int) -> None:
    one, other = at_once(made(told)), bit_by_bit(made(told), seed)
    luck = np.random.default_rng(0).standard_normal(len(told))
    for roster in (one, other):
        for ceiling in (1.0, np.inf):
            roster.promoted(None, luck, ceiling)
    assert one.ranked == other.ranked
    assert (one.noise, one.complete, one.running, one.waiting) == (
        other.noise, other.complete, other.running, other.waiting,
    )  # fmt: skip
    assert [k.trial.number for k in one.free(0, 3)] == [k.trial.number for k in other.free(0, 3)]
    assert one.promoted(None, luck, 1.0) == other.promoted(None, luck, 1.0)
    assert one.units(0.1) == other.units(0.1)


@settings(max_examples=60, deadline=None)
@given(trials)
def test_it_says_what_looking_at_every_trial_would(told: list[tuple[list[float], Any]]) -> None:
    roster = at_once(made(told))
    seen = [k for k in roster.known if len(k.curve)]
    by_value = sorted(seen, key=lambda k: k.best)
    assert roster.top(4) == by_value[:4]
    free = [k for k in by_value if k.trial.state == "paused" and k.steps < k.limit]
    assert roster.free(None, 3) == free[:3]
    if seen:
        history = History.of([k.curve for k in seen])
        assert roster.units(0.1) == Units.of(history.firsts, history.bests, 0.1)
        sizes = np.concatenate([bends(k.curve[:, 1]) for k in seen])
        assert roster.noise == (np.median(sizes) / (0.6745 * 6.0**0.5) if sizes.size >= 5 else 0.0)
    for k in roster.known:
        assert roster.better_paused(k.trial.number) == sum(
            other.best < k.best for other in roster.known if other.trial.state == "paused"
        )


@given(
    st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.integers(0, 3)), min_size=1, max_size=30),
)
def test_the_promoted_trial_is_the_first_that_waits_among_the_best_third(told: list[tuple[int, bool, int]]) -> None:
    steps, free, worth = (np.array(column) for column in zip(*told, strict=True))
    expected = None
    for rung in (27, 9, 3, 1):
        there = np.flatnonzero(steps >= rung)
        ranked = there[np.argsort(worth[there], kind="stable")][: there.size // 3]
        waiting = [place for place in ranked if free[place] and steps[place] < 3 * rung]
        expected = expected if expected is not None or not waiting else int(waiting[0])
    found = promoted(steps, free, np.zeros(len(told)), lambda there, rung: worth[there].astype(float))
    assert found == expected
