"""Make the stores in this folder with the code of an earlier revision, and record how that code goes on with them.

    PYTHONPATH=CHECKOUT/src python tests/store/before/make.py

``studies.sql`` and ``studies.journal`` hold the studies of the files beside them; the one called interrupted was
killed. ``expected.json`` is what ``hpo show --json`` said of each then, and after the same code had continued it,
without what the clock and the machine decide. The interrupted study, continued, had become what it is when it is never
interrupted. The folder in all of them is ``/tmp/study``, for which the test puts its own. They were made at 10e43fd.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FOLDER = Path("/tmp/study")
MORE = {
    "finished": ["--trials", "8"],
    "interrupted": [],
    "goals": ["--trials", "9"],
    "failed": ["--trials", "9"],
    "warm": ["--trials", "7"],
}
"""Studies in the order in which they are made, and what continues each."""
POINTS_TO_LIVE = 22
CONFIRM = " (confirm)"
OF_THE_MACHINE = ("seconds", "running", "task", "traceback", "versions")


def hpo(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a folder."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "hpo", *words], cwd=folder, env=environment, capture_output=True, text=True
    )


def shown(folder: Path, store: str) -> dict[str, Any]:
    """What ``hpo show --json`` says of every study, the fresh runs included."""
    found = {}
    for name in [name + tail for name in MORE for tail in ("", CONFIRM)]:
        done = hpo(folder, "show", name, "--storage", store, "--json")
        if done.returncode == 0:
            found[name] = without(json.loads(done.stdout))
    return found


def without(said: Any) -> Any:
    """What was said without what the clock and the machine decide."""
    if isinstance(said, dict):
        return {key: without(value) for key, value in said.items() if key not in OF_THE_MACHINE}
    return [without(value) for value in said] if isinstance(said, list) else said


def text_of(store: Path) -> str:
    """A journal as it is, a database as the statements that make it."""
    if store.suffix == ".journal":
        return store.read_text()
    with contextlib.closing(sqlite3.connect(store)) as connection:
        return "\n".join(connection.iterdump()) + "\n"


def main() -> None:
    """Make all of it."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    for path in [HERE / "own.py", *HERE.glob("*.yaml")]:
        shutil.copy(path, FOLDER)
    expected = []
    for store, kept in (("studies.db", "studies.sql"), ("studies.journal", "studies.journal")):
        for name in MORE:
            if name == "interrupted":
                (FOLDER / "points-to-live").write_text(str(POINTS_TO_LIVE))
            done = hpo(FOLDER, "run", f"{name}.yaml", "--storage", store, "--quiet")
            assert (done.returncode == 0) == (name != "interrupted"), done.stderr
        (HERE / kept).write_text(text_of(FOLDER / store))
        before = shown(FOLDER, store)
        for name, words in MORE.items():
            done = hpo(FOLDER, "run", f"{name}.yaml", "--storage", store, "--quiet", *words)
            assert done.returncode == 0, done.stderr
        expected.append({"shown": before, "continued": shown(FOLDER, store)})
    assert expected[0] == expected[1]
    hpo(FOLDER, "run", "interrupted.yaml", "--storage", "whole.db", "--quiet")
    for name, report in shown(FOLDER, "whole.db").items():
        assert report == expected[0]["continued"][name]
    lines = []
    for part, reports in expected[0].items():
        said = ",\n".join(f"{json.dumps(name)}: {json.dumps(report)}" for name, report in reports.items())
        lines.append(f"{json.dumps(part)}: {{\n{said}\n}}")
    (HERE / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
