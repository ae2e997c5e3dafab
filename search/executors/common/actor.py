"""This end of one Ray actor: what it is sent, and what it brings home."""

from __future__ import annotations

import contextlib
import pickle
import textwrap
import time
import warnings
from collections import deque
from pathlib import Path
from typing import Any, Protocol

from hpo.search.executors.common.channel import Answer, Reply, WorkerDied
from hpo.search.executors.common.outpost import Home
from hpo.search.executors.common.worker import READY
from hpo.search.running import travelling
from hpo.search.running.carried import Damaged
from hpo.search.running.log import append, trim
from hpo.search.terms.errors import Advice, UserError
from hpo.search.terms.job import Job, Point


class Cluster(Protocol):
    """What an actor needs of the cluster: the module ``ray``, a new actor, and to hear what it answers."""

    ray: Any

    def make(self) -> Any:
        """A new actor's handle."""

    def post(self, actor: Actor, reference: Any) -> None:
        """Hear an answer when it is there."""


class Actor:
    """This end of one actor."""

    def __init__(self, crew: Cluster) -> None:
        self.ready = self.placed = self.dead = False
        self.node = self.place = ""  # its name, its id
        self.asked = time.monotonic()  # for a place
        self.heard: deque[Any] = deque()
        self._crew = crew
        self._messages: list[tuple[Any, ...]] = []
        self._given = False  # a trial, which may be the cause of its death before it said that it is ready
        self._arrivals: dict[int, travelling.Arrivals] = {}
        self._known: dict[int, int] = {}  # newest step of a trial's checkpoints that is there
        self._logs: Path | None = None
        self._leaving: Any = None
        self._why: Exception | None = None  # it is dead
        self._begin()

    def elsewhere(self) -> None:
        """Look for another place: the one that it has found will not do, or is gone."""
        self._crew.ray.kill(self.handle)
        self.asked, self.placed, self.ready = time.monotonic(), False, False
        self.dead, self._why = False, None
        self._begin()

    def _begin(self) -> None:
        self.handle = self._crew.make()
        self._crew.post(self, self.handle.hello.remote())

    def settle(self, node: str, place: str) -> None:
        """It has its place, a node of this name and id: what it trains is to be loaded."""
        self.placed, self.node, self.place = True, node, place
        self._crew.post(self, self.handle.load.remote())

    def send(self, *message: Any) -> None:
        """Send a message; a job goes with the word to advance, as a call costs most of what a point costs here."""
        if self.dead:
            return
        verb = message[0]
        if verb == "admit":
            self._given = True
            message = (verb, *self._packed(message[1]))
        elif verb == "evict" and not message[2]:
            self._forget(message[1])
        self._messages.append(message)
        if verb != "admit":
            messages, self._messages = self._messages, []
            self._crew.post(self, self.handle.obey.remote(pickle.dumps(messages)))

    def receive(self) -> Reply | Answer | None:
        """Take the next reply; None while there is none.

        Raises:
            WorkerDied: it, or its node, is gone.
            UserError: it cannot start.
        """
        if not self.heard:
            if self._why is not None:  # asked once more: it has not come back
                raise self._why
            return None
        heard = self.heard.popleft()
        if isinstance(heard, Exception):
            self.dead, self._why = True, heard if isinstance(heard, UserError) else self._death(heard)
            raise self._why
        if isinstance(heard, bytes):
            home: Home = pickle.loads(heard)
            self._bring(home)
            return home.answer
        self.ready = self.ready or heard == READY
        return None

    def close(self) -> None:
        """Let it clean up."""
        if self.ready and not self.dead and self._leaving is None:
            self._leaving = self.handle.leave.remote()

    def end(self, *, grace: float) -> None:
        """Wait so many seconds for its cleaning up, then kill it, and all that it has started."""
        if grace and self._leaving is not None:
            with contextlib.suppress(Exception):  # dead, or too slow
                self._bring(pickle.loads(self._crew.ray.get(self._leaving, timeout=grace)))
        self.dead, self.placed = True, False
        self.heard.clear()
        with contextlib.suppress(Exception):
            self._crew.ray.kill(self.handle)

    def _packed(self, job: Job) -> tuple[Job, int, bytes | None]:
        """A job with its newest checkpoint, unless the actor has that already."""
        self._logs = self._logs if job.log is None else Path(job.log).parent
        if job.checkpoints is None or not travelling.travels(job.checkpoints):
            return job, 0, None
        step = travelling.newest(job.checkpoints, job.done)
        packed = None
        if step and self._known.get(job.number) != step:
            packed = travelling.pack(job.checkpoints, step)
        self._arrivals[job.number] = travelling.Arrivals(job.checkpoints)
        self._known[job.number] = step
        return job, step, packed

    def _bring(self, home: Home) -> None:
        """Lay down here what a trial has left there."""
        for number, step, packed in home.kept:
            arrivals = self._arrivals.get(number)
            if arrivals is not None:
                try:
                    arrivals.lay(step, packed)
                    self._known[number] = step
                except (OSError, Damaged) as error:  # the trial goes on; taken up again it starts from an earlier one
                    told = f"a checkpoint could not be kept: {getattr(error, 'strerror', None) or error}"
                    warnings.warn(told, Advice, stacklevel=2)
        logs = self._logs
        for name, text in home.logs.items():
            append(str(logs / name) if logs is not None else None, text)
            if logs is not None:
                trim(logs / name)
        for event in home.answer.news if isinstance(home.answer, Reply) else ():
            if not isinstance(event, Point):
                self._forget(event.number)

    def _forget(self, number: int) -> None:
        self._arrivals.pop(number, None)
        self._known.pop(number, None)

    def _death(self, error: Exception) -> Exception:
        if isinstance(error, WorkerDied):
            return error
        exceptions = self._crew.ray.exceptions
        text = " ".join(str(error).split())
        if isinstance(error, exceptions.RayActorError) and not error.actor_init_failed:
            if error.preempted or "node has died" in text or "node was terminated" in text:
                return WorkerDied(f"its node {self.node} is gone".replace("  ", " "), fault=False)
            if self.placed and not self.ready and not self._given:
                return UserError(f"a worker on {self.node} ended before it could train: {_reason(text)}")
            return WorkerDied(f"its worker on {self.node} was lost: {_reason(text)}", fault=self.ready or self._given)
        return error if self.placed else UserError(f"a worker cannot start on the cluster: {text[-300:]}")


def _reason(text: str) -> str:
    """What Ray says of a death: the exit code where it knows that, else that it knows nothing, with likely causes.

    >>> _reason("Worker exit type: SYSTEM_ERROR Worker exit detail: Worker exits with an exit code 4.")
    'Worker exits with an exit code 4.'
    """
    detail = (text.partition("Worker exit detail:")[2] or text).strip()
    if "End of file" in detail:  # of the line to the process; what follows is advice about Ray's own settings
        return "the process ended without an exit code that Ray saw (killed, out of memory, crashed, or os._exit)"
    return textwrap.shorten(detail, 400, placeholder=" ...")
