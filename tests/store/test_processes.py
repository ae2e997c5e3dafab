"""Stores under several processes, and under one that is killed.

Run as a program, this file is the process that gets killed: ``python test_store_processes.py COMMAND LOCATION ...``.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import optuna
import pytest
from optuna.trial import TrialState
from stores import plain, shown

from hpo.search.store import open_store
from hpo.search.terms.errors import HpoError

optuna.logging.set_verbosity(optuna.logging.WARNING)


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


def test_two_writers_stopped_continued_and_killed_at_random_lose_nothing(location):
    assert program("storm", location, "8") == ["ok"]


@pytest.mark.slow
def test_two_writers_under_many_signals_lose_nothing(location):
    assert program("storm", location, "120") == ["ok"]


# --- the program --------------------------------------------------------------


def program(*args: str) -> list[str]:
    """Run this file and return the lines it prints."""
    shared = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}  # what several test files share is found there too
    done = subprocess.run([sys.executable, __file__, *args], capture_output=True, text=True, timeout=900, env=shared)
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


def work(location: str, say: int, name: str = "study") -> None:
    """Run trials for ever; two units a trial; report each that is committed."""
    with open_store(location).session(name, ["minimize"]) as session:
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
    import alembic.command  # noqa: F401 - half of the time it takes to make PostgreSQL's tables

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
        deadline = time.monotonic() + 60  # a server notices a lost process in its own time
        while store.running("study") and time.monotonic() < deadline:
            time.sleep(0.01)
        assert store.running("study") is None
    with plain(store) as storage:
        trials = optuna.load_study(study_name="study", storage=storage).get_trials()
    assert [shown(trial) for trial in trials] == [shown(trial) for trial in store.read("study").trials]
    print("ok")


def storm(location: str, times: str) -> None:
    """Two processes write two studies; one of them is stopped for a while, or killed, again and again."""
    store, names, confirmed = open_store(location), ("one", "two"), {"one": -1, "two": -1}
    running: dict[str, tuple[int, int]] = {}

    def begin(name: str) -> None:
        results, say = os.pipe()
        if (pid := os.fork()) == 0:
            work(location, say, name)
        os.close(say)
        running[name] = pid, results

    def end(name: str) -> None:
        pid, results = running.pop(name)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with os.fdopen(results) as lines:
            confirmed[name] = max([confirmed[name], *map(int, lines)])
        deadline = time.monotonic() + 60  # a server notices a lost process in its own time
        while store.running(name) and time.monotonic() < deadline:
            time.sleep(0.01)

    for name in names:
        begin(name)
    while any(store.read(name) is None for name in names):  # the tables are made
        time.sleep(0.05)
    for _ in range(int(times)):
        time.sleep(random.uniform(0.02, 0.2))
        name = random.choice(names)
        if random.random() < 0.5:
            os.kill(running[name][0], signal.SIGSTOP)
            time.sleep(random.uniform(0.05, 0.5))
            os.kill(running[name][0], signal.SIGCONT)
        else:
            end(name)
            begin(name)
    for name in names:
        time.sleep(0.3)
        end(name)
    for name in names:
        trials = store.read(name).trials
        assert [trial.number for trial in trials] == list(range(len(trials)))
        complete = {trial.number for trial in trials if trial.state == TrialState.COMPLETE}
        assert complete >= set(range(confirmed[name] + 1))
        assert len(trials) - len(complete) <= 1
        assert all(set(trial.params) == set("xyz") for trial in trials)
        with plain(store) as storage:
            seen = optuna.load_study(study_name=name, storage=storage).get_trials()
        assert [shown(trial) for trial in seen] == [shown(trial) for trial in trials]
    print("ok")


if __name__ == "__main__":
    {"start": start, "kill": kill, "storm": storm}[sys.argv[1]](*sys.argv[2:])
