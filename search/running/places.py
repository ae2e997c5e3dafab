"""Where one trial's checkpoints lie by step: in a folder, or in archives at a location that fsspec reaches.

::

    FOLDER/live                the objective's own            LOCATION/000000000012.tar
    FOLDER/000000000012        what lay there at step 12

A folder is kept under a new name and then renamed. A location may have no renaming, and show what is only half there:
an archive counts when it is whole (see ``carried``), and the objective's own folder is one of this machine.
"""

from __future__ import annotations

import abc
import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from hpo.search.running.carried import Damaged, read, write
from hpo.search.running.told import text_of, told
from hpo.search.terms.errors import UserError, did_you_mean
from hpo.search.terms.keeping import LOCAL, SCHEME


class Place(abc.ABC):
    """One trial's; every method may raise OSError, whose text holds no secret, or UserError.

    Attributes:
        live: the objective's own folder, on this machine.
    """

    live: Path

    @abc.abstractmethod
    def steps(self) -> list[int]:
        """Steps of which there is a checkpoint, in order; whether an archive is whole is seen when it is laid down."""

    @abc.abstractmethod
    def lay(self, step: int) -> None:
        """Make the live folder, which is not there, what it was at a step; Damaged where that is not whole."""

    @abc.abstractmethod
    def keep(self, step: int, folder: Path) -> None:
        """Keep a copy of a folder as that of a step: the whole of it or nothing, whenever this process is killed."""

    @abc.abstractmethod
    def drop(self, step: int) -> None:
        """Remove a step's."""

    @abc.abstractmethod
    def clear(self) -> None:
        """Remove everything; also from the place of a whole study, which holds those of its trials."""

    @abc.abstractmethod
    def leave(self) -> None:
        """Remove what is of no use to another run; the training has ended."""


def place_of(where: str, rank: int = 0) -> Place:
    """The place that a path or location names, with a live folder for each rank of a trial.

    Nothing is looked up before it is used; then a UserError says that a location's protocol is unknown, or needs a
    package that is not there.
    """
    found = SCHEME.fullmatch(where)
    if found is None:
        return Folder(Path(where), rank)
    return Folder(Path(found[2]), rank) if found[1].lower() in LOCAL else _Location(where, rank)


def in_words(error: OSError) -> str:
    """What went wrong, without the path that Python adds."""
    return error.strerror or str(error)


class Folder(Place):
    """Folders by step, beside the objective's own."""

    def __init__(self, folder: Path, rank: int) -> None:
        self._folder = folder
        self.live = folder / (f"live-{rank}" if rank else "live")

    def steps(self) -> list[int]:
        if not self._folder.is_dir():
            return []
        return sorted(int(path.name) for path in self._folder.iterdir() if path.name.isdigit())

    def lay(self, step: int) -> None:
        shutil.copytree(self.of(step), self.live)

    def keep(self, step: int, folder: Path) -> None:
        new = self._folder / "new"
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(folder, new)
        self.drop(step)
        new.rename(self.of(step))

    def drop(self, step: int) -> None:
        shutil.rmtree(self.of(step), ignore_errors=True)

    def clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def leave(self) -> None:
        pass  # whoever drives it clears all of it when the trial has ended

    def of(self, step: int) -> Path:
        """Where that of a step lies."""
        return self._folder / f"{step:012d}"


class _Location(Place):
    """Archives by step; what the objective writes, and an archive on its way, lie below the folder for such things."""

    def __init__(self, where: str, rank: int) -> None:
        self._where = where.rstrip("/")
        self._found: tuple[Any, str] | None = None
        self._own = _own() / hashlib.sha256(f"{self._where} {rank or ''}".rstrip().encode()).hexdigest()[:16]
        self.live = self._own / "live"

    def steps(self) -> list[int]:
        with self._asked() as (files, path):
            files.invalidate_cache()
            try:
                names = files.ls(path, detail=False)
            except FileNotFoundError:
                return []
        found = [PurePosixPath(str(name)) for name in names]
        return sorted(int(path.stem) for path in found if path.suffix == ".tar" and path.stem.isdigit())

    def lay(self, step: int) -> None:
        with self._way() as archive:
            with self._asked() as (files, path):
                files.get_file(_archive(path, step), str(archive))
            with open(archive, "rb") as file:
                read(file, self.live)

    def keep(self, step: int, folder: Path) -> None:
        with self._way() as archive:
            with open(archive, "wb") as file:
                write(folder, file)
            with self._asked() as (files, path):
                try:
                    files.put_file(str(archive), _archive(path, step))
                except FileNotFoundError:
                    if not path.startswith("/"):  # no folders to make there, and nobody's bucket is made by mistake
                        raise
                    files.makedirs(path, exist_ok=True)
                    files.put_file(str(archive), _archive(path, step))

    def drop(self, step: int) -> None:
        with self._asked() as (files, path), contextlib.suppress(FileNotFoundError):
            files.rm_file(_archive(path, step))

    def clear(self) -> None:
        self.leave()
        with self._asked() as (files, path), contextlib.suppress(FileNotFoundError):
            files.invalidate_cache()
            files.rm(path, recursive=True)

    def leave(self) -> None:
        shutil.rmtree(self._own, ignore_errors=True)

    @contextlib.contextmanager
    def _way(self) -> Iterator[Path]:
        """A file for an archive on its way."""
        self._own.mkdir(parents=True, exist_ok=True)
        archive = self._own / "archive.tar"
        try:
            yield archive
        finally:
            archive.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _asked(self) -> Iterator[tuple[Any, str]]:
        """The file system, and the path in it; an OSError of whatever it raises, as each has errors of its own."""
        try:
            self._found = self._found or _reached(self._where)
            yield self._found
        except UserError:
            raise
        except Exception as error:
            raise OSError(_without_secrets(told(error), self._where)) from error


def _archive(path: str, step: int) -> str:
    return f"{path}/{step:012d}.tar"


def _reached(where: str) -> tuple[Any, str]:
    """File system of a location, and the path in it."""
    protocol = where.partition("://")[0]
    try:
        import fsspec
    except ImportError:
        raise UserError(f"checkpoints at {protocol}://... need another package: pip install fsspec") from None
    try:
        fsspec.get_filesystem_class(protocol)
        files, path = fsspec.core.url_to_fs(where)
    except ImportError as error:
        raise UserError(f"checkpoints at {protocol}://... need another package: {text_of(error)}") from None
    except ValueError:
        hint = did_you_mean(protocol, fsspec.available_protocols(), listed=False)
        raise UserError(
            f"checkpoints: there are no locations {protocol}://..."
            f" ({hint or 'fsspec.available_protocols() lists what there is'})"
        ) from None
    return files, str(path).rstrip("/")


def _without_secrets(text: str, where: str) -> str:
    """What a file system says, unless it repeats a setting that fsspec was given for it."""
    from fsspec.config import conf

    settings = conf.get(where.partition("://")[0], {})
    hidden = [value for value in settings.values() if isinstance(value, str) and len(value) > 3]
    return "the file system gave an error that repeats a setting" if any(value in text for value in hidden) else text


def _own() -> Path:
    """This user's folder for what is on its way; a run's part of it is removed when it ends or begins again.

    Raises:
        OSError: another user has made it.
    """
    folder = Path(tempfile.gettempdir(), f"hpo-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise OSError(f"{folder} is not this user's own")
    return folder


__all__ = ["Damaged", "Place", "in_words", "place_of"]
