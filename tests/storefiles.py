"""What the tests of stores in files share."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

from hpo.search.store import open_store

FILES = ["studies.db", "studies.journal"]


def run_python(code: str, *args: object) -> subprocess.CompletedProcess[str]:
    """Run code in a new interpreter."""
    script = textwrap.dedent(code)
    return subprocess.run([sys.executable, "-c", script, *map(str, args)], capture_output=True, text=True, timeout=120)


def add(path: Path, count: int = 1, name: str = "a") -> None:
    """Add finished trials to a study in a file."""
    with open_store(path).session(name, ["minimize"]) as session:
        for _ in range(count):
            trial = session.study.ask()
            trial.suggest_float("x", 0, 1)
            session.commit()
            trial.report(1.0, 1)
            trial.set_user_attr("note", "é")
            session.study.tell(trial, 1.0)
            session.commit()
