"""What a trial prints goes to its log: a file that keeps the last 64 kB, progress bars folded to their last state.

In this process Python's ``sys.stdout`` and ``sys.stderr`` are redirected while a trial trains; in a worker process the
descriptors themselves are, so that what C libraries and child processes print is there too. Messages of the suite go to
the screen all the while.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TextIO

LIMIT = 65_536
"""Bytes that a log keeps, the newest ones."""

_REMEMBERED = 512
"""Bytes by which who follows a log finds the place again that he has read to."""

_debugging = False
_capturing = False


def debug() -> None:
    """From now on what trials print goes to the screen, where ``breakpoint()`` needs it."""
    global _debugging
    _debugging = True


def debugging() -> bool:
    """Whether what trials print goes to the screen."""
    return _debugging


def folded(text: str) -> str:
    r"""The same text with each line as a terminal shows it in the end: what a carriage return writes over is gone.

    >>> folded("10%\r50%\r100%\ndone\r\n")
    '100%\ndone\n'
    """
    lines = []
    for line in text.split("\n"):
        parts = [part for part in line.split("\r") if part.strip()]
        lines.append(parts[-1] if parts else "")
    return "\n".join(lines)


def trim(path: Path) -> None:
    """Fold a log that has grown beyond its limit, and keep the end of it, from the start of a line on."""
    try:
        if os.stat(path).st_size <= LIMIT:
            return
        kept = folded(_end(path, 16 * LIMIT)).encode(errors="replace")
        if len(kept) > LIMIT:
            kept = kept[-LIMIT:]
            kept = kept[kept.find(b"\n") + 1 :] if b"\n" in kept[:-1] else kept
        with path.open("r+b") as file:  # whoever appends to it goes on at the new end
            file.write(kept)
            file.truncate()
    except OSError:
        return


def read(path: Path) -> str:
    """A log as it stands, folded; empty where there is none."""
    return folded(_end(path, LIMIT)) if path.is_file() else ""


class Tail:
    """What is added to a log, a look at a time: whole lines as they are in the end, and how far the last one is.

    A log is folded and cut at its beginning now and then; then it goes on behind what was read last, or behind the last
    line that was told, wherever that is now.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = 0  # bytes that were read
        self._read = b""  # the last of them
        self._rest = b""  # of a line that has no end yet
        self._last = ""  # the last whole line that was told

    def look(self) -> tuple[list[str], str]:
        """New whole lines, and what the line without an end shows now; nothing while there is no log."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._place - len(self._read))
                added = file.read()
                if not added.startswith(self._read):
                    file.seek(0)
                    return self._anew(file.read())
        except OSError:
            return [], ""
        return self._told(added[len(self._read) :])

    def _anew(self, whole: bytes) -> tuple[list[str], str]:
        at, self._place = whole.rfind(self._read), 0
        if at >= 0:
            self._place = at + len(self._read)
            return self._told(whole[self._place :])
        last, self._rest = self._last, b""
        lines, line = self._told(whole)
        known = [place for place, old in enumerate(lines) if old == last]
        return (lines[known[-1] + 1 :] if known else lines), line

    def _told(self, added: bytes) -> tuple[list[str], str]:
        self._place += len(added)
        self._read = (self._read + added)[-_REMEMBERED:]
        ended, newline, self._rest = (self._rest + added).rpartition(b"\n")
        lines = folded(ended.decode(errors="replace")).split("\n") if newline else []
        self._last = lines[-1] if lines else self._last
        return lines, folded(self._rest.decode(errors="replace"))


def newest(path: Path) -> str:
    """The last line that says anything; empty without one."""
    try:
        lines = folded(_end(path, 2000)).splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


_path = lru_cache(256)(Path)
"""Captured are a few logs, at every step anew."""


@contextmanager
def captured(place: str | None) -> Iterator[None]:
    """Send what this process's Python code prints within the block to a log; None leaves it on the screen."""
    if place is None or _debugging:
        yield
        return
    log = _path(place)
    kept = sys.stdout, sys.stderr, sys.breakpointhook
    routes = [_route(stream) for stream in kept[:2]]
    before = [route.log for route in routes]
    for route in routes:
        route.log = log
    sys.stdout, sys.stderr = routes
    if os.environ.get("PYTHONBREAKPOINT") != "0":
        sys.breakpointhook = _no_breakpoint
    try:
        yield
    finally:
        sys.stdout, sys.stderr, sys.breakpointhook = kept
        for route, earlier in zip(routes, before, strict=True):
            route.log = earlier
        trim(log)


