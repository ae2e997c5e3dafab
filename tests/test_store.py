"""What every kind of store keeps: SQLite, Optuna journal, PostgreSQL.

Run as a program, this file is the process that gets killed: ``python test_store.py COMMAND LOCATION ...``.
"""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
import wsgiref.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis.strategies as st
import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpo.search.errors import HpoError, StoreError, UserError
from hpo.search.store import Store, open_store

optuna.logging.set_verbosity(optuna.logging.WARNING)


# --- the places ---------------------------------------------------------------


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """Directory of the socket of a private PostgreSQL server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [Path(shutil.which("initdb") or "/missing").parent]
    bin = found[-1]
    if not (bin / "initdb").exists():
        pytest.skip("no PostgreSQL server binaries")
    pytest.importorskip("psycopg")
    folder = tempfile.mkdtemp(prefix="hpo-pg-")
    become = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if become:
        shutil.chown(folder, "postgres")

    def run(program: str, *args: str) -> None:
        subprocess.run(
            [*become, bin / program, "-D", f"{folder}/data", *args], check=True, capture_output=True, cwd="/"
        )

    run("initdb", "-U", "hpo", "--auth=trust", "--no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
    run("pg_ctl", "-w", "-l", f"{folder}/log", "-o", options, "start")
    try:
        yield folder
    finally:
        run("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "journal", pytest.param("postgres", marks=pytest.mark.postgres)])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh place."""
    if request.param == "postgres":
        return fresh_database(request.getfixturevalue("cluster"))
    return str(tmp_path / ("studies.db" if request.param == "sqlite" else "studies.journal"))


def fresh_database(folder: str) -> str:
    import psycopg

    name = f"d{time.time_ns()}"
    with psycopg.connect(f"postgresql://hpo@/postgres?host={folder}", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql://hpo:secret@/{name}?host={folder}"


# --- trials to keep -----------------------------------------------------------

DISTRIBUTIONS = {
    "f": FloatDistribution(-1.0, 1.0),
    "log": FloatDistribution(1e-5, 1e-1, log=True),
    "step": FloatDistribution(0.0, 1.0, step=0.25),
    "i": IntDistribution(1, 128, log=True),
    "choice": CategoricalDistribution((None, True, 1.5, "relu", 3)),
}
floats = st.floats().map(lambda x: x + 0.0)  # SQLite keeps no negative zero
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
data = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=4,
)
attrs = st.dictionaries(texts, data, max_size=3)


@st.composite
def trials(draw: st.DrawFn) -> FrozenTrial:
    values = {
        "f": draw(st.floats(-1, 1)) + 0.0,
        "log": draw(st.floats(1e-5, 1e-1)),
        "step": draw(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])),
        "i": draw(st.integers(1, 128)),
        "choice": draw(st.sampled_from(DISTRIBUTIONS["choice"].choices)),
    }
    names = draw(st.sets(st.sampled_from(sorted(values))))
    state = draw(st.sampled_from(list(TrialState)))
    number = floats.filter(lambda x: not math.isnan(x))
    return create_trial(
        state=state,
        value=draw({TrialState.COMPLETE: number, TrialState.FAIL: st.none()}.get(state, st.none() | number)),
        params={name: values[name] for name in names},
        distributions={name: DISTRIBUTIONS[name] for name in names},
        user_attrs=draw(attrs),
        system_attrs=draw(attrs),
        intermediate_values=draw(st.dictionaries(st.integers(0, 1000), floats, max_size=4)),
    )


def shown(trial: FrozenTrial) -> object:
    """Everything of a trial but its id in the storage, comparable although NaN is not."""
    return json.dumps(
        [
            trial.number,
            trial.state.name,
            trial.values,
            str(trial.datetime_start),
            str(trial.datetime_complete),
            trial.params,
            {name: repr(distribution) for name, distribution in trial.distributions.items()},
            sorted(trial.intermediate_values.items()),
            trial.user_attrs,
            trial.system_attrs,
        ],
        sort_keys=True,
    )


@contextmanager
def plain(store: Store) -> Iterator[optuna.storages.BaseStorage]:
    """The place as plain Optuna sees it; its connections closed afterwards."""
    storage = store.storage()
    try:
        yield storage
    finally:
        if hasattr(storage, "_backend") and hasattr(storage._backend, "engine"):
            storage._backend.remove_session()
            storage._backend.engine.dispose()


def add(store: Store, name: str, count: int) -> None:
    """Run some small trials."""
    with store.session(name, ["minimize"]) as session:
        for _ in range(count):
            trial = session.study.ask()
            x = trial.suggest_float("x", 0, 1)
            for step in range(3):
                trial.report(x + step, step)
            session.study.tell(trial, x)
            session.commit()


quick = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


# --- tests --------------------------------------------------------------------


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
    assert store.read("a").trials == []


def test_points_are_written_within_a_second_while_the_main_thread_is_busy(location):
    store = open_store(location)
    with store.session("a", ["minimize"]) as session:
        trial = session.study.ask()
        session.commit()
        trial.report(0.5, 1)
        session.commit()
        deadline = time.monotonic() + 20  # for a busy machine; a second is the aim
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


def test_processes_that_start_at_once_on_a_fresh_place_all_run_their_studies(location):
    assert program("start", location, "own") == ["ok"] * 8
    assert sorted(open_store(location).names()) == [f"study-{i}" for i in range(8)]


def test_of_processes_that_start_the_same_study_exactly_one_runs_it(location):
    told = program("start", location, "same")
    assert told.count("ok") == 1
    assert sum("study 'study' is being run by process" in line for line in told) == 7


