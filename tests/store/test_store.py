"""What every kind of store keeps: SQLite, Optuna journal, PostgreSQL."""

from __future__ import annotations

import math
import os
import time

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial
from stores import add, plain, shown

from hpo.search.store import open_store
from hpo.search.terms.errors import Busy, UserError

optuna.logging.set_verbosity(optuna.logging.WARNING)


def test_a_session_goes_on_where_the_last_one_ended(location):
    store = open_store(location)
    add(store, "a", 3)
    with store.session("a", ["minimize"]) as session:
        running = session.study.ask({"x": FloatDistribution(0, 1)})
        running.report(0.5, 1)
        session.commit()
    with store.session("a", ["minimize"]) as session:
        trial = optuna.Trial(session.study, 3)
        assert session.study.get_trials()[3].state == TrialState.RUNNING
        assert trial.params == running.params
        trial.report(0.25, 2)
        session.study.tell(trial, 0.25)
        session.commit()
    last = store.read("a").trials[-1]
    assert (last.number, last.state, last.intermediate_values) == (3, TrialState.COMPLETE, {1: 0.5, 2: 0.25})


def test_what_was_not_committed_is_never_written(location):
    store = open_store(location)
    with store.session("a", ["minimize"]) as session:
        session.study.set_user_attr("k", 1)
    assert store.names() == []
    with store.session("a", ["minimize"]) as session:
        session.study.set_user_attr("k", 1)
        session.commit()
        session.study.ask()
    assert list(store.read("a").trials) == []


def test_points_are_written_within_a_second_while_the_main_thread_is_busy(location):
    store = open_store(location)
    with store.session("a", ["minimize"]) as session:
        trial = session.study.ask()
        session.commit()
        trial.report(0.5, 1)
        session.commit()
        deadline = time.monotonic() + 60  # for a busy machine; a second is the aim
        while not store.read("a").trials[0].intermediate_values and time.monotonic() < deadline:
            pass
        assert store.read("a").trials[0].intermediate_values == {1: 0.5}


def test_a_state_change_is_written_when_commit_returns(location):
    store = open_store(location)
    with store.session("a", ["minimize"]) as session:
        trial = session.study.ask()
        session.study.tell(trial, 1.0)
        session.commit()
        assert store.read("a").trials[0].value == 1.0
        with plain(store) as storage:
            assert optuna.load_study(study_name="a", storage=storage).best_value == 1.0


def test_rebase_replaces_all_trials_in_one_unit(location):
    store = open_store(location)
    add(store, "other", 2)
    add(store, "a", 4)
    with store.session("a", ["minimize"]) as session:
        session.study.set_user_attr("space", "wider")
        kept = [
            create_trial(params={"x": t.params["x"]}, distributions={"x": FloatDistribution(0, 9)}, value=t.value)
            for t in session.study.get_trials()[1:]
        ]
        session.rebase(kept)
        assert len(store.read("a").trials) == 4  # not before the commit
        session.commit()
        trial = session.study.ask({"x": FloatDistribution(0, 9)})
        session.study.tell(trial, 1.0)
        session.commit()
        inside = session.study.get_trials()
    snapshot = store.read("a")
    assert snapshot.user_attrs == {"space": "wider"}
    assert [shown(trial) for trial in snapshot.trials] == [shown(trial) for trial in inside]
    assert [trial.number for trial in inside] == [0, 1, 2, 3]
    with plain(store) as storage:
        assert optuna.load_study(study_name="a", storage=storage).get_trials()[3].value == 1.0
    assert len(store.read("other").trials) == 2


def test_two_goals_and_infinite_values_are_kept(location):
    store = open_store(location)
    with store.session("a", ["minimize", "maximize"]) as session:
        session.study.tell(session.study.ask(), [math.inf, -math.inf])
        session.study.tell(session.study.ask(), [1.0, 2.0])
        session.commit()
    assert [trial.values for trial in store.read("a").trials] == [[math.inf, -math.inf], [1.0, 2.0]]
    with plain(store) as storage:
        study = optuna.load_study(study_name="a", storage=storage)
        assert [trial.values for trial in study.get_trials()] == [[math.inf, -math.inf], [1.0, 2.0]]
    with pytest.raises(UserError, match="has the goals minimize, maximize, not minimize"):
        store.session("a", ["minimize"])


def test_a_waiting_trial_that_ran_has_its_start(location):
    store = open_store(location)
    with store.session("a", ["minimize"]) as session:
        session.study.enqueue_trial({"x": 0.5})
        session.commit()
        session.study.tell(session.study.ask(), 1.0)
        session.commit()
        inside = session.study.get_trials()
    assert inside[0].datetime_start is not None
    assert [shown(trial) for trial in store.read("a").trials] == [shown(trial) for trial in inside]


def test_a_live_study_cannot_be_run_or_deleted_by_a_second_session(location):
    store = open_store(location)
    assert store.running("a") is None
    with store.session("a", ["minimize"]) as session:
        session.study.ask()
        session.commit()
        assert f"process {os.getpid()} on " in store.running("a")
        with pytest.raises(UserError, match=rf"run by process {os.getpid()} on .*follow it with: hpo status a"):
            open_store(location).session("a", ["minimize"])
        with pytest.raises(UserError, match="run by process"):
            store.delete("a")
        with open_store(location).session("b", ["minimize"]) as other:
            other.study.ask()
            other.commit()
    assert store.running("a") is None
    assert store.names() == ["a", "b"]


def test_deleting_removes_one_study_and_nothing_else(location):
    store = open_store(location)
    for name in ("a", "b"):
        add(store, name, 2)
    store.delete("a")
    assert store.names() == ["b"]
    assert store.read("a") is None
    assert len(store.read("b").trials) == 2
    with pytest.raises(UserError, match="there is no study 'a'"):
        store.delete("a")
    add(store, "a", 1)
    with plain(store) as storage:
        assert len(optuna.load_study(study_name="a", storage=storage).get_trials()) == 1


def test_a_missing_study_is_made_only_on_request(location):
    store = open_store(location)
    add(store, "digits", 1)
    with pytest.raises(UserError, match=r"there is no study 'digit' .*did you mean 'digits'"):
        store.session("digit", ["minimize"], create=False)


def test_who_asks_for_a_stop_is_seen_by_who_runs_the_study_as_long_as_he_asks(location):
    runs, asks = open_store(location), open_store(location)
    add(runs, "a", 1)
    with runs.session("a", ["minimize"]):
        assert runs.asked_to_stop("a") is None
        with asks.ask_to_stop("a"):
            assert "process" in (runs.asked_to_stop("a") or "")
            assert runs.asked_to_stop("b") is None
            with pytest.raises(Busy), open_store(location).ask_to_stop("a"):
                pass
        assert runs.asked_to_stop("a") is None
    assert runs.names() == ["a"], "nothing is stored of it"
