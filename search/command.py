"""Objectives in any language: a command line that takes its recipe and prints one JSON object a line.

The recipe goes in as JSON on standard input and wherever the command says ``{knob}``. Each line of standard output
that is a JSON object or number is a point of the curve. A non-zero exit, a line that is neither, or silence past the
limit fails the trial with the last lines of standard error.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import IO, Any

from hpo.search.errors import UserError
from hpo.search.executors import Task
from hpo.search.lifeline import die_with_parent
from hpo.search.objective import COMMAND


class CommandFailed(Exception):
    """A command ended badly; the message carries the end of its standard error."""


def run_command(task: Task, recipe: Mapping[str, Any]) -> Iterator[Any]:
    """Run the command once, yielding each JSON line it prints.

    Raises:
        CommandFailed: non-zero exit, garbage, silence for ``task.silence`` seconds, or no line at all.
        UserError: there is no such program.
    """
    try:
        words = shlex.split(task.objective.removeprefix(COMMAND))
    except ValueError as error:
        raise UserError(f"the command cannot be split into words: {error}") from None
    for name, value in recipe.items():
        words = [word.replace(f"{{{name}}}", _text(value)) for word in words]
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                words, cwd=task.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                start_new_session=True, preexec_fn=die_with_parent,
            )  # fmt: skip
        except FileNotFoundError:
            raise UserError(f"there is no program {words[0]!r} (looked in {task.folder} and on the PATH)") from None
        except PermissionError:
            raise UserError(f"{words[0]} is not executable: chmod +x {words[0]}") from None
        try:
            yield from _points(process, errors, recipe, task.silence)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()


def _points(
    process: subprocess.Popen[bytes], errors: IO[bytes], recipe: Mapping[str, Any], silence: float
) -> Iterator[Any]:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(dict(recipe)).encode())
        process.stdin.close()
    count = 0
    for line in _lines(process, errors, silence):
        if not line.strip():
            continue
        try:
            point = json.loads(line)
        except ValueError:
            raise CommandFailed(f"printed a line that is not JSON: {line[:100]!r}{_tail(errors)}") from None
        count += 1
        yield point
    code = process.wait()
    if code != 0:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise CommandFailed(f"the command {how}{_tail(errors)}")
    if count == 0:
        raise CommandFailed(f"the command printed nothing{_tail(errors)}")


def _lines(process: subprocess.Popen[bytes], errors: IO[bytes], silence: float) -> Iterator[str]:
    assert process.stdout is not None
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        deadline = time.monotonic() + silence
        while True:
            if not selector.select(timeout=max(0.0, deadline - time.monotonic())):
                raise CommandFailed(f"the command was silent for {silence:g} s{_tail(errors)}")
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                if pending:
                    yield pending.decode(errors="replace")
                return
            *whole, pending = (pending + chunk).split(b"\n")
            if len(pending) > 1_000_000:
                raise CommandFailed(f"printed a line of over a million characters{_tail(errors)}")
            for line in whole:
                yield line.decode(errors="replace")
            deadline = time.monotonic() + silence


def _tail(errors: IO[bytes]) -> str:
    errors.seek(0, os.SEEK_END)
    errors.seek(max(0, errors.tell() - 4000))
    lines = errors.read().decode(errors="replace").strip().splitlines()[-5:]
    return "".join(f"\n  {line}" for line in lines)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
