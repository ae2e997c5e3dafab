"""A location whose file system is killed, or loses its connection, in the middle of an upload.

``flaky:///tmp/x`` is that folder. A test imports this; a command has it as ``python -m flaky ARGUMENTS``.
``FLAKY=N`` in the environment kills the process with SIGKILL at the Nth byte that it uploads.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem


class Killed(BaseException):
    """As near to SIGKILL as one comes without leaving the process."""


class Flaky(LocalFileSystem):  # type: ignore[misc] # fsspec has no types
    """Uploads are seen while they are under way, and nothing is renamed."""

    protocol = "flaky"
    left: int | None = None
    """Bytes that are still uploaded before the process dies; None for all."""
    lost = False
    """Whether the connection is lost."""

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return super()._strip_protocol(str(path).removeprefix("flaky://"))

    def put_file(self, lpath: str, rpath: str, **_: Any) -> None:
        self._connect()
        with open(lpath, "rb") as source, open(self._strip_protocol(rpath), "wb", buffering=0) as target:
            while chunk := source.read(512):
                left = type(self).left
                target.write(chunk[:left])
                if left is not None and left <= len(chunk):
                    self.die()
                type(self).left = None if left is None else left - len(chunk)

    def get_file(self, rpath: str, lpath: str, **further: Any) -> None:
        self._connect()
        super().get_file(rpath, lpath, **further)

    def ls(self, path: str, detail: bool = False, **further: Any) -> Any:
        self._connect()
        return super().ls(path, detail, **further)

    def rm(self, path: str, recursive: bool = False, maxdepth: int | None = None) -> None:
        self._connect()
        super().rm(path, recursive, maxdepth)

    def _connect(self) -> None:
        if self.lost:
            raise RuntimeError("connection lost; the token was hidden-token")

    def die(self) -> None:
        """Leave at once."""
        if "FLAKY" in os.environ:
            os.kill(os.getpid(), signal.SIGKILL)
        raise Killed


fsspec.register_implementation("flaky", Flaky, clobber=True)

if __name__ == "__main__":
    sys.path.remove(str(Path(__file__).parent))
    from hpo.search.cli import main

    Flaky.left = int(os.environ["FLAKY"]) if "FLAKY" in os.environ else None
    sys.exit(main(sys.argv[1:]))
