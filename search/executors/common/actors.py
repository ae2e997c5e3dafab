"""Workers that are actors of a Ray cluster: Ray places them and tells of their deaths, and retries nothing.

Every answer of an actor lands in one queue, by a thread of Ray's; the one that drives the executor takes it from there.
An actor that was given up before it answered is not heard any more.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hpo.search.executors.common import shipped
from hpo.search.executors.common.actor import Actor
from hpo.search.executors.common.channel import Channel, WorkerDied
from hpo.search.executors.common.nodes import Nodes
from hpo.search.executors.common.outpost import Facts, Outpost, Start
from hpo.search.terms.errors import Advice, UserError

_SETTLE = 30.0
"""Seconds that workers for which there is room have to appear, before the search begins with those that are there."""

_TRIES = 3
"""Workers that may die before any has begun, which are placed anew."""

_TOLD, _STARTS = 10.0, 60.0
"""Seconds after which the user is told how many workers wait for room: as many as do not fit, then all."""

_LOOK = 5.0
"""Seconds between two looks at the head of the cluster."""

_DOUBT = 15.0
"""Seconds after which a worker whose line broke counts as gone with its machine, where nobody knows better."""

_AGAIN = 0.25
"""Seconds between two such questions."""

_HEADLESS = 20.0
"""Seconds without a head after which the run ends; Ray itself would end the process after a minute, without a word."""


class Actors:
    """Actors of one study.

    Args:
        ray: the module, connected.
        size: how many.
        start: what each is given.
        packed: the study's folder, where it is shipped.
        wants: resources of each, as Ray names them: ``num_cpus``, ``num_gpus``, ``resources``.
        leave: called at the end: disconnects.
    """

    ahead = True

    def __init__(
        self, ray: Any, size: int, start: Start, packed: bytes | None, wants: Mapping[str, Any],
        leave: Callable[[], None],
    ) -> None:  # fmt: skip
        self.ray, self.size = ray, size
        self._start, self._wants, self._leave = start, wants, leave
        self._packed = None if packed is None else ray.put(packed)
        spread = {"scheduling_strategy": "SPREAD", "max_restarts": 0, "max_task_retries": 0}
        self._outpost, self._options = ray.remote(Outpost), {**wants, **spread, "enable_task_events": False}
        self._here = shipped.fingerprint(start.task, shipped=packed is not None)
        self._inbox: queue.SimpleQueue[tuple[Actor, Any]] = queue.SimpleQueue()
        self._open: list[Actor] = []
        self._doubtful: dict[Actor, float] = {}  # their line broke: Ray is asked why until it knows, or this moment
        self._nodes, self._head = Nodes(ray, wants), ray.get_runtime_context().gcs_address
        self._untold: list[str] = []  # of these reasons, those that the user was not told yet
        self._looked = self._seen = self._asked = time.monotonic()
        self._told = False
        self._closed = False

    def make(self) -> Any:
        """A new actor, on none of the nodes that differ or are gone."""
        options = dict(self._options)
        if shunned := self._nodes.shunned():
            options["label_selector"] = {"ray.io/node-id": f"!in({','.join(sorted(shunned))})"}
        return self._outpost.options(**options).remote(self._start, self._packed)

    def post(self, actor: Actor, reference: Any) -> None:
        """Have an answer put into the queue, under the actor that gives it."""
        reference.future().add_done_callback(lambda future: self._inbox.put((actor, future)))

    def open(self, index: int) -> Actor:
        """Start one more; Ray says where."""
        self._open = [actor for actor in self._open if not actor.dead]
        self._open.append(Actor(self))
        return self._open[-1]

    def settle(self) -> None:
        """Wait for the workers that have room, one at least.

        Raises:
            UserError: a node differs from this one, none can train, or workers are lost one after the other.
        """
        until, left = time.monotonic() + _SETTLE, _TRIES
        while True:
            self.wait(self._open, 0.2)
            for actor in [actor for actor in self._open if actor.heard]:
                try:
                    actor.receive()
                except WorkerDied as death:  # Ray places workers on nodes that are gone, until it knows
                    left -= 1
                    if left < 0:
                        raise UserError(f"workers are lost before they can train: {death}") from death
                    actor.elsewhere()
            placed = sum(actor.placed for actor in self._open)
            if placed and (placed >= min(self.size, self._room()) or time.monotonic() > until):
                return
            if not placed and (refused := self._nodes.refused) and not self._nodes.fits(self.size):
                raise UserError("; ".join(refused.values()))  # where there seemed to be room besides is gone
            self._look()

    def wait(self, channels: Sequence[Channel], timeout: float) -> Sequence[Channel]:
        """Block until any of these has something to receive, or has found its place."""
        until = time.monotonic() + timeout
        news = False
        while not news:
            heard = [actor for actor in channels if isinstance(actor, Actor) and actor.heard]
            if heard:
                return heard
            left = until - time.monotonic()
            self._look()
            self._ask_again()
            try:
                news |= self._route(*self._inbox.get(timeout=max(0.0, left)))
                while not self._inbox.empty():
                    news |= self._route(*self._inbox.get())
            except queue.Empty:
                return []
        return [actor for actor in channels if isinstance(actor, Actor) and actor.heard]

    def close(self) -> None:
        """Leave the cluster."""
        if not self._closed:
            self._closed = True
            self._leave()

    # ---

    def _route(self, actor: Actor, future: Any) -> bool:
        """Give an answer to its actor; whether it is one that anybody waits for."""
        if actor.dead:
            return False
        error = future.exception()
        if isinstance(error, self.ray.exceptions.ActorUnavailableError):
            self._doubtful.setdefault(actor, time.monotonic() + _DOUBT)
            return False
        answer = error if error is not None else future.result()
        if actor in self._doubtful:
            del self._doubtful[actor]
            if error is None:  # it lives, but what it was asked before may be lost
                answer = WorkerDied(f"the line to its worker on {actor.node} broke", fault=False)
        elif isinstance(answer, Facts):
            return not actor.placed and self._welcome(actor, answer)
        actor.heard.append(answer)
        return True

    def _ask_again(self) -> None:
        """Ask after those whose line broke: only that tells whether the process died or its machine."""
        now = time.monotonic()
        if not self._doubtful or now < self._asked + _AGAIN:
            return
        self._asked = now
        for actor, until in list(self._doubtful.items()):
            if actor.dead:
                del self._doubtful[actor]
            elif self._nodes.is_gone(actor.place):
                del self._doubtful[actor]
                actor.heard.append(WorkerDied(f"its node {actor.node} is gone", fault=False))
            elif now > until:
                del self._doubtful[actor]
                actor.heard.append(WorkerDied(f"its node {actor.node} does not answer", fault=False))
            else:
                self.post(actor, actor.handle.hello.remote())

    def _welcome(self, actor: Actor, facts: Facts) -> bool:
        """Let an actor train, unless its node differs."""
        node = self._nodes.name(facts.node)
        if facts.missing:
            problem = f"has no {', '.join(facts.missing)}: keep that in the study's folder, or on a disk that all share"
        elif differs := shipped.differences(self._here, facts.fingerprint):
            problem = f"differs from this machine: {differs}"
        else:
            self._nodes.meet(facts.node)
            actor.settle(node, facts.node)
            self._tell_refused()
            return True
        refused = self._nodes.refused
        if facts.node not in refused:
            refused[facts.node] = f"node {node} {problem}"
            self._untold.append(refused[facts.node])
        others = any(other.placed for other in self._open)
        if others:
            self._tell_refused()
        if others or self._nodes.fits(self.size):  # this one trains where there is room, or will be
            actor.elsewhere()
            return False
        actor.heard.append(UserError("; ".join(refused.values())))
        return True

    def _tell_refused(self) -> None:
        """Say where nothing is trained; where none can train that is the end, and one message."""
        untold, self._untold = self._untold, []
        for reason in untold:
            warnings.warn(f"{reason}; nothing is trained there", Advice, stacklevel=2)

    def _room(self) -> int:
        """Workers that may be expected to find a place."""
        return max(1, self._nodes.fits(self.size))

    def _look(self) -> None:
        """Tell of workers without room; end where the cluster has lost its head.

        Raises:
            UserError: it has.
        """
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        self._looked = now
        if self._headless(now):  # who else asks Ray now waits until that ends this process
            return
        self._nodes.look_again()
        waits = [now - actor.asked for actor in self._open if not actor.placed and not actor.dead]
        beyond = self.size - self._room()  # the others may just be starting
        without = max(sum(wait > _STARTS for wait in waits), min(beyond, sum(wait > _TOLD for wait in waits)))
        if without > 0 and not self._told:
            self._told = True
            wants = ", ".join(f"{name} {some}" for name, some in self._wants.items() if some)
            warnings.warn(
                f"{without} of {self.size} workers wait for room in the cluster ({wants} each)", Advice, stacklevel=2
            )

    def _headless(self, now: float) -> bool:
        """Whether nobody answers at the cluster's head.

        Raises:
            UserError: for so long that it is gone.
        """
        host, _, port = self._head.rpartition(":")
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1.0):
            self._seen = now
        if now - self._seen > _HEADLESS:
            self._leave = lambda: None  # there is nobody to say goodbye to
            raise UserError(
                f"the head of the Ray cluster at {host}:{port} is gone; what was recorded is stored, and the same "
                "command goes on from here when the cluster is up again"
            )
        return self._seen < now
