"""Trials that have ended in a few hundred bytes each: what comes back is what was there."""

from __future__ import annotations

import gc
import tracemalloc
from datetime import UTC, datetime

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from stores import shown, trials

from hpo.search.engine.ledger import Ledger
from hpo.search.store import open_store
from hpo.search.store.changes import Snapshot
from hpo.search.store.packed import Trials
from hpo.search.store.recorder import Recorder
from hpo.search.terms.domain import Float
from hpo.search.terms.space import Parameter, Space
from hpo.search.terms.study import Goal, Study

KNOBS = [f"x{i}" for i in range(5)]


def numbered(some: list[FrozenTrial]) -> list[FrozenTrial]:
    for number, trial in enumerate(some):
        trial.number = trial._trial_id = number
    return some


@given(st.lists(trials(), max_size=6), st.integers(0, 2))
def test_packed_trials_come_back_exactly(some: list[FrozenTrial], whole: int) -> None:
    packed = Trials(numbered(some), whole)
    assert [shown(trial) for trial in packed] == [shown(trial) for trial in some]
    assert [packed[i]._trial_id for i in range(len(some))] == list(range(len(some)))
    assert [packed.state(i) for i in range(len(some))] == [trial.state for trial in some]
    complete = (TrialState.COMPLETE,)
    assert [t.number for t in packed.of(complete)] == [t.number for t in some if t.state in complete]
    packed.unpack()
    assert [shown(trial) for trial in packed] == [shown(trial) for trial in some]


@given(st.lists(trials(), max_size=6), st.integers(0, 2))
def test_old_trials_are_packed_at_once_as_they_would_be_later(some: list[FrozenTrial], whole: int) -> None:
    packed, left = Trials((), whole), sum(trial.state.is_finished() for trial in some) - whole
    for trial in numbered(some):
        packed.append(trial, old=trial.state.is_finished() and left > 0)
        left -= trial.state.is_finished()
    assert list(map(type, packed._kept)) == list(map(type, Trials(some, whole)._kept))
    assert [shown(trial) for trial in packed] == [shown(trial) for trial in some]


@pytest.mark.parametrize(
    "trial",
    [
        create_trial(value=1.0, user_attrs={"who": object()}),
        create_trial(value=1.0, intermediate_values={1: float("nan")}),
    ],
)
def test_a_trial_that_bytes_cannot_hold_stays_as_it_is(trial: FrozenTrial) -> None:
    trial.number = 0
    assert Trials([trial], 0)[0] is trial


def test_a_moment_in_another_zone_stays_as_it_is() -> None:
    trial = create_trial(value=1.0)
    trial.number, trial.datetime_complete = 0, datetime(2026, 1, 1, tzinfo=UTC)
    assert Trials([trial], 0)[0] is trial


def test_a_trial_of_another_number_than_its_place_is_noticed() -> None:
    assert Trials(numbered([create_trial(value=1.0)]), 0).numbered
    assert not Trials([create_trial(value=1.0)], 0).numbered


def test_listing_all_trials_again_and_again_keeps_them_unpacked() -> None:
    recorder = Recorder(Snapshot("a", ("minimize",), {}, {}, Trials(numbered([create_trial(value=1.0)]), 0)), new=True)

    def packed() -> bool:
        recorder.get_all_trials(0, deepcopy=False)
        return recorder.trials[0] is not recorder.trials[0]

    assert packed()
    assert packed(), "nothing has changed in between"
    for number in [recorder.create_new_trial(0) for _ in range(9)]:
        recorder.set_trial_intermediate_value(number, 1, 0.5)
    assert packed(), "as many changes as trials"
    recorder.create_new_trial(0)
    assert not packed()


def test_an_ended_trial_takes_less_than_a_thousand_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpo.search.store.packed.WHOLE", 10)
    monkeypatch.setattr("hpo.search.engine.ledger._RECENT", 10)
    space = Space(tuple(Parameter(name, Float(0.0, 1.0)) for name in KNOBS))
    study = Study("study", "live:f", (Goal("loss", "minimize"),), space)
    with open_store(":memory:").session("study", ["minimize"]) as session:
        session.commit = lambda: session._recorder.clear()  # type: ignore[method-assign] # no store in memory beside
        session._recorder.trials = Trials(whole=10)
        ledger = Ledger(study, session, study.recipe)

        def run(count: int) -> int:
            for number in range(count):
                point = {name: (len(ledger) * 5 + i) / 1e6 for i, name in enumerate(KNOBS)}
                entry = ledger.start(point, lambda number, attempt: optuna.samplers.RandomSampler())
                assert entry is not None
                for step in range(1, 11):
                    ledger.point(entry, step, (1.0 / step + number,), {"loss": 1.0 / step + number}, 0.01)
                ledger.end(
                    entry,
                    "pruned",
                    f"place {number} of {number} at step 9 (0.123456), of which 3 go on",
                    {"value": 0.1},
                )
                session.commit()
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            before = run(100)
            grown = run(600) - before
        finally:
            tracemalloc.stop()
        assert grown / 600 < 1_000
        assert ledger.entries[3].curve == tuple((step, 1.0 / step + 3) for step in range(1, 11))


def test_distributions_of_packed_trials_are_known() -> None:
    known = {"x": FloatDistribution(0.0, 1.0)}
    packed = Trials(numbered([create_trial(value=1.0, params={"x": 0.5}, distributions=known)]), 0)
    assert packed.distributions() == known
