"""Several processes that train one trial: points of rank 0, one end for all of them, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpo.search.cli import main
from hpo.search.executors import processes
from hpo.search.executors.common.apart import Apart
from hpo.search.terms.job import Event, Failed, Finished, Job, Lost, Point, Task

OBJECTIVE = """
import os, time
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

def train(*, lr: float = 0.1, epochs: int = 4, mode: str = "", seed: int = 0, checkpoint: str | None = None):
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    torch.manual_seed(seed)
    x = torch.linspace(-1, 1, 64, dtype=torch.float64).unsqueeze(1)
    module = torch.nn.Linear(1, 1).double()
    state = os.path.join(checkpoint, "state.pt") if checkpoint else ""
    done = 0
    if state and os.path.exists(state):
        held = torch.load(state, weights_only=True)
        module.load_state_dict(held["model"])
        done = held["epoch"]
    model = DistributedDataParallel(module)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for epoch in range(done + 1, epochs + 1):
        if epoch == 2 and rank == 1 and mode == "raise":
            raise ValueError("only here")
        if epoch == 2 and mode == "both":
            raise ValueError("everywhere")
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x[rank::size]), x[rank::size].sin()).backward()
        optimizer.step()
        if state and rank == 0:
            torch.save({"model": module.state_dict(), "epoch": epoch}, state)
        loss = torch.nn.functional.mse_loss(module(x), x.sin()).item()
        step = epoch + (rank if mode == "uneven" else 0)
        yield {"loss": loss, "rank": rank, "parent": os.getppid(), "pid": os.getpid(), "started": done, "step": step}
"""


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    (tmp_path / "model.py").write_text(OBJECTIVE)
    monkeypatch.chdir(tmp_path)
    return Task(str(tmp_path / "model.py"), folder=str(tmp_path), processes=2)


@pytest.fixture
def trained(task: Task) -> Iterator[Apart]:
    made = processes.make(task, workers=1)
    yield made
    made.close()


def next_of(executor: Apart) -> Event:
    while not (events := executor.advance()):
        pass
    return events[0]


def children(parent: int) -> list[int]:
    """Processes that a process has started, Python's own ones (Linux)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().rpartition(")")
        except OSError:
            continue
        if int(rest.split()[1]) == parent and "sh" not in name.partition("(")[2]:
            found.append(int(stat.parent.name))
    return found


def gone(pid: int) -> bool:
    """Whether a process has ended within some seconds."""
    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def reference(lr: float, seed: int, epochs: int = 4) -> list[float]:
    """The same model in one process."""
    import torch

    torch.manual_seed(seed)
    x = torch.linspace(-1, 1, 64, dtype=torch.float64).unsqueeze(1)
    model = torch.nn.Linear(1, 1).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for _ in range(epochs):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x), x.sin()).backward()
        optimizer.step()
        losses.append(torch.nn.functional.mse_loss(model(x), x.sin()).item())
    return losses


MLP = """# Do two processes train what one does?
objective: mlp
goal: minimize val_loss
search: {learning_rate: {float: [1e-3, 1e-1], log: true}, dropout: {float: [0.1, 0.5]}}
fixed: {epochs: 3, width: 16}
budget: {trials: 3}
confirm: none
pruner: none
"""


@pytest.mark.slow
def test_a_study_of_two_processes_a_trial_is_that_of_one_and_its_trials_repeat_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.yaml").write_text(MLP)
    (tmp_path / "two.yaml").write_text(MLP + "processes_per_trial: 2\n")
    found = {}
    for name in ("one", "two"):
        assert main(["run", "--study", f"{name}.yaml", "--quiet"]) == 0
        capfd.readouterr()
        assert main(["show", name, "--json"]) == 0
        found[name] = json.loads(capfd.readouterr().out)["trials"]
    for one, two in zip(found["one"], found["two"], strict=True):
        assert two["point"] == one["point"]
        assert two["metrics"] == pytest.approx(one["metrics"], rel=1e-6, abs=1e-6)
    assert main(["replay", "two", "0"]) == 0
    assert main(["export", "--study", "two", "--output", "best.yaml"]) == 0
    capfd.readouterr()
    assert main(["train", "best.yaml"]) == 0
    assert "the curve equals the recorded one exactly" in capfd.readouterr().out
    assert "RANK" not in os.environ


def test_rank_0_tells_the_points_and_the_death_of_another_is_a_loss(trained: Apart) -> None:
    trained.admit(Job(0, {"lr": 0.3, "seed": 5}))
    told = [next_of(trained) for _ in range(5)]
    points = [event for event in told if isinstance(event, Point)]
    assert [event.step for event in points] == [1, 2, 3, 4]
    assert isinstance(told[-1], Finished)
    assert [event.metrics["loss"] for event in points] == pytest.approx(reference(0.3, 5), abs=1e-12)
    assert {event.metrics["rank"] for event in points} == {0}
    trained.admit(Job(1, {"seed": 6}))
    first = next_of(trained)
    assert isinstance(first, Point)
    here = int(first.metrics["pid"])
    (other,) = children(here)
    os.kill(other, signal.SIGKILL)
    while isinstance(lost := next_of(trained), Point):
        pass
    assert lost == Lost(1, "rank 1 of its processes: its worker was killed by SIGKILL (out of memory?)")
    assert gone(here)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("raise", "rank 1: ValueError: only here"),
        ("both", "ValueError: everywhere"),
        ("uneven", "rank 0 yielded step 1 where rank 1 yielded step 2: every rank must yield the same steps"),
    ],
)
def test_a_trial_whose_ranks_fail_or_come_apart_fails_and_the_next_one_trains(
    mode: str, reason: str, trained: Apart
) -> None:
    trained.admit(Job(0, {"mode": mode, "seed": 1}))
    while isinstance(failed := next_of(trained), Point):
        pass
    assert isinstance(failed, Failed)
    assert failed.reason == reason
    trained.admit(Job(1, {"seed": 2}))
    assert isinstance(next_of(trained), Point)


@pytest.mark.slow
def test_ranks_go_on_from_what_rank_0_has_saved(task: Task, tmp_path: Path) -> None:
    kept = str(tmp_path / "kept")
    first = processes.make(task, workers=1)
    first.admit(Job(0, {"seed": 3, "epochs": 6}, checkpoints=kept))
    seen = [next_of(first) for _ in range(3)]
    first.close()
    second = processes.make(task, workers=1)
    second.admit(Job(0, {"seed": 3, "epochs": 6}, done=2, checkpoints=kept))
    rest = [next_of(second) for _ in range(4)]
    second.close()
    points = [event for event in [*seen[:2], *rest] if isinstance(event, Point)]
    assert [event.step for event in points] == [1, 2, 3, 4, 5, 6]
    assert points[2].metrics["started"] == 2
    assert [event.metrics["loss"] for event in points] == pytest.approx(reference(0.1, 3, 6), abs=1e-12)


@pytest.mark.slow
def test_trials_of_several_processes_train_side_by_side_and_leave_none_behind(task: Task) -> None:
    executor = processes.make(task, workers=2)
    for number in (0, 1):
        executor.admit(Job(number, {"seed": number, "epochs": 50}))
    pids: dict[int, int] = {}
    while len(pids) < 2:
        pids |= {e.number: int(e.metrics["pid"]) for e in executor.advance() if isinstance(e, Point)}
    ranks = [pid for here in pids.values() for pid in (here, *children(here))]
    assert len(ranks) == 4
    os.kill(pids[0], signal.SIGKILL)  # rank 0 has no time to clean up
    executor.close()
    assert all(map(gone, ranks))
