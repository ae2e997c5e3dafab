"""The `hpo` command in a forked copy of this process, which has imported everything already: for hundreds of starts."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path

from hpo.search.cli import main
from hpo.search.terms import registry

for _module in ("commands.run", "engine.run", "store.journal", "store.sqlite", "store.postgres"):
    importlib.import_module(f"hpo.search.{_module}")
for _module in ("alembic.command", "rich.live", "scipy.optimize", "scipy.stats"):
    importlib.import_module(_module)
for _kind in ("sampler", "policy", "pruner", "executor"):
    for _name in registry.names(_kind):
        registry.load(_kind, _name)

_exit = os._exit  # the command puts its own in that place


class Forked:
    """A running command, as ``subprocess.Popen`` has it: its pid, and ways to wait for it and to end it."""

    def __init__(self, words: Sequence[str], folder: Path, output: Path, environment: dict[str, str]) -> None:
        self.returncode: int | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that the threads of this process are not copied
            self.pid = os.fork()
        if self.pid == 0:
            _be_the_command(words, folder, output, environment)

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

    def kill(self) -> None:
        """End it now."""
        if self.poll() is None:
            os.kill(self.pid, 9)


def _be_the_command(words: Sequence[str], folder: Path, output: Path, environment: dict[str, str]) -> None:
    code = 70
    try:
        os.chdir(folder)
        os.environ.update(environment)
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(file, stream)
        sys.stdout, sys.stderr = (os.fdopen(os.dup(stream), "w") for stream in (1, 2))
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
