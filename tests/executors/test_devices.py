"""GPUs that are given out: a real study in worker processes that say what they see, beside a recorded nvidia-smi."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from hpo.search.cli import main
from hpo.search.executors import inline, processes
from hpo.search.executors.common.places import places_of
from hpo.search.terms.devices import Devices
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Job, Lost, Point, Task

QUERY = """0, GPU-8f5a1a0c-63ae-9aa4-3f60-6f1b7a5b0f01, 1027
1, GPU-1b7e6b52-7c1d-0f0e-55a5-2a8f7c0d9b12, 40338
2, GPU-d0c3a9f4-21c4-4a5e-9b7b-8e2f1c6a3d23, 39014
"""
"""Of a machine with three cards, the first of them in use."""

LIST = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-8f5a1a0c-63ae-9aa4-3f60-6f1b7a5b0f01)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-1b7e6b52-7c1d-0f0e-55a5-2a8f7c0d9b12)
GPU 2: NVIDIA A100-SXM4-40GB (UUID: GPU-d0c3a9f4-21c4-4a5e-9b7b-8e2f1c6a3d23)
"""

CUT_QUERY = "0, GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f, [N/A]\n"
CUT_LIST = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f)
  MIG 3g.20gb     Device  0: (UUID: MIG-7f5ee4e6-2b5a-5c9c-8d2a-5d1d4f6f0c01)
  MIG 3g.20gb     Device  1: (UUID: MIG-0cf9e8a1-6a1e-5a5b-9d0f-3b1c2d4e5f02)
"""
"""A card that is cut into two instances."""

OBJECTIVE = """
import os
SEEN = os.environ["CUDA_VISIBLE_DEVICES"]  # when it is imported

def train(*, x: float = 0.0, epochs: int = 3, seed: int = 0):
    for _ in range(epochs):
        yield {"loss": x, "card": int(SEEN), "pid": os.getpid()}
"""

STUDY = """# Which card?
objective: ./model.py
goal: minimize loss
search: {x: {float: [0, 1]}}
budget: {trials: 4}
pruner: none
confirm: none
workers: 2
"""


def machine(folder: Path, query: str, listed: str) -> None:
    """A program that prints what nvidia-smi printed there."""
    folder.mkdir(exist_ok=True)
    (folder / "query").write_text(query)
    (folder / "listed").write_text(listed)
    program = folder / "nvidia-smi"
    program.write_text(f'#!/bin/sh\ncase "$1" in -L) cat {folder}/listed;; *) cat {folder}/query;; esac\n')
    program.chmod(0o755)


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    machine(tmp_path / "bin", QUERY, LIST)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(OBJECTIVE)
    (tmp_path / "study.yaml").write_text(STUDY)
    return tmp_path / "study.yaml"


def test_every_worker_sees_a_card_of_its_own_and_show_says_which(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--study", "study.yaml", "--devices", "auto"]) == 0
    capfd.readouterr()
    assert main(["show", "study", "--json"]) == 0
    found = {trial["number"]: trial for trial in json.loads(capfd.readouterr().out)["trials"]}
    assert len(found) == 4
    assert (found[0]["nodes"], found[1]["nodes"]) == (["gpu 1"], ["gpu 2"])  # most free memory first
    assert all(trial["nodes"] == [f"gpu {trial['metrics']['card']:g}"] for trial in found.values())
    assert main(["show", "study", "0"]) == 0
    assert "trained on gpu 1\n" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("devices", "reason"),
    [
        ("[7]", "there is no GPU 7 here, only 0, 1, 2, GPU-8f5a1a0c-63ae-9aa4-3f60-6f1b7a5b0f01"),
        ("[1]", "2 workers of 1 GPU each, and devices has 1 GPU: give workers: 1"),
        ("{gpus: 2}", "2 workers of 2 GPU each, and devices has 3 GPUs: give workers: 1"),
    ],
)
@pytest.mark.parametrize("command", ["check", "run"])
def test_what_cannot_be_given_is_one_message_before_anything_is_written(
    command: str, devices: str, reason: str, study: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--study", str(study), "--devices", devices]) == 2
    assert reason in capfd.readouterr().err
    assert not list(study.parent.glob("hpo.db*"))


def test_without_any_gpu_there_is_one_message(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    machine(study.parent / "bin", "", "")
    assert main(["run", "--study", str(study), "--devices", "auto"]) == 2
    assert "devices: there is no GPU here" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("devices", "count", "workers", "places"),
    [
        (Devices(), 1, 3, ("1", "2", "0")),  # most free memory first
        (Devices(("0", "2")), 1, 2, ("0", "2")),
        (Devices(("0", "2"), 0.5), 1, 4, ("0", "2", "0", "2")),
        (Devices(gpus=1 / 3), 1, 9, ("1", "2", "0") * 3),
        (Devices(("2", "0", "1"), 2.0), 1, 1, ("2,0",)),
        (Devices(), 2, 1, ("1,2",)),  # a card for each of the processes that train a trial
        (Devices(("GPU-1b7e6b52-7c1d-0f0e-55a5-2a8f7c0d9b12",)), 1, 1, ("GPU-1b7e6b52-7c1d-0f0e-55a5-2a8f7c0d9b12",)),
    ],
)
def test_workers_take_the_cards_in_turn(devices: Devices, count: int, workers: int, places: tuple[str, ...]) -> None:
    assert places_of(devices, count, workers) == places


def test_numbers_count_what_this_process_may_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0")
    assert places_of(Devices(("0",)), 1, 1) == ("2",)
    assert places_of(Devices(), 1, 2) == ("2", "0")
    with pytest.raises(UserError, match="no GPU 2 here"):
        places_of(Devices(("2",)), 1, 1)


def test_instances_of_a_card_are_devices_of_their_own(study: Path) -> None:
    machine(study.parent / "bin", CUT_QUERY, CUT_LIST)
    first, second = (line.rpartition("UUID: ")[2].strip(")") for line in CUT_LIST.splitlines()[1:])
    assert places_of(Devices(), 1, 2) == (first, second)
    assert places_of(Devices((second,)), 1, 1) == (second,)


def test_a_worker_that_takes_the_place_of_a_killed_one_has_its_card(study: Path) -> None:
    executor = processes.make(
        Task(str(study.parent / "model.py"), folder=str(study.parent), places=("0", "2")), workers=2
    )
    try:
        for number in (0, 1):
            executor.admit(Job(number, {"seed": 0, "epochs": 100_000}))
        seen: dict[int, Point] = {}
        while len(seen) < 2:
            seen |= {event.number: event for event in executor.advance() if isinstance(event, Point)}
        assert [seen[n].metrics["card"] for n in (0, 1)] == [0, 2]
        assert [executor.node_of(number) for number in (0, 1)] == ["gpu 0", "gpu 2"]
        os.kill(int(seen[1].metrics["pid"]), signal.SIGKILL)
        while not any(isinstance(event, Lost) for event in executor.advance()):
            pass
        executor.admit(Job(1, {"seed": 0}))
        while not (again := [e for e in executor.advance() if e.number == 1]):
            pass
        assert isinstance(again[0], Point)
        assert again[0].metrics["card"] == 2
    finally:
        executor.close()


def test_this_process_takes_the_first_card_and_gives_it_back(study: Path) -> None:
    executor = inline.Inline(Task(str(study.parent / "model.py"), folder=str(study.parent), places=("1",)), paused=1)
    executor.admit(Job(0, {"seed": 0}))
    (point,) = executor.advance()
    assert isinstance(point, Point)
    assert point.metrics["card"] == 1
    assert executor.node_of(0) == "gpu 1"
    executor.close()
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
