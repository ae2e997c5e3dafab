"""The other processes that train a trial with this one, which is rank 0: each does what this one is told to do.

They are workers of their own, children of this process, and do not outlive it. A thread hears what they say. One that
dies leaves the others waiting for it in a collective operation, perhaps for ever, so this process is given up with it;
one that has failed alone does the same some seconds later, for it may be that all of them are about to fail.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any

from hpo.search.executors.common.channel import GRACE, LOOK, Answer, Reply, WorkerDied
from hpo.search.executors.common.worker import Worker
from hpo.search.running import ranks
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Event, Failed, Job, Point, Task
from hpo.search.terms.study import Goal

GiveUp = Callable[[str, Failed | None], None]
"""Takes why this process cannot go on, and what its trial fails of where that is not a death; called by a thread."""


class Peers:
    """Ranks 1 and up."""

    def __init__(self, task: Task, executor: str, options: Mapping[str, Any], give_up: GiveUp) -> None:
        """Start them, and meet them.

        Args:
            task: as this process trains it.
            executor: by which plug-in.
            options: of that.
            give_up: told when this process can train no more.
        """
        port, listening = ranks.listen(task.processes)
        self._workers = [
            Worker(task, executor, options, seat=ranks.Seat(rank, task.processes, port))
            for rank in range(1, task.processes)
        ]
        self._answers: list[deque[Reply | Answer]] = [deque() for _ in self._workers]
        self._give_up = give_up
        self._news = threading.Condition()
        self._failed: tuple[float, Failed] | None = None  # since when the others wait for one that has failed
        self._ended = False
        threading.Thread(target=self._listen, daemon=True).start()
        ranks.take(ranks.Seat(0, task.processes, port), listening)

    def send(self, *message: Any) -> None:
        """Tell all of them."""
        for worker in self._workers:
            worker.send(*message)

    def answers(self, timeout: float | None = None) -> Sequence[Reply | Answer] | None:
        """The next answer of each; None where not all have given it in so many seconds."""
        with self._news:
            if not self._news.wait_for(lambda: all(self._answers), timeout):
                return None
            self._failed = None
            return [answers.popleft() for answers in self._answers]

    def agreed(self, news: Sequence[Event]) -> tuple[Sequence[Event], bool]:
        """The news that counts, this process's, where the others have the same.

        Returns:
            The news, and whether the ranks have come apart and can train nothing more.
        """
        failed = any(isinstance(event, Failed) for event in news)
        found = self.answers(GRACE if failed else None)
        if found is None:
            return news, True
        for rank, reply in enumerate(found, 1):
            others = reply.news if isinstance(reply, Reply) else ()
            if [_told(event) for event in others] != [_told(event) for event in news]:
                return [_apart(rank, event, others) for event in news], True
        return news, False

    def dismiss(self) -> None:
        """Let them clean up."""
        self._ended = True
        for worker in self._workers:
            worker.pipe.close()

    def end(self, grace: float = GRACE) -> None:
        """Wait so many seconds for their own end, then kill them."""
        self.dismiss()
        until = time.monotonic() + grace
        for worker in self._workers:
            worker.end(grace=max(0.0, until - time.monotonic()))
        ranks.leave()

    def _listen(self) -> None:
        while not self._ended:
            with contextlib.suppress(OSError, ValueError):  # closed meanwhile
                wait([worker.pipe for worker in self._workers], timeout=LOOK)
            for rank, worker in enumerate(self._workers, 1):
                try:
                    self._hear(rank, worker)
                except WorkerDied as death:
                    if not self._ended:
                        self._give_up(f"rank {rank} of its processes: {death}", None)
                    return
            if self._failed is not None and time.monotonic() - self._failed[0] > GRACE and not self._ended:
                self._give_up(self._failed[1].reason, self._failed[1])
                return

    def _hear(self, rank: int, worker: Worker) -> None:
        try:
            answer = worker.receive()
        except UserError as error:  # it cannot start; nor, most likely, can this one
            self._failed = time.monotonic(), Failed(-1, f"rank {rank} of its processes: {error}")
            return
        if answer is None:
            return
        with self._news:
            self._answers[rank - 1].append(answer)
            failed = [event for event in getattr(answer, "news", ()) if isinstance(event, Failed)]
            if failed and self._failed is None:
                reason = f"rank {rank}: {failed[0].reason}"
                self._failed = time.monotonic(), Failed(failed[0].number, reason, failed[0].detail)
            self._news.notify()


def _told(event: Event) -> object:
    """What ranks must agree in."""
    return type(event), event.number, event.step if isinstance(event, Point) else 0


def _apart(rank: int, event: Event, others: Sequence[Event]) -> Failed:
    """What becomes of a trial whose ranks have come apart."""
    other = next((other for other in others if other.number == event.number), None)
    if isinstance(other, Failed):
        return Failed(event.number, f"rank {rank}: {other.reason}", other.detail)
    if isinstance(event, Failed):
        return event
    return Failed(
        event.number,
        f"rank 0 {_words(event)} where rank {rank} {_words(other)}: every rank must yield the same steps",
    )


def _words(event: Event | None) -> str:
    return f"yielded step {event.step}" if isinstance(event, Point) else "ended" if event else "did nothing"


@contextmanager
def together(task: Task, job: Job, goals: Sequence[Goal] = ()) -> Iterator[None]:
    """Have the task's other processes train a job along with what this process does within; they are gone after it.

    Args:
        task: one for a single process is trained by this one alone.
        job: of the trial.
        goals: of the study, where the model is taken back to its best point in the end.

    Raises:
        UserError: one of them has died or failed.
    """
    if task.processes == 1:
        yield
        return
    reasons: list[str] = []
    peers = Peers(task, "inline", {}, lambda reason, _: reasons.append(reason))
    try:
        peers.send("call", follow, (task, job, tuple(goals)))
        yield
    except Exception as error:
        time.sleep(2 * LOOK)  # it may have been told of a death by a broken connection first
        if reasons:
            raise UserError(reasons[0]) from error
        raise
    finally:
        peers.end(0.0)


def follow(task: Task, job: Job, goals: Sequence[Goal]) -> None:
    """Train a job beside rank 0, as it does."""
    from hpo.search.running.training import Trainer, kept, value_of

    run = Trainer(task).start(job)
    points = [(run.step, point) for point in run]
    if goals:
        kept(
            run.fitted, goals, [(step, point) for step, point in points if value_of(point, goals[0].metric) is not None]
        )
