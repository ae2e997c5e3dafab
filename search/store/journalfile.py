"""The file under an Optuna journal: whole units only, under a lock of the kernel and Optuna's own.

A unit is one or more lines written at once. Every line but the last of a unit ends in ``"more":true``, a field
that plain Optuna ignores, so a unit that was cut short by a crash is recognised and removed.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hpo.search.store.location import unwritable
from hpo.search.store.private import close_private, open_private
from hpo.search.store.waiting import wait_for
from hpo.search.terms.errors import StoreError, UserError

_MORE = b',"more":true}'
_BEGIN = b'{"op_code"'
_STALE = 30.0  # seconds; Optuna's rule for its own lock: one whose target was not modified for so long is nobody's
_TIMEOUT = 60.0  # seconds to wait for other programs


class JournalFile:
    """An open journal.

    Two locks guard every write. The kernel's, on the journal itself, is between processes of ours: it ends with its
    process and not before, however long that was stopped. Optuna's, a symbolic link beside the journal, is for plain
    Optuna, and taken inside the kernel's: one of ours that is found there was left by a process that died.

    Raises:
        UserError: the file cannot be opened, or is no journal.
        FileNotFoundError: it does not exist, and is only to be read.
    """

    def __init__(self, path: Path, display: str, *, write: bool) -> None:
        self.path = path
        self._display = display
        self._lock = Path(f"{path}.lock")
        # Leads to the journal, as Optuna's own does, for Optuna looks at the age of that; nobody else writes it so.
        self._ours = f"././{path.name}"
        try:
            self._fd = open_private(path, os.O_RDWR | os.O_APPEND | os.O_CREAT if write else os.O_RDONLY)
        except PermissionError:
            raise UserError(f"{display}: no permission to open the file") from None
        except (FileNotFoundError, NotADirectoryError):
            if not write:
                raise FileNotFoundError(path) from None
            raise UserError(f"{display}: there is no folder {path.parent}") from None
        except OSError as error:
            raise unwritable(display, path.parent, error) from error
        begin = os.pread(self._fd, len(_BEGIN), 0).replace(b" ", b"")
        if not _BEGIN.startswith(begin[: len(_BEGIN)]):
            close_private(self._fd)
            raise UserError(f"{display}: this is no Optuna journal; name another file")

    def close(self) -> None:
        """Close the file."""
        close_private(self._fd)

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

    def append(self, ops: Sequence[dict[str, Any]], end: int) -> int | None:
        """Append operations as one unit, under the lock, and return its size.

        None, and nothing is written, when the journal does not end at ``end``: plain Optuna goes by the age of a lock
        and breaks ours where this process was stopped for long.

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
        if os.fstat(self._fd).st_size != end:
            return None
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            os.ftruncate(self._fd, end)
            raise StoreError(f"{self._display}: {error.strerror}; free some space and run again") from error
        return len(data)

    def cut(self, end: int) -> None:
        """Take back what was appended behind an offset; under the lock."""
        os.ftruncate(self._fd, end)

    def sync(self) -> None:
        """Bring everything written to the disk."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise StoreError(f"{self._display}: {error.strerror}; the disk failed or is full") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock on the journal: the kernel's, for as long as it takes, and inside it Optuna's.

        Raises:
            StoreError: other programs kept Optuna's lock for a minute.
        """
        wait_for(self._take, self._display, [self.path])
        try:
            self._acquire()
            try:
                yield
            finally:
                if self._target() == self._ours:
                    self._lock.unlink(missing_ok=True)
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _take(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise StoreError(f"{self._display}: this file system has no locks: {error.strerror}") from error
        return True

    def _acquire(self) -> None:
        start = changed = time.monotonic()
        seen, pause = self._state(), 0.001
        while True:
            try:
                self._lock.symlink_to(self._ours)
                return
            except FileExistsError:
                pass
            except OSError as error:
                raise StoreError(f"{self._display}: cannot make the lock {self._lock}: {error.strerror}") from error
            now, state = time.monotonic(), self._state()
            if state != seen:
                seen, changed = state, now
            if now - changed > _STALE or self._target() == self._ours:  # whoever made it is dead: we hold the kernel's
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
