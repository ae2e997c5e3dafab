"""Objectives in any language: a command line that takes its recipe and prints one JSON object a line.

The recipe goes in as JSON on standard input and wherever the command says ``{knob}``. Each line of standard output
that is a JSON object or number is a point of the curve. A non-zero exit, a line that is neither, or silence past the
limit fails the trial with the last lines of standard error.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import IO, Any

from hpo.search.describe.objective import PLACEHOLDER, split_command
from hpo.search.running.lifeline import die_with_parent, group_dies_with_us
from hpo.search.running.log import note
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Task

_LONGEST = 1_000_000  # bytes of a line
_TAIL = 4000  # bytes of standard error that are kept
_POLL = 0.5  # seconds between looks at whether the command has ended
_BRACES = re.compile(rf"\{{(\{{\w+\}})\}}|{PLACEHOLDER.pattern}")


class CommandFailed(Exception):
    """A command ended badly; the message carries the end of its standard error."""


def run_command(task: Task, recipe: Mapping[str, Any]) -> Iterator[Any]:
    """Run the command once, yielding each JSON line it prints; closing the iterator kills it and all it started.

    Raises:
        CommandFailed: non-zero exit, garbage, silence for ``task.silence`` seconds, or no line at all.
        UserError: it cannot be started.
    """
    words = [fill(word, recipe) for word in split_command(task.objective)]
    with tempfile.TemporaryFile() as given:  # a file cannot block us where a pipe does that nobody reads
        given.write(json.dumps(dict(recipe)).encode() + b"\n")
        given.seek(0)
        process = _start(words, task.folder, given)
    with process, group_dies_with_us(process.pid):
        try:
            yield from _points(_Output(process, task.silence))
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # nothing of the group is left
                os.killpg(process.pid, signal.SIGKILL)


def fill(word: str, recipe: Mapping[str, Any]) -> str:
    """Put knobs where a word of the command names them.

    >>> fill("--lr={lr}", {"lr": 0.1}), fill("{a}{b}", {"a": "{b}", "b": True}), fill("{{a}} ${a}", {"a": 1})
    ('--lr=0.1', '{b}true', '{a} ${a}')
    """
    return _BRACES.sub(lambda found: found[1] or (_text(recipe[found[2]]) if found[2] in recipe else found[0]), word)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _start(words: list[str], folder: str, given: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            words, cwd=folder, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            start_new_session=True, preexec_fn=partial(die_with_parent, os.getpid()),
        )  # fmt: skip
    except FileNotFoundError:
        if not os.path.isdir(folder):
            raise UserError(f"there is no folder {folder} to run {words[0]} in") from None
        if os.path.isfile(os.path.join(folder, words[0])):
            raise UserError(f"{words[0]} cannot run: the program its first line names does not exist") from None
        raise UserError(f"there is no program {words[0]!r} (looked in {folder} and on the PATH)") from None
    except PermissionError:
        raise UserError(f"{words[0]} is not executable: chmod +x {words[0]}") from None
    except OSError as error:
        hint = ": its first line must name its program, #!/bin/sh" if "format" in str(error.strerror) else ""
        raise UserError(f"{words[0]} cannot be started: {error.strerror}{hint}") from None


def _points(output: _Output) -> Iterator[Any]:
    count = 0
    for line in output.lines():
        if line.strip():
            yield _point(line, output)
            count += 1
    code = output.exit_code()
    if code != 0:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise output.failed(f"the command {how}")
    if count == 0:
        raise output.failed("the command printed nothing")


def _point(line: str, output: _Output) -> Any:
    try:
        point = json.loads(line)
    except (ValueError, RecursionError):
        raise output.failed(f"printed a line that is not JSON: {line[:100]!r}") from None
    numbers = point.values() if isinstance(point, dict) else [point]
    if isinstance(point, (bool, str, list)) or point is None:
        raise output.failed(f"printed a line that is neither an object nor a number: {line[:100]!r}")
    if any(isinstance(number, int) and abs(number) > 1e308 for number in numbers):
        raise output.failed(f"printed a number beyond 1e308: {line[:100]!r}")
    return point


class _Output:
    """What a running command prints: lines of standard output, and the end of standard error."""

    def __init__(self, process: subprocess.Popen[bytes], silence: float) -> None:
        self._process, self._silence, self._tail = process, silence, b""

    def lines(self) -> Iterator[str]:
        """Lines as they come, until standard output is closed or the command has ended."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        pending = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            selector.register(self._process.stderr, selectors.EVENT_READ)
            deadline = time.monotonic() + self._silence
            while self._process.stdout in [key.fileobj for key in selector.get_map().values()]:
                ended = self._process.poll() is not None
                ready = selector.select(timeout=0 if ended else max(0.0, min(_POLL, deadline - time.monotonic())))
                if ended and self._process.stdout not in [key.fileobj for key, _ in ready]:
                    break  # it printed all it will, though what it left running may hold its output open
                # Standard error first: a point may be the last thing that is asked for.
                for key, _ in sorted(ready, key=lambda found: found[0].fileobj is self._process.stdout):
                    chunk = os.read(key.fd, 65536)
                    if not chunk:
                        selector.unregister(key.fileobj)
                    elif key.fileobj is self._process.stderr:
                        self._complained(chunk)
                    else:
                        *whole, pending = (pending + chunk).split(b"\n")
                        if len(pending) > _LONGEST:
                            raise self.failed("printed a line of over a million characters")
                        for line in whole:
                            yield line.decode(errors="replace")
                        deadline = time.monotonic() + self._silence  # not counting what the consumer took
                if time.monotonic() >= deadline:
                    raise self.failed(f"the command was silent for {self._silence:g} s")
        if pending:
            yield pending.decode(errors="replace")

    def exit_code(self) -> int:
        """Exit code of a command whose output has ended; it may still be running for as long as silence is allowed."""
        try:
            code = self._process.wait(self._silence)
            self._drain()
            return code
        except subprocess.TimeoutExpired:
            raise self.failed(f"the command closed its output but ran on for {self._silence:g} s") from None

    def failed(self, reason: str) -> CommandFailed:
        """The failure of the trial, with the last lines of standard error."""
        self._drain()
        lines = self._tail.decode(errors="replace").strip().splitlines()[-5:]
        return CommandFailed(reason + "".join(f"\n  {line}" for line in lines))

    def _drain(self) -> None:
        """Take what standard error holds by now, without waiting for more."""
        assert self._process.stderr is not None
        os.set_blocking(self._process.stderr.fileno(), False)
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._process.stderr.fileno(), 65536):
                self._complained(chunk)

    def _complained(self, chunk: bytes) -> None:
        """Keep the end of standard error for a failure's message, and all of it in the trial's log."""
        self._tail = (self._tail + chunk)[-_TAIL:]
        note(chunk.decode(errors="replace"))
