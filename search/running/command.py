"""Programs as objectives: a command line in any language, or a Python script with options; once per trial.

The recipe goes in as JSON on standard input, and wherever a command says ``{knob}``; to a script as the options that
its text declares. What comes out is read by ``printed``: points as they come, everything else is the trial's log. A
non-zero exit, no point at all, or silence past the limit fails the trial with the last lines that were printed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

from hpo.search.describe.program import PLACEHOLDER, WHOLE, Program
from hpo.search.describe.script_options import options_of
from hpo.search.describe.source import Source
from hpo.search.running.lifeline import die_with_parent, group_dies_with_us
from hpo.search.running.log import note
from hpo.search.running.logfiles import LogFiles
from hpo.search.running.printed import Readings
from hpo.search.running.recorder import recorder
from hpo.search.terms.errors import UserError, did_you_mean
from hpo.search.terms.job import Task

_LONGEST = 1_000_000  # bytes of a line
_TAIL = 4000  # bytes of standard error that are kept
_POLL = 0.5  # seconds between looks at whether the command has ended, and at the files that it logs to
_MERCY = 3.0  # seconds from SIGTERM to SIGKILL
_BRACES = re.compile(rf"\{{(\{{\w+\}})\}}|{PLACEHOLDER.pattern}")
_ENDS = re.compile(rb"\r\n|\n|\r(?!\Z)")


class CommandFailed(Exception):
    """A command ended badly; the message carries the last lines that it printed."""


def run_command(task: Task, recipe: Mapping[str, Any]) -> Iterator[Any]:
    """Run the program once, yielding each point as it is told; closing the iterator ends it and all it started.

    It is asked to end (SIGTERM), and killed where it has not three seconds later.

    Raises:
        CommandFailed: non-zero exit, silence for ``task.silence`` seconds, or no point at all.
        UserError: it cannot be started.
    """
    program = Program.read(task.objective)
    assert program is not None, task.objective
    folder = Path(task.folder)
    words = _words(program, folder, recipe)
    with contextlib.ExitStack() as held:
        given = held.enter_context(tempfile.TemporaryFile())  # it cannot block us where a pipe does that nobody reads
        given.write(json.dumps(dict(recipe)).encode() + b"\n")
        given.seek(0)
        told = held.enter_context(recorder(recipe)) if program.stand_ins else None
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **(told.environment if told is not None else {})}
        logs = LogFiles(folder / fill(program.logs, recipe)) if program.logs else None
        if logs is not None:
            held.callback(logs.close)
        process = _start(words, task.folder, given, environment)
        if logs is not None:
            logs.group = process.pid
        held.enter_context(process)
        held.enter_context(group_dies_with_us(process.pid))
        readings = Readings(task.metrics, program.metrics, recipe)
        readings.logs = logs is not None
        output = _Output(process, task.silence, program, readings, None if told is None else told.pipe, logs)
        try:
            yield from _points(output)
        finally:
            _end(process)


def _words(program: Program, folder: Path, recipe: Mapping[str, Any]) -> list[str]:
    if not program.script:
        return [fill(word, recipe) for word in program.words()]
    path = folder / Path(program.text).expanduser()
    try:
        options = options_of(Source(path))
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{program.label} cannot be read: {error}") from None
    return [sys.executable, str(path), *options.words(recipe)]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask a program that still runs to end; then kill what is left of its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nothing of the group is left
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_MERCY)
        os.killpg(process.pid, signal.SIGKILL)


def fill(word: str, recipe: Mapping[str, Any]) -> str:
    """Put knobs where a word of the command names them.

    >>> fill("--lr={lr}", {"lr": 0.1}), fill("{a}{b}", {"a": "{b}", "b": True}), fill("{{a}} ${a}", {"a": 1})
    ('--lr=0.1', '{b}true', '{a} ${a}')
    """

    def filled(found: re.Match[str]) -> str:
        name = found[2]
        if name in recipe:
            return _text(recipe[name])
        return found[1] or (json.dumps(dict(recipe)) if name == WHOLE else found[0])

    return _BRACES.sub(filled, word)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _start(words: list[str], folder: str, given: IO[bytes], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            words, cwd=folder, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            start_new_session=True, preexec_fn=partial(die_with_parent, os.getpid()), env=environment,
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
    for point in output.points():
        numbers = point.values() if isinstance(point, dict) else [point]
        if any(isinstance(number, int) and abs(number) > 1e308 for number in numbers):
            raise output.failed("printed a number beyond 1e308")
        yield point
        count += 1
    code = output.exit_code()
    if code != 0:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise output.failed(f"{output.program.label} {how}")
    if count == 0:
        raise output.failed(output.without_point())


class _Output:
    """What a running program tells: points as they come, and the end of standard error."""

    def __init__(
        self, process: subprocess.Popen[bytes], silence: float, program: Program, readings: Readings,
        pipe: int | None, logs: LogFiles | None,
    ) -> None:  # fmt: skip
        self.program = program
        self._process, self._silence, self._readings, self._logs = process, silence, readings, logs
        self._tail = b""
        self._pipe = pipe
        self._pending: dict[int, bytes] = {}
        self._deadline = time.monotonic() + silence

    def points(self) -> Iterator[Any]:
        """Points as they come, until the output is closed or the program has ended."""
        out, error = self._streams
        with selectors.DefaultSelector() as selector:
            for descriptor in filter(None, (self._pipe, error, out)):
                selector.register(descriptor, selectors.EVENT_READ)
            open_ = {out, error}
            while out in open_:
                ended = self._process.poll() is not None
                wait = max(0.0, min(_POLL, self._deadline - time.monotonic()))
                ready = {key.fd for key, _ in selector.select(timeout=0 if ended else wait)}
                for descriptor in (fd for fd in (self._pipe, error, out) if fd in ready):  # the most telling first
                    assert descriptor is not None
                    chunk = os.read(descriptor, 65536)
                    if not chunk:
                        selector.unregister(descriptor)
                        open_.discard(descriptor)
                    else:
                        yield from self._take(descriptor, chunk)
                if self._logs is not None:
                    yield from self._alive(self._logged(self._logs.news()))
                if ended and not ready:
                    break  # it told all it will, though what it left running may hold its output open
                if time.monotonic() >= self._deadline and not ready:
                    raise self.failed(f"{self.program.label} was silent for {self._silence:g} s")
        yield from self._rest()

    def exit_code(self) -> int:
        """Exit code of a program whose output has ended; it may still be running for as long as silence is allowed."""
        try:
            return self._process.wait(self._silence)
        except subprocess.TimeoutExpired:
            problem = f"{self.program.label} closed its output but ran on for {self._silence:g} s"
            raise self.failed(problem) from None

    def failed(self, reason: str) -> CommandFailed:
        """The failure of the trial, with the last lines of standard error, or of standard output without any."""
        self._drain()
        lines = self._tail.decode(errors="replace").strip().splitlines() or self._readings.lines
        return CommandFailed(reason + "".join(f"\n  {line}" for line in lines[-5:]))

    def without_point(self) -> str:
        """What to say of a program that told no point."""
        wanted, seen = self._readings.missing(), list(self._readings.seen)
        if not seen and not self._readings.lines:
            return f"{self.program.label} printed nothing"
        known = f"; it told {', '.join(seen)}: {did_you_mean(wanted[0], seen)}" if seen and wanted else ""
        return f"{self.program.label} printed no {' and no '.join(wanted) or 'metric'}{known}"

    @property
    def _streams(self) -> tuple[int, int]:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        return self._process.stdout.fileno(), self._process.stderr.fileno()

    def _take(self, descriptor: int, chunk: bytes) -> Iterator[Any]:
        """Read what has come on one of the streams."""
        out, error = self._streams
        if descriptor == error:
            self._complained(chunk)
        whole = self._pending.get(descriptor, b"") + chunk
        place = 0
        for end in _ENDS.finditer(whole):
            yield from self._alive(self._line(descriptor, whole[place : end.start()], over=end[0] == b"\r"))
            place = end.end()
        self._pending[descriptor] = whole[place:]
        if len(self._pending[descriptor]) > _LONGEST:
            self._pending[descriptor] = b""
            if descriptor == out:
                raise self.failed("printed a line of over a million characters")
        if descriptor == out:
            self._deadline = time.monotonic() + self._silence  # not counting what the consumer took
            note(self._readings.text())

    def _line(self, descriptor: int, line: bytes, *, over: bool) -> Iterator[Any]:
        if descriptor == self._pipe:
            return self._logged([json.loads(line)])
        text = line.decode(errors="replace").removesuffix("\r")
        return self._readings.printed(text, over=over, error=descriptor == self._streams[1])

    def _logged(self, news: list[dict[str, Any]]) -> Iterator[Any]:
        for metrics in news:
            yield from self._readings.logged(metrics)

    def _alive(self, points: Iterator[Any]) -> Iterator[Any]:
        """The same; a point, or progress on standard error, is a sign of life."""
        before = self._readings.signs
        for point in points:
            yield point
            self._deadline = time.monotonic() + self._silence
        if self._readings.signs != before:
            self._deadline = time.monotonic() + self._silence

    def _rest(self) -> Iterator[Any]:
        """What has come until the program ended."""
        for descriptor in filter(None, (self._pipe, self._streams[1])):
            os.set_blocking(descriptor, False)
            with contextlib.suppress(BlockingIOError):
                while chunk := os.read(descriptor, 65536):
                    yield from self._take(descriptor, chunk)
        if self._logs is not None:
            yield from self._logged(self._logs.news())
        for descriptor, line in self._pending.items():
            if line and descriptor != self._pipe:
                yield from self._line(descriptor, line, over=False)
        yield from self._readings.end()
        note(self._readings.text())

    def _drain(self) -> None:
        """Take what standard error holds by now, without waiting for more."""
        error = self._streams[1]
        os.set_blocking(error, False)
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(error, 65536):
                self._complained(chunk)

    def _complained(self, chunk: bytes) -> None:
        """Keep the end of standard error for a failure's message, and all of it in the trial's log."""
        self._tail = (self._tail + chunk)[-_TAIL:]
        note(chunk.decode(errors="replace"))
