"""The `hpo` command in a forked copy of this process, which has imported everything already.

A fresh process takes a second or two for its imports, a forked one none: for campaigns of hundreds of starts, and for
tests of what the command does once it has started. What it does while it starts, and what it is that its interpreter
does at the end, is for a fresh one to show.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from sqlalchemy.orm import configure_mappers

from hpo.search.cli import main
from hpo.search.terms import registry

for _module in (
    "commands.run", "commands.show", "engine.run", "report.show", "store.journal", "store.postgres", "store.session",
    "store.sqlite", "views.terminal",
):  # fmt: skip
    importlib.import_module(f"hpo.search.{_module}")
for _module in (
    "alembic.command", "alembic.migration", "optuna.storages._rdb.models", "rich.live", "rich._emoji_codes",
    "scipy.optimize", "scipy.stats", "sqlalchemy.dialects.sqlite",
):  # fmt: skip
    importlib.import_module(_module)
configure_mappers()
for _kind in ("sampler", "policy", "pruner", "executor"):
    for _name in registry.names(_kind):
        registry.load(_kind, _name)

_exit = os._exit  # the command puts its own in that place


class Forked:
    """A running command, as ``subprocess.Popen`` has it: its pid, what it says, ways to wait for it and to end it."""

    def __init__(
        self, words: Sequence[str], folder: Path, output: Path | None = None,
        environment: dict[str, str] | None = None, before: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """Start ``hpo`` with these words.

        Args:
            words: after ``hpo``.
            folder: where it runs.
            output: a file to which all that it says is appended; without one ``communicate`` returns it.
            environment: variables beside those of this process.
            before: called in the new process before anything else, for limits of it.
        """
        self.returncode: int | None = None
        self._said: list[IO[bytes]] = []
        if output is None:
            self._said = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115 # closed by communicate
            files = [file.fileno() for file in self._said]
        else:
            files = [os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)] * 2
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that the threads of this process are not copied
            self.pid = os.fork()
        if self.pid == 0:
            _be_the_command(words, folder, files, environment or {}, before)
        if output is not None:
            os.close(files[0])

    def poll(self) -> int | None:
        """Exit code, or minus the signal that ended it; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float = 600.0) -> int:
        """Wait for its end; TimeoutExpired after so many seconds."""
        until = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired("hpo", timeout)
            time.sleep(0.002)
        return code

    def communicate(self, timeout: float = 600.0) -> tuple[str, str]:
        """Wait for its end: what it said on standard output and standard error."""
        self.wait(timeout)
        told = self.said(), self.said(1)
        for file in self._said:
            file.close()
        return told

    def said(self, stream: int = 0) -> str:
        """What it has said so far on standard output, or on another stream."""
        file = self._said[stream].fileno()
        return os.pread(file, os.fstat(file).st_size, 0).decode(errors="replace")

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it now."""
        self.send_signal(9)


def _be_the_command(
    words: Sequence[str], folder: Path, files: Sequence[int], environment: dict[str, str], before: Callable[[], None]
) -> None:
    code = 70
    try:
        os.chdir(folder)
        os.environ.update(environment)
        for stream, file in enumerate(files, start=1):
            os.dup2(file, stream)
        sys.stdout, sys.stderr = (os.fdopen(os.dup(stream), "w") for stream in (1, 2))
        warnings.resetwarnings()  # those of a test are errors
        for kind in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", kind)
        before()
        sys.argv = ["hpo", *words]
        sys.path.insert(0, "")
        code = main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        _exit(code)
