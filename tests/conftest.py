"""Settings and fixtures for all tests."""

from __future__ import annotations

import compileall
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from rays import QUIET, Cluster
from stores import fresh_database, server

from hpo.search.studyfile.reader import read
from hpo.search.terms.errors import StudyFileError
from hpo.search.terms.study import Study
from hpo.search.terms.threads import REPRODUCIBLE, set_environment

set_environment(REPRODUCIBLE)

if sys.dont_write_bytecode and "PYTEST_XDIST_WORKER" not in os.environ:
    # Hundreds of processes are started, each of which would compile all that it imports. What tests write themselves
    # stays uncompiled: bytecode is told from a file's second and size, which two versions of it may share.
    for room in ("search", "objectives"):
        compileall.compile_dir(Path(__file__).parents[1] / room, quiet=2)

# Tests started under nohup or in the background would hand ignored signals on to the commands that they try.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

_state = tempfile.TemporaryDirectory(prefix="hpo-state-")
os.environ["XDG_STATE_HOME"] = _state.name  # the key of the user who runs the tests stays as it is

# A busy machine is no failure: what takes how long is measured under benchmarks/.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., Study]:
    """Reads the text of a study file."""

    def of(text: str, overrides: Sequence[tuple[str, str]] = ()) -> Study:
        (tmp_path / "s.yaml").write_text(text)
        return read(tmp_path / "s.yaml", overrides)

    return of


@pytest.fixture
def mistakes(tmp_path: Path) -> Callable[..., list[str]]:
    """``line:column message | hint`` of each mistake in the text of a study file; a flag's begins with the flag."""

    def of(text: str | bytes, overrides: Sequence[tuple[str, str]] = ()) -> list[str]:
        (tmp_path / "s.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(StudyFileError) as caught:
            read(tmp_path / "s.yaml", overrides)
        shown = []
        for mistake in caught.value.mistakes:
            flag = f"{mistake.source}:" if mistake.source.startswith("--") else ""
            hint = f" | {mistake.hint}" if mistake.hint else ""
            shown.append(f"{flag}{mistake.line}:{mistake.column} {mistake.message}{hint}")
        return shown

    return of


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Any]:
    """Evaluates an expression of the test's own module in a fresh process, in which sets and dicts are hashed anew."""

    def evaluate(expression: str) -> Any:
        path = request.path
        code = f"import json, sys, {path.stem} as t; json.dump(eval({expression!r}, vars(t)), sys.stderr)"
        folders = [str(path.parent), str(Path(__file__).parent), *filter(None, sys.path)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "PYTHONHASHSEED": "7"}
        command = [sys.executable, "-W", "ignore", "-c", code]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stderr.splitlines()[-1])

    return evaluate


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """Directory of the socket of a private PostgreSQL server."""
    with server("-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off") as folder:
        yield folder


@pytest.fixture(scope="session")
def nodes() -> Iterator[Cluster]:
    """A Ray cluster of two nodes, which the executor ray finds as a user's."""
    pytest.importorskip("ray", reason="Ray is not installed (extra: ray)")
    cluster, before = Cluster(), dict(os.environ)
    try:
        cluster.start("one")
        cluster.start("two")
        os.environ.update(QUIET, RAY_ADDRESS=cluster.address)
        yield cluster
    finally:
        os.environ.clear()
        os.environ.update(before)
        cluster.close()


@pytest.fixture(autouse=True)
def on_nodes(request: pytest.FixtureRequest) -> None:
    """The cluster is there for what is marked ``ray``."""
    if request.node.get_closest_marker("ray") is not None:
        request.getfixturevalue("nodes")


@pytest.fixture(params=["sqlite", "journal", pytest.param("postgres", marks=pytest.mark.postgres)])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh place for studies, of each kind."""
    if request.param == "postgres":
        return fresh_database(request.getfixturevalue("cluster"))
    return str(tmp_path / ("studies.db" if request.param == "sqlite" else "studies.journal"))
