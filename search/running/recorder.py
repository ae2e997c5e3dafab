"""What a program logs with libraries, on a pipe of its own: stand-ins for them lie on its path alone."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.search.running import standin

LIBRARIES = ("wandb", "mlflow")
"""Libraries that are stood in for."""


@dataclass(frozen=True)
class Recorder:
    """A pipe that the stand-ins write to.

    Attributes:
        pipe: descriptor to read lines of JSON from; never at its end while this process holds it.
        environment: what the program's has beyond this process's own.
    """

    pipe: int
    environment: Mapping[str, str]


@contextmanager
def recorder(recipe: Mapping[str, Any]) -> Iterator[Recorder]:
    """Have what one run logs recorded."""
    with tempfile.TemporaryDirectory(prefix="hpo-") as folder:
        for name in LIBRARIES:
            shutil.copyfile(standin.__file__, Path(folder, f"{name}.py"))
        place = os.path.join(folder, "logged")
        os.mkfifo(place, 0o600)
        reading = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        writing = os.open(place, os.O_WRONLY | os.O_CLOEXEC)  # so that it does not end between two of its writers
        path = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
        Path(folder, "recipe.json").write_text(json.dumps(dict(recipe)), encoding="utf-8")
        told = {"HPO_RECORD": place, "PYTHONPATH": os.pathsep.join(path)}
        try:
            yield Recorder(reading, told)
        finally:
            for descriptor in (reading, writing):
                with contextlib.suppress(OSError):
                    os.close(descriptor)
