"""What the tests of stores share: places, trials to keep in them, and how plain Optuna sees them."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis.strategies as st
import optuna
import pytest
from hypothesis import HealthCheck, settings
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpo.search.store import Store

optuna.logging.set_verbosity(optuna.logging.WARNING)


@contextmanager
def server(options: str) -> Iterator[str]:
    """A private PostgreSQL server; gives its folder, which may stand in the options as ``{folder}``."""
    if not (_binaries() / "initdb").exists():
        pytest.skip("no PostgreSQL server binaries")
    pytest.importorskip("psycopg")
    folder = tempfile.mkdtemp(prefix="hpo-pg-")
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    _postgres(folder, "initdb", "-U", "hpo", "--auth=trust", "--no-sync")
    Path(folder, "options").write_text(options.format(folder=folder))
    start_server(folder)
    try:
        yield folder
    finally:
        if _postgres(folder, "pg_ctl", "status", check=False) == 0:
            _postgres(folder, "pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(folder)


def start_server(folder: str) -> None:
    """Start a server, again too: after a crash, once what it has left behind is gone."""
    words = ("-w", "-l", f"{folder}/log", "-o", Path(folder, "options").read_text(), "start")
    until = time.monotonic() + 60
    while _postgres(folder, "pg_ctl", *words, check=time.monotonic() > until):
        time.sleep(0.2)


def crash_server(folder: str) -> None:
    """End a server as a failing machine does: by SIGKILL of its first process."""
    os.kill(int(Path(folder, "data", "postmaster.pid").read_text().split()[0]), signal.SIGKILL)


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [Path(shutil.which("initdb") or "/missing").parent]
    return found[-1]


def _postgres(folder: str, program: str, *words: str, check: bool = True) -> int:
    become = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    command = [*become, _binaries() / program, "-D", f"{folder}/data", *words]
    return subprocess.run(command, check=check, capture_output=True, cwd="/").returncode


def fresh_database(folder: str) -> str:
    """Make a database in the server whose socket is in a folder; return its URL."""
    import psycopg

    name = f"d{time.time_ns()}"
    with psycopg.connect(f"postgresql://hpo@/postgres?host={folder}", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql://hpo:secret@/{name}?host={folder}"


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
quick = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""For properties that open a store: examples are few, and all of a test are in one place."""


@st.composite
def trials(draw: st.DrawFn) -> FrozenTrial:
    """Any trial that Optuna can hold."""
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