@contextmanager
def captured_descriptors(place: str | None) -> Iterator[None]:
    """Send all that is printed within the block, from C and child processes too, to a log; for a worker process."""
    file = _opened(place)
    if file is None or place is None:
        yield
        return
    global _capturing
    _capturing = True
    kept = [os.dup(number) for number in (1, 2)]
    for number in (1, 2):
        os.dup2(file, number)
    os.close(file)
    try:
        yield
    finally:
        _capturing = False
        _restore(kept)
        path = Path(place)
        trim(path)
        with contextlib.suppress(OSError):
            if path.stat().st_size == 0:
                path.unlink()


@contextmanager
def held() -> Iterator[list[str]]:
    """Hold back what a starting worker process prints; the list has it after the block, the screen if that raises."""
    said: list[str] = []
    with tempfile.TemporaryFile() as spool:
        kept = [os.dup(number) for number in (1, 2)]
        for number in (1, 2):
            os.dup2(spool.fileno(), number)
        try:
            yield said
        finally:
            _restore(kept)
            spool.seek(max(0, os.fstat(spool.fileno()).st_size - LIMIT))
            said.append(spool.read().decode(errors="replace"))
            if sys.exception() is not None:
                append(None, said[0])


def append(place: str | None, text: str) -> None:
    """Put a text at the end of a log; None writes it to standard error."""
    if not text:
        return
    file = os.dup(2) if place is None else _opened(place)
    if file is not None:
        with contextlib.suppress(OSError):
            os.write(file, text.encode(errors="backslashreplace"))
        os.close(file)


def note(text: str) -> None:
    """Put what a command says on its standard error into the log of the trial that it trains, if there is one."""
    route = sys.stderr
    if _capturing or (isinstance(route, _Route) and route.log is not None):
        route.write(text)


def _restore(kept: list[int]) -> None:
    """Give standard output and error back where they went before, with all that is still buffered written first."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    for number, old in zip((1, 2), kept, strict=True):
        os.dup2(old, number)
        os.close(old)


def screen(stream: TextIO | None = None) -> TextIO:
    """The stream that messages of the suite go to, standard output unless another one is given."""
    stream = stream or sys.stdout
    return stream.screen if isinstance(stream, _Route) else stream


class _Route(io.TextIOBase):
    """A stream that goes to a trial's log while there is one, to the screen else; handlers may keep hold of it."""

    def __init__(self, screen: TextIO) -> None:
        self.screen = screen
        self.log: Path | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override] # a property there too, of a type that leaves no choice
        return "utf-8" if self.log is not None else self.screen.encoding

    def write(self, text: str) -> int:
        if self.log is None:
            return self.screen.write(text)
        file = _opened(str(self.log))
        if file is not None:
            with contextlib.suppress(OSError):  # a full disk must not fail a trial
                os.write(file, text.encode(errors="backslashreplace"))
                if os.fstat(file).st_size > 8 * LIMIT:
                    trim(self.log)
            os.close(file)
        return len(text)

    def flush(self) -> None:
        if self.log is None:
            self.screen.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self.log is None and self.screen.isatty()

    def fileno(self) -> int:
        return self.screen.fileno()


_routes: dict[int, _Route] = {}


def _route(stream: TextIO) -> _Route:
    """The one route in front of a stream."""
    if isinstance(stream, _Route):
        return stream
    found = _routes.get(id(stream))
    if found is None or found.screen is not stream:
        found = _routes[id(stream)] = _Route(stream)
    return found


def _opened(place: str | None) -> int | None:
    """Descriptor that appends to a log; None where it cannot be opened."""
    if place is None:
        return None
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
    try:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        return os.open(place, flags, 0o666)
    except OSError:
        return None


def _end(path: Path, size: int) -> str:
    """The last bytes of a file as text."""
    with path.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - size))
        return file.read(size).decode(errors="replace")


def _no_breakpoint(*_: object, **__: object) -> None:
    raise RuntimeError("breakpoint() needs the screen: add --debug, and train in this process (executor: inline)")
