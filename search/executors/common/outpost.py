"""The far end of a Ray actor: a worker that lives on a node of the cluster and has nothing of the coordinator's disk.

The study's folder lies below Ray's session folder, and goes with the actor. What trials print and the checkpoints they
keep is carried home with each answer; nothing of it stays. Messages and answers are bytes to Ray, pickled here: by its
own way with objects each would cost as much again as the call.
"""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hpo.search.executors.common import shipped
from hpo.search.executors.common.channel import Answer, Reply
from hpo.search.executors.common.served import Desk
from hpo.search.executors.common.worker import READY
from hpo.search.running import travelling
from hpo.search.running.lifeline import die_with_parent, swept_after_us
from hpo.search.terms.errors import HpoError, UserError
from hpo.search.terms.job import Job, Task
from hpo.search.terms.threads import ENVIRONMENT
from hpo.search.terms.warned import once


@dataclass(frozen=True)
class Start:
    """What an actor is given.

    Attributes:
        task: what is trained, with the coordinator's paths.
        executor: plug-in that trains here, and its ``options``.
        home: the study's folder there, where it is shipped.
        folder: the coordinator's working directory.
    """

    task: Task
    executor: str
    options: Mapping[str, Any]
    home: str | None
    folder: str


@dataclass(frozen=True)
class Facts:
    """What an actor says of itself: id of its node, what must be the same everywhere, paths that are not there."""

    node: str
    fingerprint: Mapping[str, str]
    missing: Sequence[str]


@dataclass(frozen=True)
class Home:
    """An answer, with what goes to the coordinator's disk.

    Attributes:
        answer: to the message, where it has one.
        logs: what was printed, by the log's file name.
        kept: (trial, step, packed checkpoint), steps ascending.
    """

    answer: Reply | Answer | None
    logs: Mapping[str, str]
    kept: Sequence[tuple[int, int, bytes]]


class Outpost:
    """The actor."""

    def __init__(self, start: Start, packed: bytes | None) -> None:
        """Settle below Ray's session folder; nothing heavy is imported yet."""
        import ray

        die_with_parent(os.getppid())  # the node's daemon: without it nobody would end this process, nor free its GPU
        os.environ.update(ENVIRONMENT)
        session = ray._private.worker._global_node.get_session_dir_path()
        self._place = tempfile.mkdtemp(prefix="hpo-", dir=session)
        os.environ["TMPDIR"] = tempfile.tempdir = self._place  # what is left of anybody's goes with the actor
        swept_after_us(self._place)
        self._node = ray.get_runtime_context().get_node_id()
        self._start, self._task, self._folder = start, start.task, start.folder
        if start.home is not None:
            here = os.path.join(self._place, "study")
            shipped.unpack(packed or b"", here)
            self._task = shipped.moved(start.task, start.home, here)
            inside = start.folder.startswith(start.home + os.sep)
            self._folder = os.path.join(here, os.path.relpath(start.folder, start.home)) if inside else here
        self._desk: Desk | None = None
        self._warned: list[str] = []
        self._trials: dict[int, tuple[str, int]] = {}  # checkpoints' folder here, and the newest step known at home
        self._open = ExitStack()
        self._open.enter_context(once(self._warned.append))

    def hello(self) -> Facts:
        """Say where this is."""
        gone = [path for path in (self._folder, self._task.folder) if not os.path.isdir(path)]
        gone += shipped.missing(self._task)
        known = {} if gone else shipped.fingerprint(self._task, shipped=self._start.home is not None)
        return Facts(self._node, known, gone)

    def load(self) -> str | UserError:
        """Load the objective."""
        os.chdir(self._folder)
        sys.path.append(self._task.folder)
        try:
            self._desk = Desk(self._task, self._start.executor, self._start.options, self._warned)
        except HpoError as error:
            return UserError(str(error))
        return READY

    def obey(self, packed: bytes) -> bytes:
        """Do what the pickled messages say; the last one's answer, if any, is that of the Home that comes of it."""
        assert self._desk is not None
        answer = None
        for verb, *rest in pickle.loads(packed):
            if verb == "admit":
                rest = [self._settle(*rest)]
            elif verb == "call":
                rest[1] = [self._task if isinstance(argument, Task) else argument for argument in rest[1]]
            answer = self._desk.obey(verb, *rest)
            if verb == "evict" and not rest[1]:
                self._trials.pop(rest[0], None)
        kept = self._kept([event.number for event in answer.news] if isinstance(answer, Reply) else [])
        return pickle.dumps(Home(answer, self._printed(), kept))

    def leave(self) -> bytes:
        """Clean up; a pickled Home."""
        if self._desk is not None:
            self._desk.close()
        return pickle.dumps(Home(None, self._printed(), ()))

    def _settle(self, job: Job, known: int, packed: bytes | None) -> Job:
        """The job with paths of this node; ``packed`` is its checkpoint of step ``known``, unless that is here."""
        log = None if job.log is None else os.path.join(self._place, "logs", os.path.basename(job.log))
        if job.checkpoints is None or not travelling.travels(job.checkpoints):
            return replace(job, log=log)
        folder = os.path.join(self._place, "checkpoints", str(job.number))
        if packed is not None:
            travelling.Arrivals(folder).lay(known, packed)
        self._trials[job.number] = folder, known
        return replace(job, log=log, checkpoints=folder)

    def _kept(self, numbers: Sequence[int]) -> list[tuple[int, int, bytes]]:
        """Checkpoints that these trials have kept since they were last asked; only the newest is of use at home."""
        found = []
        for number in numbers:
            folder, known = self._trials.get(number, ("", 0))
            steps = [step for step in travelling.steps(folder) if step > known] if folder else []
            if steps:
                found.append((number, steps[-1], travelling.pack(folder, steps[-1])))
                self._trials[number] = folder, steps[-1]
        return found

    def _printed(self) -> dict[str, str]:
        """What was printed since it was last asked."""
        printed = {}
        for log in Path(self._place, "logs").glob("*.log"):
            with log.open("r+b") as file:
                printed[log.name] = file.read().decode(errors="replace")
                file.truncate(0)
        return {name: text for name, text in printed.items() if text}
