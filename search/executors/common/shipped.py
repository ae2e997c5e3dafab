"""What a node of a cluster needs to train a study: its folder, sent as an archive, and the same versions as here.

The cluster's own ways of sending code have limits of size, take one folder for all that a process does, and were seen
to remove it under workers that stood in it. So the folder is packed here, and each worker unpacks its own copy.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import io
import os
import sqlite3
import sys
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hpo.search.describe.metric import file_of
from hpo.search.describe.objective import describe
from hpo.search.describe.program import COMMAND
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Task

EXCLUDED = (".*", "__pycache__", "venv", "node_modules", "*.egg-info", "*.pyc")
"""Names in a study's folder that no node needs: what is hidden (.git, .venv, .hpo) and caches; stores neither."""

_BESIDE = ("-wal", "-shm", "-journal", ".lock")
"""What lies beside a store under its name."""

LARGEST = 200
"""MiB that a study's folder may have, for each worker has a copy."""

_COMPARED = ("hpo-suite", "torch", "numpy", "scikit-learn", "optuna")


def home_of(task: Task) -> str | None:
    """The folder that is shipped: the study's, where its objective, data, weights or metric lie in it; else None."""
    home, told = os.path.abspath(task.folder), describe(task.objective, Path(task.folder))
    if told.kind == "builtin":
        return home if any(_inside(path, home) for path in _paths(task)) else None
    return home if told.path is None or _inside(str(told.path), home) else None


def paths_of(data: Any) -> Iterator[str]:
    """Absolute paths that a study's ``data`` names."""
    if isinstance(data, str) and os.path.isabs(data):
        yield data
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from paths_of(value)
    elif isinstance(data, (list, tuple)):
        for value in data:
            yield from paths_of(value)


def _paths(task: Task) -> Iterator[str]:
    """Absolute paths of a task's data, weights and metric."""
    return paths_of([task.data, task.start_from, None if task.metric is None else str(file_of(task.metric))])


def pack(home: str) -> bytes:
    """The folder as an archive, links as links.

    Raises:
        UserError: it is larger than may be sent, or cannot be read.
    """
    packed, sizes, total = io.BytesIO(), list[tuple[int, str]](), 0

    def wanted(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
        nonlocal total
        name = os.path.basename(info.name)
        if (info.name != "." and any(fnmatch.fnmatch(name, pattern) for pattern in EXCLUDED)) or info.isdev():
            return None
        if info.isreg() and _of_store(Path(home, info.name)):
            return None
        total += info.size
        sizes.append((info.size, info.name))
        if total > LARGEST << 20:
            size, largest = max(sizes)
            raise UserError(
                f"the study's folder {home} is to be sent to each worker, and is larger than {LARGEST} MiB (the "
                f"largest file so far: {largest}, {size >> 20} MiB); keep what is large elsewhere, under a path that "
                "every node has, or say executor: {ray: {ship: no}} where all nodes see this folder"
            )
        return info

    try:
        with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
            archive.add(home, arcname=".", filter=wanted)
    except OSError as error:
        raise UserError(f"the study's folder cannot be sent: {error.strerror or error}: {error.filename}") from error
    return packed.getvalue()


def _of_store(path: Path) -> bool:
    """Whether a file is a store of studies, or lies beside one; by what is in it, for data may be called so too."""
    for ending in _BESIDE:
        if path.name.endswith(ending) and _is_store(path.with_name(path.name.removesuffix(ending))):
            return True
    return _is_store(path)


def _is_store(path: Path) -> bool:
    """Whether a file is Optuna's SQLite database or journal."""
    try:
        with path.open("rb") as file:
            head = file.read(100)
        if head.startswith(b"SQLite format 3"):
            with contextlib.closing(
                sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=1.0)
            ) as opened:
                found = opened.execute("SELECT 1 FROM sqlite_master WHERE name = 'trial_intermediate_values'")
                return found.fetchone() is not None
    except (OSError, sqlite3.Error):
        return False
    return head.startswith(b'{"op_code"') or (head.startswith(b"{") and b'"op_code"' in head)


def unpack(packed: bytes, here: str) -> None:
    """Lay the folder down on a node."""
    os.makedirs(here)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(here, filter="tar")


def moved(task: Task, home: str, here: str) -> Task:
    """The same task where the study's folder ``home`` lies at ``here``."""
    objective = task.objective
    if not objective.startswith(COMMAND) and _inside(objective, home):
        objective = _moved(objective, home, here)
    return replace(
        task,
        objective=objective,
        folder=here,
        data=_moved_data(task.data, home, here),
        start_from=_moved_data(task.start_from, home, here),
        metric=_moved_data(task.metric, home, here),
    )


def missing(task: Task) -> list[str]:
    """Paths that the task names and that are not there."""
    told = task.objective.partition(".py:")
    path = told[0] + (".py" if told[1] else "")
    paths = [*([path] if os.path.isabs(path) else []), *_paths(task)]
    return [path for path in paths if not os.path.exists(path)]


def fingerprint(task: Task, *, shipped: bool) -> dict[str, str]:
    """What must be the same on every node: versions, the suite's code, and the objective's unless it is sent."""
    found = {"Python": ".".join(map(str, sys.version_info[:2]))}
    for name in _COMPARED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    package = Path(__file__).parents[3]
    found["hpo's code"] = _digest(path for part in ("search", "objectives") for path in (package / part).rglob("*.py"))
    if not shipped and task.packed is None and not task.objective.startswith(COMMAND):
        path = describe(task.objective, Path(task.folder)).path
        found["the objective"] = _digest([path]) if path is not None else ""
    return found


def differences(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """What is not the same there, in words; empty where all is."""
    names = [name for name in here if here[name] != there.get(name)]
    return ", ".join(f"{name} is {there.get(name, 'missing')} there and {here[name]} here" for name in names)


def _digest(paths: Any) -> str:
    whole = hashlib.sha256()
    for path in sorted(paths):
        whole.update(path.name.encode() + path.read_bytes())
    return whole.hexdigest()[:8]


def _inside(path: str, home: str) -> bool:
    return path == home or path.startswith(home + os.sep)


def _moved(path: str, home: str, here: str) -> str:
    return os.path.join(here, os.path.relpath(path, home))


def _moved_data(data: Any, home: str, here: str) -> Any:
    if isinstance(data, str):
        return _moved(data, home, here) if os.path.isabs(data) and _inside(data, home) else data
    if isinstance(data, Mapping):
        return {key: _moved_data(value, home, here) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return type(data)(_moved_data(value, home, here) for value in data)
    return data
