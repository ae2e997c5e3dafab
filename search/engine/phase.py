"""A loop at work: what every part of a run shares, who watches it, and how it is stopped."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.search.contracts.executor import Executor
from hpo.search.describe.objective import Objective, import_module
from hpo.search.engine.loop import Loop
from hpo.search.engine.rules import Silent
from hpo.search.store import Store
from hpo.search.terms.job import Task
from hpo.search.terms.recipe import derive_seed
from hpo.search.terms.space import Choice, Int
from hpo.search.terms.study import Study


class Progress(Silent):
    """Observer of a whole run: the search, then the fresh runs. Does nothing; the terminal's view derives from it."""

    def opened(self, loop: Loop, phase: str) -> None:
        """A loop is about to run: phase ``search`` or ``confirm``."""

    def say(self, message: str) -> None:
        """Something the user should know."""


@dataclass(frozen=True)
class Context:
    """What the parts of a run share."""

    study: Study
    objective: Objective
    store: Store
    executor: Executor
    progress: Progress


def task_of(study: Study) -> Task:
    """What every trial of a study trains."""
    split = derive_seed(study.seed, "split")
    return Task(study.objective, study.data, split, str(study.folder), study.device, study.memory_limit)


def drive(loop: Loop, progress: Progress, phase: str) -> None:
    """Run a loop; the first Ctrl-C ends it after the round is recorded, the second at once."""

    def on_signal(signum: int, frame: Any) -> None:
        if loop.stop:
            raise KeyboardInterrupt
        loop.stop = True
        progress.say("stopping after this round is recorded (again to stop now)")

    handlers = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handlers[number] = signal.signal(number, on_signal)
    try:
        progress.opened(loop, phase)
        loop.run()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def horizon_of(study: Study, objective: Objective) -> Callable[[Mapping[str, Any]], int | None]:
    """How many points a recipe's complete curve has.

    The objective's own ``horizon(recipe)`` where a built-in one has it; else the knob ``epochs`` or its default.
    """
    own = getattr(import_module(objective), "horizon", None) if objective.kind == "builtin" else None
    knob = objective.signature.knobs.get("epochs")
    default = knob.default if knob is not None and isinstance(knob.default, int) else None
    longest = default
    if "epochs" in study.space.names():
        domain = study.space["epochs"].domain
        listed = [value for value in domain.values if isinstance(value, int)] if isinstance(domain, Choice) else []
        longest = domain.high if isinstance(domain, Int) else max(listed, default=default)

    def horizon(recipe: Mapping[str, Any]) -> int | None:
        known = {"epochs": longest, **recipe} if longest else recipe
        found: int | None = own(known) if own is not None else known.get("epochs")
        return found

    return horizon


def scratch_of(study: Study, objective: Objective) -> Callable[[int], str | None]:
    """A folder for each trial's checkpoints, where the objective has a parameter ``checkpoint``."""
    if "checkpoint" not in objective.signature.knobs:
        return lambda number: None

    def folder(number: int) -> str:
        path = _checkpoints(study.name) / str(number)
        path.mkdir(parents=True, exist_ok=True)
        return str(path)

    return folder


def drop_scratch(name: str) -> None:
    """Remove a study's checkpoints: those of trials that have ended, or of an earlier study of the same name."""
    shutil.rmtree(_checkpoints(name), ignore_errors=True)


def _checkpoints(name: str) -> Path:
    return Path(".hpo", "checkpoints", name).absolute()
