"""What goes when its owner is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hpo.search.executors.common import localray

OWNER = """
import subprocess, sys, time
from hpo.search.running.lifeline import folder_goes_with_us
folder = sys.argv[1]
folder_goes_with_us(folder)
with open(folder + "/log", "w") as log:  # nobody's child, as soon as this process is gone
    one = subprocess.Popen(["sleep", "60"], stdout=log, start_new_session=True)
print(one.pid, flush=True)
time.sleep(60)
"""


def lives(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_folder_and_who_works_in_it_go_with_a_killed_owner_and_others_stay(tmp_path: Path) -> None:
    folder, beside = tmp_path / "own", tmp_path / "own-not"
    folder.mkdir()
    beside.mkdir()
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(folder)], stdout=subprocess.PIPE, text=True)
    with (beside / "log").open("w") as log, subprocess.Popen(["sleep", "60"], stdout=log) as other:
        assert owner.stdout is not None
        works = int(owner.stdout.readline())
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        owner.stdout.close()
        until(lambda: not lives(works) and not folder.exists())
        assert lives(other.pid)
        other.kill()
    assert beside.exists()


def test_the_next_local_ray_removes_what_killed_ones_left_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "hpo-ray-left" / "r").mkdir(parents=True)
    (tmp_path / "hpo-other").mkdir()
    seen: list[tuple[int, list[str]]] = []

    class Ray:
        """Says what it was given."""

        def init(self, *, _temp_dir: str, **_: object) -> None:
            seen.append((os.stat(Path(_temp_dir).parent).st_mode & 0o777, sorted(os.listdir(tmp_path))))

        def shutdown(self) -> None:
            """Nothing runs."""

    first = localray.start(Ray(), 1)
    second = localray.start(Ray(), 1)
    assert [mode for mode, _ in seen] == [0o700, 0o700]
    assert [len(names) for _, names in seen] == [2, 3]  # the one that runs stays
    second()
    first()
    assert os.listdir(tmp_path) == ["hpo-other"]