def test_a_kill_at_any_moment_loses_nothing_and_shows_no_half_unit(location):
    assert program("kill", location, "4") == ["ok"]


@pytest.mark.slow
def test_many_kills_at_any_moment_lose_nothing_and_show_no_half_unit(location):
    assert program("kill", location, "50") == ["ok"]


# --- PostgreSQL only ----------------------------------------------------------


@pytest.mark.postgres
def test_a_server_that_goes_away_ends_the_session_with_a_reason(cluster):
    import psycopg

    location = fresh_database(cluster)
    session = open_store(location).session("a", ["minimize"])
    session.study.ask()
    session.commit()
    with psycopg.connect(location, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()"
        )
    session.study.tell(0, 1.0)
    with pytest.raises(StoreError, match="check the server and run again"):
        session.commit()
    with pytest.raises(StoreError, match="check the server and run again"):
        session.close()
    with open_store(location).session("a", ["minimize"]) as again:
        assert [trial.state for trial in again.study.get_trials()] == [TrialState.RUNNING]


@pytest.mark.postgres
def test_a_user_who_may_not_make_tables_is_told_so(cluster):
    import psycopg

    location = fresh_database(cluster)
    with psycopg.connect(location, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE guest{os.getpid()} LOGIN")
        connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        connection.execute(f"GRANT USAGE ON SCHEMA public TO guest{os.getpid()}")
    with pytest.raises(UserError, match="permission denied for schema public; give the user the right") as caught:
        open_store(location.replace("hpo:secret", f"guest{os.getpid()}:secret")).session("a", ["minimize"])
    assert "secret" not in str(caught.value)


@pytest.mark.postgres
def test_a_database_that_does_not_exist_is_named_without_the_password(cluster):
    with pytest.raises(UserError, match=r"postgresql://hpo@.*/missing: .*check host") as caught:
        open_store(f"postgresql://hpo:secret@/missing?host={cluster}").names()
    assert "secret" not in str(caught.value)


# --- the program --------------------------------------------------------------


def program(*args: str) -> list[str]:
    """Run this file and return the lines it prints."""
    done = subprocess.run([sys.executable, __file__, *args], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def start(location: str, which: str) -> None:
    """Start eight processes at once; each says how it went."""
    read, write = os.pipe()
    results, say = os.pipe()
    pids = []
    for i in range(8):
        if (pid := os.fork()) == 0:
            os.close(write)
            os.read(read, 1)  # until everybody is there
            try:
                with open_store(location).session(
                    "study" if which == "same" else f"study-{i}", ["minimize"]
                ) as session:
                    session.study.ask()
                    session.commit()
                    time.sleep(2 if which == "same" else 0)
                os.write(say, b"ok\n")
            except HpoError as error:
                os.write(say, f"{error}\n".encode())
            os._exit(0)
        pids.append(pid)
    os.close(write)
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0
    os.close(say)
    with os.fdopen(results) as lines:
        print(lines.read(), end="")


def work(location: str, say: int) -> None:
    """Run trials for ever; two units a trial; report each that is committed."""
    with open_store(location).session("study", ["minimize"]) as session:
        study = session.study
        left = [trial.number for trial in study.get_trials() if trial.state == TrialState.RUNNING]
        while True:
            trial = optuna.Trial(study, left.pop()) if left else study.ask()
            for name in "xyz":
                trial.suggest_float(name, 0, 1)
            trial.set_user_attr("text", "long " * 500)  # units larger than a page
            session.commit()
            for step in range(4):
                trial.report(step, step)
            study.set_user_attr("done", trial.number)
            study.tell(trial, 1.0)
            session.commit()
            os.write(say, f"{trial.number}\n".encode())


def kill(location: str, times: str) -> None:
    """Kill a working process again and again, and look at what it left."""
    import alembic.command  # noqa: F401 - half of the time it takes to make the tables

    store, confirmed, rounds, patience = open_store(location), -1, 0, 1
    while rounds < int(times):
        results, say = os.pipe()
        if (pid := os.fork()) == 0:
            work(location, say)
        os.close(say)
        time.sleep(random.uniform(0.05, 0.4) * patience)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with os.fdopen(results) as lines:
            numbers = [int(line) for line in lines]
        confirmed = max([confirmed, *numbers])
        if confirmed >= 0:
            rounds, patience = rounds + 1, 1
        else:
            patience *= 2  # it did not even live to see the tables made
        snapshot = store.read("study")
        if snapshot is None:
            assert confirmed == -1
            continue
        assert [trial.number for trial in snapshot.trials] == list(range(len(snapshot.trials)))
        assert len(snapshot.trials) > confirmed
        complete = {trial.number for trial in snapshot.trials if trial.state == TrialState.COMPLETE}
        assert len(snapshot.trials) - len(complete) <= 1
        assert complete >= set(range(confirmed + 1))
        for trial in snapshot.trials:
            assert set(trial.params) == set("xyz")
            assert set(trial.user_attrs) == {"text"}
            assert len(trial.intermediate_values) == (4 if trial.number in complete else 0)
        assert snapshot.user_attrs.get("done") == max(complete, default=None)
        deadline = time.monotonic() + 10  # a server notices a lost process in its own time
        while store.running("study") and time.monotonic() < deadline:
            time.sleep(0.01)
        assert store.running("study") is None
    with plain(store) as storage:
        trials = optuna.load_study(study_name="study", storage=storage).get_trials()
    assert [shown(trial) for trial in trials] == [shown(trial) for trial in store.read("study").trials]
    print("ok")


if __name__ == "__main__":
    {"start": start, "kill": kill}[sys.argv[1]](*sys.argv[2:])
