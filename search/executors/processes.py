"""Train each trial in a worker process of its own lane.

What it does: ``workers`` spawned processes, one thread each, every one with the data loaded once; a trial waits at
each point for the word to go on, so nothing is trained that was to be stopped.
When to use it: several cores, objectives that crash or leak, trials that take seconds or more.
Cost: about two seconds of start per worker (importing torch or sklearn), a tenth of a millisecond per point.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from hpo.search.errors import HpoError, UserError
from hpo.search.executors import Event, Executor, Failed, Finished, Job, Lost, Point, Task
from hpo.search.lifeline import die_with_parent
from hpo.search.training import Run, Trainer, failure


@dataclass
class _Lane:
    process: BaseProcess
    pipe: Connection
    number: int | None = None
    waiting: bool = False  # the worker holds still until it is told to go on
    kept: set[int] = field(default_factory=set)


class Processes(Executor):
    """Lanes in spawned processes."""

    def __init__(self, task: Task, workers: int) -> None:
        self.lanes = workers
        self._task = task
        self._context = multiprocessing.get_context("spawn")
        self._lanes: list[_Lane | None] = [None] * workers

    def admit(self, job: Job) -> None:
        """Give the trial to the worker that holds it, else to the first free one."""
        free = [i for i, lane in enumerate(self._lanes) if lane is None or lane.number is None]
        assert free, "no lane is free"
        holders = [i for i in free if (lane := self._lanes[i]) is not None and job.number in lane.kept]
        index = (holders or free)[0]
        lane = self._lanes[index]
        if lane is None or not lane.process.is_alive():
            lane = self._lanes[index] = self._spawn()
        for other in self._lanes:  # state held by a busy worker is given up; the trial catches up elsewhere
            if other is not None and other is not lane and job.number in other.kept:
                other.kept.discard(job.number)
                self._send(other, ("drop", job.number))
        lane.number, lane.waiting = job.number, False
        lane.kept.discard(job.number)
        self._send(lane, ("admit", job))

    def advance(self) -> list[Event]:
        """Let waiting workers go on, then collect what has arrived, in lane order."""
        busy = [lane for lane in self._lanes if lane is not None and lane.number is not None]
        assert busy, "no trial is admitted"
        for lane in busy:
            if lane.waiting:
                lane.waiting = False
                self._send(lane, ("go",))
        wait([lane.pipe for lane in busy])
        events = [event for index in range(self.lanes) for event in self._receive(index)]
        return events or self.advance()

    def evict(self, number: int, *, keep: bool = False) -> None:
        """Stop or suspend the trial in its worker."""
        for index, lane in enumerate(self._lanes):
            if lane is not None and lane.number == number:
                if not lane.waiting:  # it trains and cannot listen: end the process
                    self._end(lane)
                    self._lanes[index] = None
                    continue
                lane.number, lane.waiting = None, False
                if keep:
                    lane.kept.add(number)
                self._send(lane, ("keep" if keep else "stop", number))
            elif lane is not None and number in lane.kept and not keep:
                lane.kept.discard(number)
                self._send(lane, ("drop", number))

    def close(self) -> None:
        """End every worker."""
        for index, lane in enumerate(self._lanes):
            if lane is not None:
                self._end(lane)
                self._lanes[index] = None

    def _spawn(self) -> _Lane:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, self._task), daemon=True)
        process.start()
        theirs.close()
        return _Lane(process, ours)

    def _receive(self, index: int) -> list[Event]:
        lane = self._lanes[index]
        if lane is None or lane.number is None or not lane.pipe.poll():
            return []
        number = lane.number
        try:
            message = lane.pipe.recv()
        except (EOFError, OSError):
            lane.process.join(timeout=5)
            code = lane.process.exitcode
            self._end(lane)
            self._lanes[index] = None
            return [Lost(number, _how_it_died(code))]
        if isinstance(message, HpoError):
            raise message
        if isinstance(message, Point):
            lane.waiting = True
        else:
            lane.number = None
        return [message]

    def _send(self, lane: _Lane, message: tuple[Any, ...]) -> None:
        with contextlib.suppress(OSError):  # a dead worker shows at the next receive
            lane.pipe.send(message)

    def _end(self, lane: _Lane) -> None:
        lane.pipe.close()
        lane.process.kill()
        lane.process.join()
        lane.process.close()


def _how_it_died(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        hint = " (out of memory?)" if code == -signal.SIGKILL else ""
        return f"its worker was killed by {name}{hint}"
    return f"its worker ended with exit code {code}"


def _work(pipe: Connection, task: Task) -> None:
    """A worker's life: admit a job, yield its points one by one, hold still after each."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    sys.stdout = sys.stderr
    try:
        trainer = Trainer(task)
    except HpoError as error:
        pipe.recv()
        pipe.send(UserError(str(error)))
        return
    runs: dict[int, tuple[Run, int]] = {}
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            verb, *rest = pipe.recv()
            if verb == "admit":
                job: Job = rest[0]
                run, step = runs.pop(job.number, None) or (trainer.start(job), 0)
                kept = _train(pipe, trainer, job, run, step)
                if kept is not None:
                    runs[job.number] = (run, kept)
            elif verb == "drop" and rest[0] in runs:
                runs.pop(rest[0])[0].close()


def _train(pipe: Connection, trainer: Trainer, job: Job, run: Run, step: int) -> int | None:
    """Train until told to stop; the step reached when told to keep the trial, else None."""
    began = time.perf_counter()
    try:
        for metrics in run:
            step = int(metrics.pop("step", step + 1))
            if step <= job.done:
                continue
            pipe.send(Point(job.number, step, metrics, time.perf_counter() - began))
            while (verb := pipe.recv()[0]) == "drop":
                pass
            if verb != "go":
                if verb == "keep":
                    return step
                run.close()
                return None
            began = time.perf_counter()
        pipe.send(Finished(job.number))
    except (EOFError, BrokenPipeError):
        raise
    except Exception as error:
        found: Failed = failure(job.number, error, trainer.objective)
        pipe.send(found)
    return None


def make(task: Task, *, workers: int = 2) -> Processes:
    """Make the executor with so many worker processes."""
    return Processes(task, workers)
