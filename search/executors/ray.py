"""Train on the machines of a Ray cluster.

What it does: ``workers`` actors, each of which trains a trial at a time by the objective's own code, or a cohort where
the suite trains. Ray places them and tells of their deaths; this process alone decides what is trained, and again. The
study's folder is sent along, checkpoints and logs come back, nodes may come and go. One worker gives the same study as
``inline`` or ``cohort``.
When to use it: more than one machine, joined by ``ray start``, ``ray up``, KubeRay or ``ray symmetric-run``.
Options: ``workers`` = the study's; ``cpus`` = 1, ``gpus`` = 0 of each, 0.25 shares a GPU by four; ``resources`` = none,
others by their names in Ray; ``address`` = none, ``host:port`` of the cluster, else the one that RAY_ADDRESS names or
that runs on this machine, else ``local``, a Ray that is started for this run; ``lanes`` = ``auto``, trials of a cohort;
``ship`` = true, whether the study's folder is sent to the nodes, or lies on a disk that all share;
``rounds`` = ``auto``, whether cohorts move ``together`` (up to 8 workers) or each at its own pace, ``free``.
Cost: 1 to 1.6 milliseconds of this process a point; seconds of start per worker; a node that vanishes is noticed
within a second where its port refuses, after five where nothing answers.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

from hpo.search.contracts.executor import Executor
from hpo.search.describe.lanes import lanes_of
from hpo.search.describe.objective import describe
from hpo.search.executors.common import localray, shipped
from hpo.search.executors.common.actors import Actors
from hpo.search.executors.common.apart import Apart
from hpo.search.executors.common.outpost import Start
from hpo.search.executors.common.rounds import are_free, note_of
from hpo.search.executors.common.spread import Spread
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Task
from hpo.search.terms.knobs import AT_LEAST_0, AT_LEAST_1
from hpo.search.terms.threads import set_environment

REQUIRES = ("other processes",)

DISCLAIMS = ("same study",)


def make(
    task: Task,
    *,
    workers: Annotated[int, AT_LEAST_1] = 2,
    cpus: Annotated[float, AT_LEAST_0] = 1,
    gpus: Annotated[float, AT_LEAST_0] = 0,
    resources: Mapping[str, float] | None = None,
    address: str | None = None,
    lanes: Annotated[int | Literal["auto"], AT_LEAST_1] = "auto",
    ship: bool = True,
    rounds: Literal["auto", "together", "free"] = "auto",
) -> Executor:
    """Make the executor, with at least one worker in its place.

    Args:
        task: what is trained.
        workers: actors, each of which trains a trial or a cohort at a time.
        cpus: of each worker; Ray counts them, and sets no limit.
        gpus: of each worker, which sees no others; a fraction shares one.
        resources: more of each worker, by Ray's names.
        address: host:port of the cluster's head, ``auto`` for the one that runs here, ``local`` to start one.
        lanes: trials that a worker trains at a time where the suite trains; ``auto`` as of ``cohort``.
        ship: send the study's folder to the nodes.
        rounds: whether cohorts move ``together`` or each at its own pace, ``free``; ``auto`` is free above 8 workers.

    Raises:
        UserError: Ray is missing, no cluster answers, or a node differs from this machine.
    """
    if task.processes > 1:
        raise UserError("processes_per_trial is for processes of one machine: use executor: cohort or processes")
    wants = {"num_cpus": cpus, "num_gpus": gpus, "resources": dict(resources or {})}
    told = describe(task.objective, Path(task.folder))
    home = shipped.home_of(task) if ship else None
    packed = shipped.pack(home) if home is not None else None
    ray, leave = _connected(address, math.ceil(workers * cpus))
    with ExitStack() as stack:
        stack.callback(leave)
        name, options, each = "inline", dict[str, Any](), 1
        if told.trained_by_suite:
            each = lanes if lanes != "auto" else lanes_of(told)
            name, options = "cohort", {"lanes": each}
        start = Start(task, name, options, home, os.getcwd())
        crew = Actors(ray, workers, start, packed, wants, leave)
        executor: Apart | Spread
        if told.trained_by_suite:
            executor = Spread(crew, each, free=are_free(rounds, workers))
            executor.notes += note_of(rounds, workers)
        else:
            executor = Apart(crew)
        stack.pop_all()
    try:
        crew.settle()
    except BaseException:
        executor.close()
        raise
    return executor


def _connected(address: str | None, cpus: int) -> tuple[Any, Callable[[], None]]:
    """Ray, connected to a cluster, and what ends that."""
    set_environment()
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else Ray warns of what it will do one day
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # of a local Ray's: no other executor's workers give way
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "^")  # what raylets tell is told by this suite, or not at all
    try:
        import ray
    except ModuleNotFoundError:
        raise UserError("the executor ray needs Ray, which is not installed: pip install 'hpo-suite[ray]'") from None
    if ray.is_initialized():
        return ray, _ours.enter()
    if address is not None and address.startswith("ray://"):
        raise UserError(f"{address} is for Ray's client; give the head's own address, such as {address[6:-5]}6379")
    named = address if address not in (None, "auto") else os.environ.get("RAY_ADDRESS") or None
    if named not in (None, "auto", "local"):
        _reach(str(named))
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL, "namespace": "hpo"}
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    end: Callable[[], None] = ray.shutdown
    try:
        if named == "local" or not _joined(
            ray, named or "auto", quiet, needed=address is not None or named is not None
        ):
            end = localray.start(ray, max(os.cpu_count() or 1, cpus), **quiet)
    except (ray.exceptions.RayError, RuntimeError, ValueError, OSError) as error:
        raise UserError(f"Ray does not start: {' '.join(str(error).split())[:300]}") from error
    finally:
        for number, handler in handlers.items():  # Ray puts its own in their place
            with contextlib.suppress(ValueError):  # not in the main thread, where it left them alone
                signal.signal(number, handler)
    _ours.end = end
    return ray, _ours.enter()


class _Ours:
    """The connection of this process, which several executors may share; a notebook's own one stays when they leave."""

    def __init__(self) -> None:
        self.end: Callable[[], None] | None = None
        self._users = 0

    def enter(self) -> Callable[[], None]:
        """Use it; returns what ends that, to be called once."""
        self._users += 1
        return self._leave

    def _leave(self) -> None:
        self._users -= 1
        if not self._users and self.end is not None:
            end, self.end = self.end, None
            end()


_ours = _Ours()


def _joined(ray: Any, address: str, quiet: Mapping[str, Any], *, needed: bool) -> bool:
    """Join a cluster that runs; False where none does and none is ``needed``.

    Raises:
        UserError: there must be one.
    """
    try:
        ray.init(address=address, **quiet)
    except ConnectionError as error:
        if not needed:
            return False
        where = "on this machine: start one with ray start --head" if address == "auto" else f"at {address}: {error}"
        raise UserError(f"no Ray cluster answers {where}") from error
    return True


def _reach(address: str) -> None:
    """Look whether anybody listens there: Ray itself would try for a minute.

    Raises:
        UserError: nobody does.
    """
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=5.0):
            return
    except (OSError, ValueError) as error:
        raise UserError(f"no Ray cluster answers at {address}: {error}") from error
