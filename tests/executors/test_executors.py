"""The contract of executors that train by the objective's own code, and what is special about processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hpo.search.contracts.executor import Executor
from hpo.search.executors import inline, processes
from hpo.search.studyfile.plugins import options_of
from hpo.search.terms import registry
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Event, Failed, Finished, Job, Lost, Point, Task

OBJECTIVE = """
import os, pathlib, random, sys, time

def train(*, epochs: int = 4, mode: str = "", seed: int = 0):
    print("chatter")
    rng = random.Random(seed)
    try:
        for epoch in range(1, epochs + 1):
            value = rng.random()
            if epoch == 2 and mode == "raise":
                raise RuntimeError("in the second epoch")
            if epoch == 2 and mode == "exit":
                sys.exit(1)
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
    finally:
        if mode == "tidy":
            pathlib.Path("tidied").write_text(str(seed))
"""
Make = Callable[[Task], Executor]
NAMES = [
    name
    for name in registry.names("executor")
    if "trained by suite" not in getattr(registry.load("executor", name), "REQUIRES", ())
]


def make(name: str, task: Task) -> Executor:
    options = {"workers": 2} if "workers" in options_of("executor", name).knobs else {}
    made: Executor = registry.load("executor", name).make(task, **options)
    return made


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    (tmp_path / "model.py").write_text(OBJECTIVE)
    monkeypatch.chdir(tmp_path)
    return Task(str(tmp_path / "model.py"), folder=str(tmp_path))


@pytest.fixture(params=NAMES)
def executor(request: pytest.FixtureRequest, task: Task) -> Iterator[Executor]:
    made = make(request.param, task)
    yield made
    made.close()
    made.close()


@pytest.fixture
def workers(task: Task) -> Iterator[processes.Processes]:
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


def test_a_curve_is_that_of_its_recipe_wherever_it_is_trained(executor: Executor, task: Task) -> None:
    assert curve(executor, job(3)) == curve(inline.make(task), job(3))
    assert len(curve(executor, job(4, epochs=7))) == 7


def test_a_trial_catches_up_to_what_is_recorded(executor: Executor) -> None:
    whole = curve(executor, job(1))
    assert curve(executor, job(1, done=2)) == whole[2:]
    assert curve(executor, job(1, done=4)) == []


def test_a_kept_trial_goes_on_where_it_stopped(executor: Executor) -> None:
    whole = curve(executor, job(1))
    executor.admit(job(1))
    seen = [next_of(executor, 1) for _ in range(2)]
    executor.evict(1, keep=True)
    assert len(curve(executor, job(2))) == 4
    seen += [Point(1, 3 + i, {"loss": value}) for i, value in enumerate(curve(executor, job(1, done=2)))]
    assert [event.metrics["loss"] for event in seen if isinstance(event, Point)] == whole


@pytest.mark.parametrize("make", [inline.make, lambda task, paused: processes.make(task, workers=1, paused=paused)])
def test_of_more_paused_trials_than_are_held_the_longest_paused_are_trained_again(
    task: Task, tmp_path: Path, make: Callable[..., Executor]
) -> None:
    whole = [curve(inline.make(task), job(number)) for number in range(4)]
    executor = make(task, paused=2)
    for number in range(4):
        executor.admit(job(number, mode="tidy"))
        next_of(executor, number)
        executor.evict(number, keep=True)
    executor.admit(job(9))  # a worker has done what it was told before
    next_of(executor, 9)
    executor.evict(9)
    assert (tmp_path / "tidied").read_text() == "1"  # 0 and 1 were closed, in this order
    assert [curve(executor, job(number, done=1, mode="tidy")) for number in range(4)] == [own[1:] for own in whole]
    executor.close()


@pytest.mark.parametrize("make", [inline.make, processes.make])
def test_what_is_held_is_a_number_of_trials(task: Task, make: Callable[..., Executor]) -> None:
    with pytest.raises(UserError, match="paused is a number of trials"):
        make(task, paused=-1)


def test_it_has_as_many_lanes_as_it_says_and_each_has_news(executor: Executor) -> None:
    for number in range(executor.lanes):
        executor.admit(job(number))
    heard = set[int]()
    while len(heard) < executor.lanes:
        heard |= {event.number for event in executor.advance()}
    assert heard == set(range(executor.lanes))


def test_an_evicted_trial_frees_its_lane_and_starts_afresh(executor: Executor) -> None:
    executor.admit(job(1))
    first = next_of(executor, 1)
    executor.evict(1)
    executor.evict(1)
    executor.admit(job(1))
    again = next_of(executor, 1)
    assert isinstance(first, Point)
    assert isinstance(again, Point)
    assert again.metrics["loss"] == first.metrics["loss"]


def test_a_dropped_trial_cleans_up_after_itself(executor: Executor, tmp_path: Path) -> None:
    executor.admit(job(8, mode="tidy"))
    next_of(executor, 8)
    executor.evict(8)
    executor.close()
    assert (tmp_path / "tidied").read_text() == "8"


@pytest.mark.parametrize(
    ("mode", "reason"), [("raise", "RuntimeError: in the second epoch"), ("exit", "SystemExit: 1")]
)
def test_an_exception_ends_its_trial_and_nothing_else(executor: Executor, mode: str, reason: str) -> None:
    executor.admit(job(1, mode=mode))
    assert isinstance(next_of(executor, 1), Point)
    end = next_of(executor, 1)
    assert isinstance(end, Failed)
    assert end.reason == reason
    assert "model.py" in end.detail
    assert len(curve(executor, job(2))) == 4


def test_a_worker_that_runs_out_of_memory_says_so(workers: processes.Processes) -> None:
    workers.admit(job(1, mode="memory"))
    next_of(workers, 1)
    end = next_of(workers, 1)
    assert isinstance(end, Failed)
    assert end.reason == "ran out of memory"


def test_a_worker_that_dies_loses_its_trial_and_the_lane_goes_on(workers: processes.Processes) -> None:
    workers.admit(job(1, mode="die"))
    assert isinstance(next_of(workers, 1), Point)
    assert next_of(workers, 1) == Lost(1, "its worker ended with exit code 7")
    assert len(curve(workers, job(1))) == 4


def test_a_worker_that_dies_is_seen_although_its_forked_helper_lives_and_takes_that_with_it(
    workers: processes.Processes,
) -> None:
    workers.admit(job(1, mode="helper"))
    point = next_of(workers, 1)
    assert isinstance(point, Point)
    assert next_of(workers, 1) == Lost(1, "its worker ended with exit code 7")
    until = time.monotonic() + 30
    while members := alive(int(point.metrics["pid"])):
        assert time.monotonic() < until, members
        time.sleep(0.05)


def test_an_executor_whose_time_is_up_returns_from_a_step_that_hangs(workers: processes.Processes) -> None:
    workers.admit(job(1, mode="hang"))
    next_of(workers, 1)
    until = time.monotonic() + 1
    workers.expired = lambda: time.monotonic() > until
    assert workers.advance() == []
    workers.evict(1)
    workers.expired = lambda: False
    assert len(curve(workers, job(2))) == 4


def test_a_killed_worker_is_replaced_and_what_it_kept_is_trained_again(workers: processes.Processes) -> None:
    whole = curve(workers, job(1))
    workers.admit(job(1))
    point = next_of(workers, 1)
    assert isinstance(point, Point)
    workers.evict(1, keep=True)
    os.kill(int(point.metrics["pid"]), signal.SIGKILL)
    time.sleep(0.5)
    assert len(curve(workers, job(2))) == 4
    assert curve(workers, job(1, done=1)) == whole[1:]


def test_a_worker_killed_while_it_trains_is_noticed(workers: processes.Processes) -> None:
    workers.admit(job(1, mode="hang"))
    point = next_of(workers, 1)
    assert isinstance(point, Point)
    os.kill(int(point.metrics["pid"]), signal.SIGKILL)
    assert next_of(workers, 1) == Lost(1, "its worker was killed by SIGKILL (out of memory?)")


def test_a_hanging_trial_can_be_evicted_while_another_trains(workers: processes.Processes) -> None:
    workers.admit(job(1, mode="hang"))
    next_of(workers, 1)
    workers.admit(job(2))
    while not isinstance(next_of(workers, 2), Finished):
        pass
    workers.evict(1)
    assert len(curve(workers, job(3))) == 4


def test_each_lane_has_a_process_of_its_own(workers: processes.Processes) -> None:
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
