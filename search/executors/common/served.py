"""The far end of a worker's pipe: an executor of its own that does what the messages say; see ``channel`` for these."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from multiprocessing.connection import Connection
from threading import Lock
from typing import Any

from hpo.search.contracts.executor import Executor
from hpo.search.describe import live
from hpo.search.executors.common.channel import Answer, Reply, WorkerDied
from hpo.search.executors.common.logged import Logged
from hpo.search.executors.common.peers import GiveUp, Peers
from hpo.search.executors.common.worker import READY
from hpo.search.running.forks import not_in_children, stay
from hpo.search.running.lifeline import die_with_parent
from hpo.search.running.log import append, captured_descriptors, held
from hpo.search.running.ranks import Seat, take
from hpo.search.terms import registry
from hpo.search.terms.errors import HpoError, UserError
from hpo.search.terms.job import Event, Failed, Task
from hpo.search.terms.warned import once


def main(fd: int, parent: int) -> None:
    """Work until the other end of the pipe is closed; ``fd`` is this end, ``parent`` the process at the other."""
    os.set_inheritable(fd, False)  # else a child of the objective's would keep the pipe open
    die_with_parent(parent)
    warned: list[str] = []
    with contextlib.suppress(EOFError, ConnectionError), Connection(fd) as pipe, once(warned.append):
        not_in_children(pipe)
        task, name, options, seat = pipe.recv()
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)  # the live view shows the newest line
        speech = _Speech(pipe)
        try:
            desk = Desk(task, name, options, warned, seat, speech.give_up)
        except HpoError as error:
            speech.say(UserError(str(error)))
            return
        speech.say(READY)
        with closing(desk):
            while True:
                answer = desk.obey(*pipe.recv())
                if answer is not None:
                    speech.say(answer)


class _Speech:
    """What is said into the pipe, by one thread at a time."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._speaking = pipe, Lock()

    def say(self, message: object) -> None:
        """Send a message; with the last one of a worker that can train no more this process ends."""
        if isinstance(message, WorkerDied) or (isinstance(message, Reply) and message.last):
            self._end_with(message)
        with self._speaking:
            self._pipe.send(message)

    def give_up(self, reason: str, failed: Failed | None) -> None:
        """End because the other ranks cannot go on, under a step that may never end."""
        self._end_with(WorkerDied(reason) if failed is None else Reply([failed], last=True))

    def _end_with(self, message: object) -> None:
        self._speaking.acquire()  # for good: nothing is said after this
        with contextlib.suppress(OSError):
            self._pipe.send(message)
        os.killpg(os.getpgid(0), signal.SIGKILL)


class Desk:
    """Does what the messages say, with an executor and, as rank 0 of several processes, along with the others."""

    def __init__(
        self, task: Task, name: str, options: Mapping[str, Any], warned: Sequence[str], seat: Seat | None = None,
        give_up: GiveUp | None = None,
    ) -> None:  # fmt: skip
        """Load the objective.

        Args:
            task: what is trained.
            name: the executor's.
            options: of it.
            warned: what was warned of so far, each sentence once; whoever has it adds to it.
            seat: of this process where it is another rank than 0.
            give_up: told when the other ranks cannot go on; needed where there are some.

        Raises:
            HpoError: it cannot be loaded.
        """
        self._peers: Peers | None = None
        if task.packed is not None:
            live.take(task.objective, task.packed)
        with held() as self._said:  # belongs to the log of the first trial
            if seat is not None:
                take(seat)
            elif task.processes > 1:
                assert give_up is not None
                self._peers = Peers(task, name, options, give_up)
            made: Executor = stay(partial(registry.load("executor", name).make, **options), task)
        self._executor = Logged(made, captured_descriptors)
        self._warned = warned
        self._told: set[str] = set()

    def obey(self, verb: str, *rest: Any) -> Reply | Answer | None:
        """Do one thing; the answer, where it has one."""
        if self._peers is not None:
            self._peers.send(verb, *rest)
        if verb == "admit":
            while self._said:
                append(rest[0].log, self._said.pop())
            stay(self._executor.admit, rest[0])
        elif verb == "evict":
            stay(partial(self._executor.evict, keep=rest[1]), rest[0])
        elif verb == "call":
            function, arguments = rest
            answer = Answer(stay(self._executor.call, function, *arguments))
            if self._peers is not None:
                self._peers.answers()
            return answer
        else:
            news: Sequence[Event] = stay(self._executor.advance)
            last = False
            if self._peers is not None:
                news, last = self._peers.agreed(news)
            notes = [note for note in (*self._executor.notes, *self._warned) if note not in self._told]
            self._told.update(notes)
            return Reply(news, notes, last)
        return None

    def close(self) -> None:
        """Release what the executor holds, all ranks at a time."""
        if self._peers is not None:
            self._peers.dismiss()
        self._executor.close()
        if self._peers is not None:
            self._peers.end()
