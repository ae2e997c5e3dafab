"""The file under an Optuna journal: whole units only, under Optuna's own lock.

A unit is one or more lines written at once. Every line but the last of a unit ends in ``"more":true``, a field
that plain Optuna ignores, so a unit that was cut short by a crash is recognised and removed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hpo.search.store.lease import released
from hpo.search.terms.errors import StoreError, UserError

_MORE = b',"more":true}'
_BEGIN = b'{"op_code"'
_STALE = 30.0  # seconds; Optuna's rule: a lock whose target was not modified for so long belongs to nobody
_TIMEOUT = 60.0  # seconds to wait for other writers


class JournalFile:
    """An open journal; ``lease`` is the lock file that this process holds, if it holds one.

    Optuna's lock is a symbolic link. Ours points to the lease, whose own lock tells at once whether we live; to
    plain Optuna it is a lock like any other.

    Raises:
        UserError: the file cannot be opened, or is no journal.
        FileNotFoundError: it does not exist, and is only to be read.
    """

    def __init__(self, path: Path, display: str, *, write: bool, lease: Path | None = None) -> None:
        self.path = path
        self._display = display
        self._lease = lease
        self._lock = Path(f"{path}.lock")
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT if write else os.O_RDONLY, 0o666)
        except PermissionError:
            raise UserError(f"{display}: no permission to open the file") from None
        except (FileNotFoundError, NotADirectoryError):
            if not write:
                raise FileNotFoundError(path) from None
            raise UserError(f"{display}: there is no folder {path.parent}") from None
        begin = os.pread(self._fd, len(_BEGIN), 0).replace(b" ", b"")
        if not _BEGIN.startswith(begin[: len(_BEGIN)]):
            os.close(self._fd)
            raise UserError(f"{display}: this is no Optuna journal; name another file")

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def read(self, start: int = 0) -> bytes:
        """Read all whole units from an offset on."""
        end = self._whole_end()
        if end < start:
            raise StoreError(f"{self._display}: the file was cut short or replaced while a study was running")
        return self._pread(start, end)

    def repair(self) -> None:
        """Remove a unit that was cut short by a crash; under the lock."""
        end = self._whole_end()
        if end < os.fstat(self._fd).st_size:
            os.ftruncate(self._fd, end)

    def torn(self) -> bool:
        """Whether the last unit is not whole: cut short, or just being written."""
        return self._whole_end() < os.fstat(self._fd).st_size

    def append(self, ops: Sequence[dict[str, Any]]) -> int:
        """Append operations as one unit, under the lock, and return its size.

        Raises:
            StoreError: nothing was written.
        """
        lines = [json.dumps(op | {"more": True}, separators=(",", ":")) for op in ops[:-1]]
        data = "\n".join([*lines, json.dumps(ops[-1], separators=(",", ":")), ""]).encode()
        try:
            if not os.path.samestat(os.fstat(self._fd), os.stat(self.path)):
                raise FileNotFoundError
        except FileNotFoundError:
            raise StoreError(f"{self._display}: the file was removed or replaced while a study was running") from None
        end = os.fstat(self._fd).st_size
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            os.ftruncate(self._fd, end)
            raise StoreError(f"{self._display}: {error.strerror}; free some space and run again") from error
        return len(data)

    def sync(self) -> None:
        """Bring everything written to the disk."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise StoreError(f"{self._display}: {error.strerror}; the disk failed or is full") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold Optuna's lock on the journal.

        Raises:
            StoreError: other programs kept the lock for a minute.
        """
        target = str(self.path) if self._lease is None else os.path.relpath(self._lease, self.path.parent)
        self._acquire(target)
        try:
            yield
        finally:
            if self._target() == target:
                self._lock.unlink(missing_ok=True)

    def _acquire(self, target: str) -> None:
        start = changed = time.monotonic()
        seen, pause = self._state(), 0.001
        while True:
            try:
                self._lock.symlink_to(target)
                return
            except FileExistsError:
                pass
            except OSError as error:
                raise StoreError(f"{self._display}: cannot make the lock {self._lock}: {error.strerror}") from error
            now, state = time.monotonic(), self._state()
            if state != seen:
                seen, changed = state, now
            elif now - changed > _STALE or self._left_behind():
                self._lock.unlink(missing_ok=True)
                continue
            if now - start > _TIMEOUT:
                raise StoreError(
                    f"{self._display}: other programs have kept the file locked for {_TIMEOUT:.0f} seconds;"
                    f" stop them, or remove {self._lock} if none is running"
                )
            time.sleep(pause)
            pause = min(2 * pause, 0.05)

    def _state(self) -> tuple[int, ...] | None:
        """What changes when the lock changes hands, or its holder writes."""
        try:
            lock = os.lstat(self._lock)
        except FileNotFoundError:
            return None
        return lock.st_ino, lock.st_ctime_ns, os.fstat(self._fd).st_mtime_ns

    def _left_behind(self) -> bool:
        """Whether the lock was made by a process of ours that is dead; removes it unless it is our study's."""
        target = self._target()
        if target is None or Path(target).suffix != ".lease":
            return False
        lease = self.path.parent / target
        if lease == self._lease:  # we hold this lease and do not hold the lock: an earlier holder died
            return True
        fd = released(lease)
        if fd is not None:
            # Nobody can take this lease before we close it, so the link is still the dead one's.
            if self._target() == target:
                self._lock.unlink(missing_ok=True)
            os.close(fd)
        return False

    def _target(self) -> str | None:
        try:
            return os.readlink(self._lock)
        except OSError:
            return None

    def _whole_end(self) -> int:
        """Offset behind the last whole unit."""
        size = os.fstat(self._fd).st_size
        block = 1 << 16
        while True:
            start = max(0, size - block)
            data = self._pread(start, size)
            end = data.rfind(b"\n") + 1
            while end > len(_MORE) or (end > 0 and start == 0):
                if not data.endswith(_MORE, 0, end - 1):
                    return start + end
                end = data.rfind(b"\n", 0, end - 1) + 1
            if start == 0:
                return 0
            block *= 16

    def _pread(self, start: int, end: int) -> bytes:
        parts = []
        while start < end and (part := os.pread(self._fd, end - start, start)):
            parts.append(part)
            start += len(part)
        return b"".join(parts)
