"""A checkpoint as one archive, so that it can be kept where nothing can be renamed, and sent to another machine.

The archive is a plain tar file. Its last member holds the SHA-256 of what came before: one that was cut short, at
whatever byte, is told apart from a whole one.

::

    live/...    the objective's folder
    sha256      the end
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

_LIVE, _END = "live", "sha256"
_CHUNK = 1 << 20


class Damaged(ValueError):
    """An archive that is not whole, or not one of ours."""


def pack(folder: Path) -> bytes:
    """The archive of a folder's files; links are followed, as in a copy.

    Raises:
        OSError: something cannot be read, or is neither a file nor a folder.
    """
    into = io.BytesIO()
    write(folder, into)
    return into.getvalue()


def unpack(data: bytes, folder: Path) -> None:
    """Lay an archive's files down in a folder that is empty or not there; what was written before an error stays.

    Raises:
        Damaged: the archive is not whole, or leads out of the folder.
        OSError: nothing can be written there.
    """
    read(io.BytesIO(data), folder)


def write(folder: Path, into: IO[bytes]) -> None:
    """The same as ``pack``, into a file; nothing is held in memory."""
    content = hashlib.sha256()
    with tarfile.open(fileobj=into, mode="w|", format=tarfile.PAX_FORMAT, dereference=True) as tar:
        for path in _walk(folder):
            name = PurePosixPath(_LIVE, path.relative_to(folder).as_posix())
            member = tar.gettarinfo(path, str(name))
            if member is None or not (member.isreg() or member.isdir()):
                raise OSError(f"{path.name} is neither a file nor a folder")
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            content.update(_heading(member))
            if member.isdir():
                tar.addfile(member)
                continue
            with open(path, "rb") as file:
                tar.addfile(member, _Summed(file, content))
        end = tarfile.TarInfo(_END)
        end.size = content.digest_size
        tar.addfile(end, io.BytesIO(content.digest()))


def read(file: IO[bytes], folder: Path) -> None:
    """The same as ``unpack``, from a file, which is read once from its beginning."""
    content = hashlib.sha256()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=file, mode="r|") as tar:
            for member in tar:
                if member.name == _END:
                    if _bytes(tar, member).read(content.digest_size + 1) == content.digest():
                        return
                    break
                content.update(_heading(member))
                _lay(tar, member, folder, content)
    except (tarfile.TarError, FileExistsError, EOFError) as error:
        raise Damaged("a checkpoint's archive cannot be read") from error
    raise Damaged("a checkpoint's archive is not whole")


def _walk(folder: Path) -> Iterator[Path]:
    def failed(error: OSError) -> None:
        raise error

    for place, folders, files in os.walk(folder, onerror=failed, followlinks=True):
        folders.sort()
        yield from (Path(place, name) for name in sorted([*folders, *files]))


def _heading(member: tarfile.TarInfo) -> bytes:
    return f"{member.name}\0{member.size}\0".encode(errors="surrogateescape")


def _lay(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, content: Any) -> None:
    """Write one member; names are checked, and as there are no links among them none is followed."""
    name = PurePosixPath(member.name)
    if not (member.isreg() or member.isdir()) or name.parts[:1] != (_LIVE,) or ".." in name.parts:
        raise Damaged(f"a checkpoint's archive holds {member.name!r}")
    path = folder.joinpath(*name.parts[1:])
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    source = _Summed(_bytes(tar, member), content)
    with open(path, "xb") as file:
        while chunk := source.read(_CHUNK):
            file.write(chunk)
    os.chmod(path, member.mode & 0o777 | 0o600)
    os.utime(path, (member.mtime, member.mtime))


def _bytes(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(member)
    if file is None:
        raise Damaged(f"a checkpoint's archive holds {member.name!r}")
    return file


class _Summed:
    """A file that is read, with all that is read of it taken into a sum."""

    def __init__(self, file: IO[bytes], content: Any) -> None:
        self._file, self._content = file, content

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self._content.update(chunk)
        return chunk
