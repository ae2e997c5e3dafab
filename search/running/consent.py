"""Whose code runs: an exported recipe or a stored study names code, which may be somebody else's.

`hpo run` seals a study, and `hpo export` hands the seal on: it says that this user ran this code from this folder. Only
who can read the user's own key can make one, so a file from elsewhere has none. Code that comes with the suite needs no
seal; other code that has none is named, and runs when the user says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from functools import cache
from pathlib import Path

from hpo.search.describe.metric import file_of, name_of
from hpo.search.describe.objective import Objective
from hpo.search.terms.job import Task

_BYTES = 32


def seal(task: Task, objective: Objective) -> str | None:
    """What marks the task's code as run by this user from the working directory; None where no mark is needed or made.

    Hexadecimal: HMAC-SHA256 of the objective, its folder, the working directory and the user's own metric, with the
    user's key.
    """
    key = _key() if _foreign(task, objective) else None
    if key is None:
        return None
    named = (objective.reference, task.folder, os.getcwd(), *([task.metric] if task.metric is not None else []))
    said = "\0".join(named)
    return hmac.new(key, said.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()[:32]


def may_run(task: Task, objective: Objective, sealed: object) -> bool:
    """Whether the code is the suite's, or bears this user's seal for the working directory."""
    if not _foreign(task, objective):
        return True
    expected = seal(task, objective)
    return expected is not None and isinstance(sealed, str) and hmac.compare_digest(expected, _ascii(sealed))


def seal_of_copy(file: Path) -> str | None:
    """What marks a copy of code that this user has just run from the working directory, by its text."""
    key = _key()
    if key is None:
        return None
    said = b"\0".join([b"copy", os.fsencode(os.getcwd()), hashlib.sha256(file.read_bytes()).digest()])
    return hmac.new(key, said, hashlib.sha256).hexdigest()[:32]


def copy_may_run(file: Path, sealed: object) -> bool:
    """Whether a copy of code bears this user's seal for the working directory."""
    expected = seal_of_copy(file)
    return expected is not None and isinstance(sealed, str) and hmac.compare_digest(expected, _ascii(sealed))


def code_of(task: Task, objective: Objective) -> str:
    """What would run, in words."""
    if task.metric is not None and objective.kind == "builtin":
        return f"{file_of(task.metric)} ({name_of(task.metric)})"
    if objective.program is not None:
        return f"the {'script' if objective.path else 'command'} {objective.shown!r} in {task.folder}"
    return f"{objective.path} ({objective.function})"


def _foreign(task: Task, objective: Objective) -> bool:
    """Whether code neither comes with the suite nor is in this process already: the objective's, or a metric's."""
    return objective.kind not in ("builtin", "live") or task.metric is not None


def _ascii(text: str) -> str:
    return text if text.isascii() else ""


@cache
def _key() -> bytes | None:
    """The user's key, made when it is first needed; None where there is no place for it."""
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    path = Path(home).expanduser() / "hpo" / "key"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    except (OSError, RuntimeError):
        return None
    return key if len(key) == _BYTES else None


def _make(path: Path) -> None:
    """Put a new key in place at once, unless another process has been faster."""
    made = path.with_name(f".{secrets.token_hex(8)}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
        with contextlib.suppress(FileExistsError):
            os.link(made, path)
    finally:
        os.unlink(made)
