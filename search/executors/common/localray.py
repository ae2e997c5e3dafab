"""A Ray of this machine alone: started for one command, and gone with it however that ends.

Ray opens the folder in which it works to everybody, and the agents of a node look for a minute and a half whether a
killed one comes back. So the folder lies in one that is its owner's alone, and a watch ends what works in it when this
process is no more. The folder is locked while its owner lives: where even the watch was killed, the next start removes
it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hpo.search.running.lifeline import folder_goes_with_us

_PREFIX = "hpo-ray-"


def start(ray: Any, cpus: int, **options: Any) -> Callable[[], None]:
    """Start it and connect to it; returns what ends it.

    Args:
        ray: the module.
        cpus: that it says it has; each worker takes some of them.
        options: of ``ray.init``.
    """
    _clear(Path(tempfile.gettempdir()))
    folder = tempfile.mkdtemp(prefix=_PREFIX)
    owned = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(owned, fcntl.LOCK_EX | fcntl.LOCK_NB)
    sweep = folder_goes_with_us(folder)

    def end() -> None:
        ray.shutdown()
        sweep()
        os.close(owned)

    try:
        ray.init(
            address="local", num_cpus=cpus, include_dashboard=False, _temp_dir=os.path.join(folder, "r"), **options
        )
    except BaseException:
        end()
        raise
    return end


def _clear(place: Path) -> None:
    """Remove the folders whose owners were killed."""
    for left in place.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # another user's, or one whose owner lives
            descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(descriptor).st_uid == os.geteuid():
                    shutil.rmtree(left)
            finally:
                os.close(descriptor)
