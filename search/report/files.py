"""Results on their way to files: written aside and renamed, so that a full disk or a kill leaves the old file whole.

Outputs can be tried before the work that fills them. A link is followed, so what it points to is replaced and the link
stays; what is no plain file (a pipe, ``/dev/stdout``) is written to as it stands.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hpo.search.terms.errors import HpoError, OutputError, UserError

_CHOSEN = frozenset(
    (
        errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EROFS, errno.ENAMETOOLONG,
        errno.ELOOP, errno.EINVAL, errno.EEXIST, errno.ENXIO, errno.ENOTEMPTY,
    )
)  # fmt: skip
"""What another choice of output mends; anything else is the disk's."""

_ASIDE = re.compile(r"\.hpo-[0-9a-f]{16}")
"""Names of what is written aside; whoever writes it holds its lock, which the kernel releases at any death."""

_RUST = re.compile(r"\(os error (\d+)\)")


def write(path: Path, content: str | bytes) -> None:
    """Write a whole file, or leave the one that is there as it is.

    Raises:
        UserError: it cannot be written at this place.
        OutputError: the disk fails.
    """
    raw = content if isinstance(content, bytes) else content.encode("utf-8", errors="backslashreplace")
    with _told(path):
        if _stream(path):
            path.write_bytes(raw)
            return
        with _aside(path) as (descriptor, made):
            with os.fdopen(descriptor, "wb", closefd=False) as file:  # its lock is held until it is in place
                file.write(raw)
            os.replace(made, _target(path))


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file to be written little by little, which comes to ``path`` at the end of the block; not if it raises.

    Raises:
        UserError, OutputError: as ``write`` does.
    """
    with _told(path):
        if _stream(path):
            with path.open("wb") as file:
                yield file
            return
        with _aside(path) as (descriptor, made):
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                yield file
            os.replace(made, _target(path))


def probe(path: Path) -> None:
    """Try that a file can be written here; what is there stays as it is.

    Raises:
        UserError, OutputError: as ``write`` does.
    """
    with _told(path):
        if _stream(path):
            return
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(os.stat(path).st_mode):
                raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
        with _aside(path):
            pass


def probe_folder(path: Path) -> None:
    """Try that a folder can be made here, or that files can be put into the one that is there.

    Raises:
        UserError, OutputError: as ``write`` does.
    """
    with _told(path):
        made = _missing(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            with _aside(path / "any"):
                pass
        finally:
            _drop(made)


@contextmanager
def filled(path: Path) -> Iterator[Path]:
    """A new folder whose content comes to ``path`` at the end of the block; nothing does if it raises.

    Where nothing was, it comes as a whole: a kill leaves no folder that would be half of one. Into a folder that is
    there its files come one by one.

    Raises:
        UserError, OutputError: as ``write`` does.
    """
    with _told(path):
        new = _missing(path)
        try:
            with _folder_aside(path.parent if new else path) as made:
                yield made
                if new:
                    os.rename(made, path)
                    return
                for file in sorted(made.rglob("*")):
                    place = path / file.relative_to(made)
                    if file.is_dir() and not file.is_symlink():
                        place.mkdir(exist_ok=True)
                    else:
                        os.replace(file, place)
        except BaseException:
            _drop(new)
            raise


def clear(folder: Path, *, itself: bool = False) -> None:
    """Remove what killed writers have left aside in a folder; ``itself`` too, where they left nothing else in it."""
    found = False
    with contextlib.suppress(OSError):
        for entry in [entry for entry in os.scandir(folder) if _ASIDE.fullmatch(entry.name)]:
            found |= _removed(Path(entry.path))
    if found and itself and not folder.is_symlink():
        _drop([folder])


def _removed(left: Path) -> bool:
    """Remove what was written aside, unless its writer lives."""
    try:
        descriptor = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            shutil.rmtree(left)
        else:
            os.unlink(left)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


@contextmanager
def _folder_aside(folder: Path) -> Iterator[Path]:
    """A new folder inside of another; gone afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    clear(folder)
    while True:
        made = folder / f".hpo-{secrets.token_hex(8)}"
        made.mkdir()
        descriptor = os.open(made, os.O_RDONLY | os.O_CLOEXEC)
        if _locked(descriptor, made):
            break
        os.close(descriptor)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(descriptor)


def _locked(descriptor: int, made: Path) -> bool:
    """Hold the lock of what was just made; False where another writer has taken it for a leftover meanwhile."""
    with contextlib.suppress(OSError):  # a file system without locks: then nobody clears there either
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(made))
    except FileNotFoundError:
        return False


def unwritable(path: Path, error: OSError) -> HpoError:
    """What is told when a result cannot be written."""
    folder = path.parent
    if error.errno == errno.ENOENT and not os.path.isdir(folder):
        return UserError(f"{path} cannot be written: there is no folder {folder}")
    told = f"{path} cannot be written: {(error.strerror or str(error)).lower()}"
    return UserError(f"{told}; choose another output") if error.errno in _CHOSEN else OutputError(told)


def disk_error(error: BaseException) -> OSError | None:
    """The operating system's refusal behind an error: itself, its cause, or what a library in Rust tells of it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno is not None:
            return seen
        if told := _RUST.search(str(seen)):
            return OSError(int(told[1]), os.strerror(int(told[1])))
        seen = seen.__cause__ or seen.__context__
    return None


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from None


@contextmanager
def _aside(path: Path) -> Iterator[tuple[int, Path]]:
    """A new file in the folder of the target, with the rights of the file that it is to replace; gone afterwards."""
    target = _target(path)
    with contextlib.suppress(FileNotFoundError):
        os.lstat(target)  # a name too long shows here
    clear(target.parent)
    while True:
        made = target.parent / f".hpo-{secrets.token_hex(8)}"
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        if _locked(descriptor, made):
            break
        os.close(descriptor)
    try:
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, stat.S_IMODE(os.stat(target).st_mode))
        yield descriptor, made
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(made)
        os.close(descriptor)


def _target(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _stream(path: Path) -> bool:
    """Whether something stands there that is neither a file nor a folder."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _drop(folders: list[Path]) -> None:
    """Remove what is empty of them."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _missing(path: Path) -> list[Path]:
    """Folders that have to be made for this one, the innermost first."""
    return [folder for folder in (path, *path.parents) if not os.path.lexists(folder)]
