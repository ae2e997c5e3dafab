"""Every kind of store beside plain Optuna and its dashboard: what one writes the other reads."""

from __future__ import annotations

import json
import sqlite3
import uuid
import wsgiref.util
from contextlib import closing
from pathlib import Path

import hypothesis.strategies as st
import optuna
import pytest
import sqlalchemy
from hypothesis import given
from optuna.storages._rdb import models
from optuna.trial import TrialState, create_trial
from stores import add, attrs, plain, quick, shown, trials

from hpo.search.store import open_store
from hpo.search.terms.errors import StoreError

optuna.logging.set_verbosity(optuna.logging.WARNING)


def tables(path: Path) -> tuple[dict[tuple[str, str], str], list[object]]:
    """What an SQLite file is made of, white space aside, and the rows that say of which version it is."""
    with closing(sqlite3.connect(path)) as connection:
        made = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        rows = [connection.execute(f"SELECT * FROM {name}").fetchall() for name in ("version_info", "alembic_version")]
    return {(kind, name): " ".join((sql or "").split()) for kind, name, sql in made}, rows


def test_a_new_file_has_the_tables_that_optuna_makes(tmp_path):
    optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'theirs.db'}").engine.dispose()
    open_store(tmp_path / "ours.db").session("a", ["minimize"]).close()
    assert tables(tmp_path / "ours.db") == tables(tmp_path / "theirs.db")


def test_tables_that_optuna_has_begun_with_are_completed(tmp_path):
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 's.db'}")
    models.StudyModel.__table__.create(engine)
    engine.dispose()
    add(open_store(tmp_path / "s.db"), "a", 2)
    with plain(open_store(tmp_path / "s.db")) as storage:
        assert len(optuna.load_study(study_name="a", storage=storage).trials) == 2


@quick
@given(st.lists(trials(), max_size=5), attrs, attrs)
def test_what_we_write_plain_optuna_reads(location, listed, user, system):
    store, name = open_store(location), f"s{uuid.uuid4()}"
    with store.session(name, ["minimize"]) as session:
        for key, value in user.items():
            session.study.set_user_attr(key, value)
        for key, value in system.items():
            session.study._storage.set_study_system_attr(0, key, value)
        session.study.add_trials(listed)
        session.commit()
        inside = session.study.get_trials()
    snapshot = store.read(name)
    assert [shown(trial) for trial in snapshot.trials] == [shown(trial) for trial in inside]
    with plain(store) as storage:
        study = optuna.load_study(study_name=name, storage=storage)
        assert [shown(trial) for trial in study.get_trials()] == [shown(trial) for trial in inside]
        assert study.user_attrs == snapshot.user_attrs == user
        assert storage.get_study_system_attrs(study._study_id) == snapshot.system_attrs == system
        assert len(study.trials_dataframe()) == len(listed)


@quick
@given(st.lists(trials(), max_size=5), attrs)
def test_what_plain_optuna_writes_we_read_and_go_on_with(location, listed, user):
    store, name = open_store(location), f"s{uuid.uuid4()}"
    with plain(store) as storage:
        study = optuna.create_study(study_name=name, storage=storage, direction="maximize")
        for key, value in user.items():
            study.set_user_attr(key, value)
        study.add_trials(listed)
        snapshot = store.read(name)
        assert snapshot.directions == ("maximize",)
        assert snapshot.user_attrs == user
        assert [shown(trial) for trial in snapshot.trials] == [shown(trial) for trial in study.get_trials()]
    with store.session(name, ["maximize"]) as session:
        session.study.add_trial(create_trial(value=1.0))
        session.commit()
    with plain(store) as storage:
        again = optuna.load_study(study_name=name, storage=storage)
        assert [trial.number for trial in again.get_trials()] == list(range(len(listed) + 1))


@quick
@given(st.lists(trials(), min_size=1, max_size=3))
def test_trials_written_bit_by_bit_equal_trials_written_at_once(location, listed):
    store, name = open_store(location), f"s{uuid.uuid4()}"
    with store.session(name, ["minimize"]) as session:
        storage = session.study._storage
        session.commit()
        for template in listed:
            if template.state == TrialState.WAITING:
                continue
            id = storage.create_new_trial(0)
            session.commit()
            for key, distribution in template.distributions.items():
                storage.set_trial_param(id, key, distribution.to_internal_repr(template.params[key]), distribution)
                session.commit()
            for step, value in template.intermediate_values.items():
                storage.set_trial_intermediate_value(id, step, value)
            for key, value in template.user_attrs.items():
                storage.set_trial_user_attr(id, key, "an earlier value")
                session.commit()
                storage.set_trial_user_attr(id, key, value)
            for key, value in template.system_attrs.items():
                storage.set_trial_system_attr(id, key, value)
            if template.state != TrialState.RUNNING:
                storage.set_trial_state_values(id, template.state, template.values)
            session.commit()
        inside = session.study.get_trials()
    assert [shown(trial) for trial in store.read(name).trials] == [shown(trial) for trial in inside]
    with plain(store) as storage:
        study = optuna.load_study(study_name=name, storage=storage)
        assert [shown(trial) for trial in study.get_trials()] == [shown(trial) for trial in inside]


def test_trials_that_another_program_adds_to_a_live_study_are_noticed(location):
    store = open_store(location)
    session = store.session("a", ["minimize"])
    session.study.ask()
    session.commit()
    with plain(store) as storage:
        optuna.load_study(study_name="a", storage=storage).ask()
    session.study.ask()
    with pytest.raises(StoreError, match="another program added trials"):
        session.commit()
    with pytest.raises(StoreError, match="another program added trials"):
        session.close()
    add(store, "a", 1)
    assert [trial.number for trial in store.read("a").trials] == [0, 1, 2]


def test_a_study_deleted_under_a_live_session_is_noticed(location):
    store = open_store(location)
    session = store.session("a", ["minimize"])
    session.study.ask()
    session.commit()
    with plain(store) as storage:
        optuna.delete_study(study_name="a", storage=storage)
    session.study.ask()
    with pytest.raises(StoreError, match="was deleted or replaced"):
        session.commit()
    with pytest.raises(StoreError, match="was deleted or replaced"):
        session.close()


def test_attributes_that_the_dashboard_writes_meanwhile_stay(location):
    store = open_store(location)
    with store.session("a", ["minimize"]) as session:
        session.study.ask()
        session.commit()
        with plain(store) as storage:
            optuna.load_study(study_name="a", storage=storage).set_user_attr("note", "mine")
        session.study.set_user_attr("ours", 1)
        session.commit()
    assert store.read("a").user_attrs == {"note": "mine", "ours": 1}


def test_the_dashboard_shows_a_study(location):
    from optuna_dashboard import wsgi

    store = open_store(location)
    add(store, "a", 3)

    def get(path: str) -> dict:
        environ = {"PATH_INFO": path}
        wsgiref.util.setup_testing_defaults(environ)
        return json.loads(b"".join(app(environ, lambda status, headers, exc_info=None: None)))

    with plain(store) as storage:
        app = wsgi(storage)
        [summary] = get("/api/studies")["study_summaries"]
        assert summary["study_name"] == "a"
        detail = get(f"/api/studies/{summary['study_id']}")
    assert [trial["state"] for trial in detail["trials"]] == ["Complete"] * 3
    assert [len(trial["intermediate_values"]) for trial in detail["trials"]] == [3] * 3
