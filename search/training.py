"""One trial as an iterator over its learning curve, whatever the objective is: generator, function, model or command.

The training code knows nothing of the engine; here its forms are made one.
"""

from __future__ import annotations

import inspect
import numbers
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hpo.search.command import run_command
from hpo.search.errors import DataError, UserError
from hpo.search.executors import Failed, Job, Task
from hpo.search.objective import COMMAND, FILLED, Objective, describe, import_module

VALUE = "value"
"""Metric name of an objective that yields or returns a bare number."""


class Run:
    """One training run: iterate for its points; ``fitted`` is what the objective returned at its end, if anything."""

    def __init__(self, points: Iterator[Any]) -> None:
        self._points = points
        self.fitted: Any = None

    def __iter__(self) -> Run:
        return self

    def __next__(self) -> dict[str, float]:
        try:
            return as_metrics(next(self._points))
        except StopIteration as end:
            self.fitted = end.value
            raise StopIteration from None

    def close(self) -> None:
        """Stop training now; the objective's ``finally`` blocks run."""
        close = getattr(self._points, "close", None)
        if close is not None:
            close()


def as_metrics(point: Any) -> dict[str, float]:
    """Metrics of a point: a mapping of numbers, or one number.

    >>> as_metrics({"val_loss": 1, "note": "x"}), as_metrics(0.5)
    ({'val_loss': 1.0}, {'value': 0.5})

    Raises:
        UserError: it is neither.
    """
    if isinstance(point, Mapping):
        found = {str(name): number for name, value in point.items() if (number := _number(value)) is not None}
        if found:
            return found
    elif (number := _number(point)) is not None:
        return {VALUE: number}
    raise UserError(f"the objective must yield a number or a dict of numbers, got {str(point)[:80]!r}")


def _number(value: Any) -> float | None:
    if isinstance(value, numbers.Real):
        return float(value)
    item = getattr(value, "item", None)  # numpy and torch scalars
    if item is not None and getattr(value, "size", 1) is not None:
        try:
            found = item()
        except (RuntimeError, ValueError, TypeError):
            return None
        return float(found) if isinstance(found, numbers.Real) else None
    return None


class Trainer:
    """Starts training runs of one objective; loads its module once."""

    def __init__(self, task: Task) -> None:
        """Load the objective.

        Raises:
            UserError: it cannot be found or imported.
        """
        self.task = task
        self.objective = describe(task.objective, Path(task.folder))
        self.module: Any = None
        if not task.objective.startswith(COMMAND):
            try:
                self.module = import_module(self.objective)
            except ImportError as error:
                raise UserError(f"{self.objective.path} cannot be imported: {error}") from error
            _limit_threads()

    def start(self, job: Job) -> Run:
        """Begin a run; nothing is trained before the first ``next``."""
        if self.module is None:
            return Run(run_command(self.task, job.recipe))
        if self.objective.trained_by_suite:
            from hpo.search.cohort import train_alone

            return Run(train_alone(self.module, self.task, job.recipe))
        return Run(_call(getattr(self.module, self.objective.function), self.objective, self.task, job))


def _call(function: Callable[..., Any], objective: Objective, task: Task, job: Job) -> Iterator[Any]:
    filled = {"data": task.data, "split_seed": task.split_seed, "checkpoint": job.scratch}
    given = {name: value for name, value in filled.items() if value is not None or name == "checkpoint"}
    values = {**{name: value for name, value in given.items() if name in FILLED}, **job.recipe}
    parameters = list(inspect.signature(function).parameters.values())
    first = parameters[0] if parameters else None
    if (
        first is not None
        and len(parameters) == 1
        and first.kind is first.POSITIONAL_OR_KEYWORD
        and first.name == "recipe"
    ):
        made = function(SimpleNamespace(**values))
    elif first is not None and len(parameters) == 1 and (recipe := _dataclass_of(function, first)) is not None:
        fields = recipe.__dataclass_fields__
        made = function(recipe(**{name: value for name, value in values.items() if name in fields}))
    elif objective.signature.open or any(p.kind is p.VAR_KEYWORD for p in parameters):
        named = {p.name for p in parameters}
        made = function(**{name: value for name, value in values.items() if name in named or name not in FILLED})
    else:
        named = {p.name for p in parameters}
        made = function(**{name: value for name, value in values.items() if name in named})
    return made if isinstance(made, (Generator, Iterator)) else iter([made])


def _dataclass_of(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    hint = parameter.annotation
    if isinstance(hint, str):  # only this one is looked up: others may be imported for type checkers alone
        hint = getattr(inspect.getmodule(function), hint, None)
    return hint if isinstance(hint, type) and is_dataclass(hint) else None


def failure(number: int, error: BaseException, objective: Objective) -> Failed:
    """A trial's end by an exception: a reason in one line, and the last frames in the user's file."""
    if isinstance(error, (UserError, DataError)):
        return Failed(number, str(error), fatal=isinstance(error, DataError))
    if isinstance(error, MemoryError):
        return Failed(number, "ran out of memory", _frames(error, objective))
    text = " ".join(str(error).split())[:300]
    return Failed(
        number, f"{type(error).__name__}: {text}" if text else type(error).__name__, _frames(error, objective)
    )


def _frames(error: BaseException, objective: Objective) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if objective.path is not None and frame.filename == str(objective.path)]
    return "".join(traceback.format_list(own or frames[-3:])) + f"{type(error).__name__}: {error}"


def _limit_threads() -> None:
    """Small models train fastest on one thread per process; OpenMP teams on a busy machine collapse."""
    import sys

    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)
