"""What a running search shows, in a real terminal and elsewhere."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from forked import Forked

from hpo.search.report import text

SLOW = """
import os, time

def train(*, x: float = 0.0, epochs: int = 6):
    for epoch in range(epochs):
        time.sleep(0.05)
        while os.path.exists("ended") and os.path.exists("wait"):
            time.sleep(0.01)
        yield {"val_loss": (x - 0.3) ** 2 + 1 / (epoch + 1)}
    open("ended", "w").close()
"""
STUDY = """# How deep is the bowl?
objective: ./slow.py
goal: minimize val_loss
search: {x: {float: [0, 1]}}
fixed: {epochs: 6}
budget: {trials: 8}
confirm: none
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "slow.yaml").write_text(STUDY)
    return tmp_path


def on_a_terminal(place: Path, *, interrupt_after: str | None = None) -> tuple[str, int]:
    """Run the study on a pseudo-terminal; what it drew, without control sequences, and its exit code."""
    ours, theirs = pty.openpty()
    environment = {"TERM": "xterm", "COLUMNS": "120", "LINES": "30"}
    process = Forked(["run", "--study", "slow.yaml"], place, Path(os.ttyname(theirs)), environment)
    os.close(theirs)
    drawn, deadline, sent = b"", time.monotonic() + 120, False
    while time.monotonic() < deadline:
        if select.select([ours], [], [], 0.2)[0]:
            try:
                chunk = os.read(ours, 65536)
            except OSError:
                break
            if not chunk:
                break
            drawn += chunk
        if interrupt_after is not None and not sent and interrupt_after.encode() in drawn:
            process.send_signal(signal.SIGINT)
            (place / "wait").unlink()
            sent = True
    code = process.wait(timeout=30)
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn.decode()), code


def test_the_live_view_shows_budget_counts_best_and_curves(place):
    drawn, code = on_a_terminal(place)
    assert code == 0
    assert re.search(r"trials .* of 8", drawn)
    assert "running" in drawn
    assert re.search(r"best val_loss [\d.]+", drawn)
    assert "█" in drawn
    assert "winner" in drawn


def test_ctrl_c_stops_after_recording_and_the_same_command_goes_on(place):
    (place / "wait").touch()  # so the second trial waits for the signal
    drawn, code = on_a_terminal(place, interrupt_after="best")
    assert code == 130
    assert "stopping after this round is recorded" in drawn
    drawn, code = on_a_terminal(place)
    assert code == 0
    assert "going on with slow" in drawn


def test_without_a_terminal_there_is_one_plain_line_a_trial(place):
    command = [sys.executable, "-m", "hpo", "run", "--study", "slow.yaml"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("trial ")]
    assert len(lines) == 8
    assert "\x1b" not in done.stdout


def test_a_sparkline_keeps_its_width_and_order():
    drawn = text.sparkline([float(value) for value in range(100)], width=20)
    assert len(drawn) == 20
    assert list(drawn) == sorted(drawn)
    assert text.sparkline([1.0, 1.0]) == "▁▁"


def test_the_last_line_of_the_live_view_is_the_newest_that_a_trial_printed(place):
    (place / "slow.py").write_text(SLOW.replace("time.sleep", "print('said at', epoch)\n        time.sleep"))
    drawn, code = on_a_terminal(place)
    assert code == 0
    assert re.search(r"trial \d: said at \d", drawn)
    assert not re.search(r"^said at", drawn, re.MULTILINE)
