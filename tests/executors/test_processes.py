"""What is special about executor processes: workers that die, hang, or cannot start, and time that is up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpo.search.contracts.executor import Executor
from hpo.search.executors import processes
from hpo.search.executors.common.apart import Apart
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Event, Failed, Finished, Job, Lost, Point, Task

OBJECTIVE = """
import os, random, time

def train(*, epochs: int = 4, mode: str = "", seed: int = 0):
    print("chatter")
    rng = random.Random(seed)
    for epoch in range(1, epochs + 1):
        value = rng.random()
        if epoch == 2 and mode == "die":
            os._exit(7)
        if epoch == 2 and mode == "helper" and os.fork() == 0:
            time.sleep(600)
        if epoch == 2 and mode == "helper":
            os._exit(7)
        if epoch == 2 and mode == "memory":
            import resource
            resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
            bytearray(2**33)
        if epoch == 2 and mode == "hang":
            time.sleep(600)
        yield {"loss": value, "pid": os.getpid()}
"""


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    (tmp_path / "model.py").write_text(OBJECTIVE)
    monkeypatch.chdir(tmp_path)
    return Task(str(tmp_path / "model.py"), folder=str(tmp_path))


@pytest.fixture
def workers(task: Task) -> Iterator[Apart]:
    made = processes.make(task, workers=2)
    yield made
    made.close()


def next_of(executor: Executor, number: int) -> Event:
    """The trial's next event; those of others go their way."""
    while True:
        for event in executor.advance():
            if event.number == number:
                return event


def job(number: int, done: int = 0, **recipe: object) -> Job:
    return Job(number, {"seed": number, **recipe}, done)


def alive(group: int) -> list[str]:
    """Processes of a group that have not ended (Linux)."""
    states = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, own = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(own) == group and state not in "ZX":
            states.append(stat.parent.name)
    return states


def curve(executor: Executor, wanted: Job) -> list[float]:
    executor.admit(wanted)
    values = []
    while isinstance(event := next_of(executor, wanted.number), Point):
        values.append(event.metrics["loss"])
    assert event == Finished(wanted.number)
    return values


def test_a_worker_that_runs_out_of_memory_says_so(workers: Apart) -> None:
    workers.admit(job(1, mode="memory"))
    next_of(workers, 1)
    end = next_of(workers, 1)
    assert isinstance(end, Failed)
    assert end.reason == "ran out of memory"


def test_a_worker_that_dies_loses_its_trial_and_the_lane_goes_on(workers: Apart) -> None:
    workers.admit(job(1, mode="die"))
    assert isinstance(next_of(workers, 1), Point)
    assert next_of(workers, 1) == Lost(1, "its worker ended with exit code 7")
    assert len(curve(workers, job(1))) == 4


def test_a_worker_that_dies_is_seen_although_its_forked_helper_lives_and_takes_that_with_it(
    workers: Apart,
) -> None:
    workers.admit(job(1, mode="helper"))
    point = next_of(workers, 1)
    assert isinstance(point, Point)
    assert next_of(workers, 1) == Lost(1, "its worker ended with exit code 7")
    until = time.monotonic() + 30
    while members := alive(int(point.metrics["pid"])):
        assert time.monotonic() < until, members
        time.sleep(0.05)


def test_an_executor_whose_time_is_up_returns_from_a_step_that_hangs(workers: Apart) -> None:
    workers.admit(job(1, mode="hang"))
    next_of(workers, 1)
    until = time.monotonic() + 1
    workers.expired = lambda: time.monotonic() > until
    assert workers.advance() == []
    workers.evict(1)
    workers.expired = lambda: False
    assert len(curve(workers, job(2))) == 4


def test_a_killed_worker_is_replaced_and_what_it_kept_is_trained_again(workers: Apart) -> None:
    whole = curve(workers, job(1))
    workers.admit(job(1))
    point = next_of(workers, 1)
    assert isinstance(point, Point)
    workers.evict(1, keep=True)
    os.kill(int(point.metrics["pid"]), signal.SIGKILL)
    while alive(int(point.metrics["pid"])):
        time.sleep(0.01)
    assert len(curve(workers, job(2))) == 4
    assert curve(workers, job(1, done=1)) == whole[1:]


def test_a_worker_killed_while_it_trains_is_noticed(workers: Apart) -> None:
    workers.admit(job(1, mode="hang"))
    point = next_of(workers, 1)
    assert isinstance(point, Point)
    os.kill(int(point.metrics["pid"]), signal.SIGKILL)
    assert next_of(workers, 1) == Lost(1, "its worker was killed by SIGKILL (out of memory?)")


def test_a_hanging_trial_can_be_evicted_while_another_trains(workers: Apart) -> None:
    workers.admit(job(1, mode="hang"))
    next_of(workers, 1)
    workers.admit(job(2))
    while not isinstance(next_of(workers, 2), Finished):
        pass
    workers.evict(1)
    assert len(curve(workers, job(3))) == 4


def test_each_lane_has_a_process_of_its_own(workers: Apart) -> None:
    workers.admit(job(1))
    workers.admit(job(2))
    pids = {}
    while len(pids) < 2:  # the workers run at their own pace; no news may be passed over
        pids |= {event.number: event.metrics["pid"] for event in workers.advance() if isinstance(event, Point)}
    assert pids[1] != pids[2]
    assert os.getpid() not in pids.values()


def test_a_worker_that_cannot_import_the_objective_says_why(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("import no_such_package\ndef train(): return 1.0")
    executor = processes.make(Task(str(tmp_path / "model.py"), folder=str(tmp_path)), workers=1)
    executor.admit(job(1))
    with pytest.raises(UserError, match=r"model.py cannot be imported: No module named 'no_such_package'"):
        executor.advance()
    executor.close()


def test_a_worker_that_ends_while_importing_is_not_tried_again_and_again(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("import os\nos._exit(3)\ndef train(): return 1.0")
    executor = processes.make(Task(str(tmp_path / "model.py"), folder=str(tmp_path)), workers=1)
    executor.admit(job(1))
    with pytest.raises(UserError, match="ended with exit code 3 before it could train"):
        executor.advance()
    executor.close()


@pytest.mark.parametrize("guard", ["", "if __name__ == '__main__':\n    "])
def test_a_script_may_use_processes_with_or_without_a_main_guard(tmp_path: Path, guard: str) -> None:
    (tmp_path / "model.py").write_text(OBJECTIVE)
    settings = textwrap.dedent("""
        dict(name="s", objective="./model.py", goal="minimize loss", search={"epochs": {"choice": [2, 3]}},
             budget={"trials": 2}, executor={"processes": {"workers": 2}}, pruner="none", confirm="none")
    """).strip()
    (tmp_path / "script.py").write_text(f"import hpo\n{guard}print(len(hpo.run({settings}).trials))\n")
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2\n"
    assert "chatter" not in done.stderr
    assert all("chatter" in log.read_text() for log in tmp_path.glob(".hpo/*/logs/*/?.log"))
    assert len(list(tmp_path.glob(".hpo/*/logs/*/?.log"))) == 2
