"""One trial as an iterator over its learning curve, whatever the objective is: generator, function, model or command.

The training code knows nothing of the engine; here its forms are made one.
"""

from __future__ import annotations

import inspect
import math
import numbers
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import is_dataclass, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from hpo.search.contracts.predicted import PartName, Predicted
from hpo.search.describe.objective import FILLED, Objective, describe, import_module
from hpo.search.describe.trial_loading import function_in
from hpo.search.running import ambient, ranks
from hpo.search.running.checkpoints import Checkpoints
from hpo.search.running.command import CommandFailed, run_command
from hpo.search.running.forks import stay
from hpo.search.running.shared import memory_full
from hpo.search.running.suggesting import suggesting
from hpo.search.running.told import printable, text_of, told
from hpo.search.terms import registry
from hpo.search.terms.errors import DISK_FAILS, DataError, OutOfTime, OutputError, UserError
from hpo.search.terms.job import Failed, Finished, Job, Point, Task
from hpo.search.terms.study import Goal

VALUE = "value"
"""Metric name of an objective that yields or returns a bare number."""

LAST_STEP = 2**63 - 1
"""The largest step that every kind of store holds."""


class Run:
    """One training run: iterate for its points.

    Attributes:
        step: the last point's: what it says itself under ``step``, else its place in the curve, from 1 on.
        fitted: what the objective returned at its end, if anything.
        points: (step, metrics) of its curve so far, where its job asks for predictions.
        checkpoints: its own, None where it keeps none.
        ambient: see ``ambient``.
    """

    def __init__(self, points: Iterator[Any], checkpoints: Checkpoints | None = None) -> None:
        self._points = points
        self.checkpoints = checkpoints
        self.step = 0
        self.fitted: Any = None
        self.points: list[tuple[int, Mapping[str, float]]] = []
        self.ambient: Callable[[], None] | None = None

    def __iter__(self) -> Run:
        return self

    def __next__(self) -> dict[str, float]:
        ambient.enter(self)
        try:
            point = next(self._points)
        except StopIteration as end:
            self.fitted = end.value
            self._leave()
            raise StopIteration from None
        metrics = as_metrics(point)
        if self.checkpoints is not None and self.checkpoints.restored and "step" not in metrics:
            raise UserError(
                "taken up from a checkpoint, the objective must say which step a point is: yield step with each point"
            )
        self.step = _step(point, self.step)
        if self.checkpoints is not None:
            self.checkpoints.keep(self.step)
        return metrics

    def close(self) -> None:
        """Stop training now; the objective's ``finally`` blocks run, and what they raise is only warned about."""
        close = getattr(self._points, "close", None)
        if close is not None:
            ambient.enter(self)
            try:
                stay(close)
            except (Exception, SystemExit) as error:
                text = f"stopping a trial early, its objective raised {told(error)}"
                warnings.warn(text, RuntimeWarning, stacklevel=2)
        self._leave()

    def _leave(self) -> None:
        ambient.leave(self)
        if self.checkpoints is not None:
            self.checkpoints.leave()


def kept(
    fitted: Any, goals: Sequence[Goal], points: Sequence[tuple[int, Mapping[str, float]]]
) -> tuple[Any, Mapping[str, float]]:
    """The model that a trial's value stands for, and the metrics of its point.

    Where the value is the best point's, a model with ``at(step)`` goes back to that point; any other stays as training
    left it.

    Args:
        fitted: what the objective returned.
        goals: of the study.
        points: (step, metrics) of the whole curve.
    """
    goal, last = goals[0], points[-1][1] if points else {}
    if (
        not points
        or len(goals) > 1
        or goal.aggregate not in (None, "best")
        or "fold" in last
        or not hasattr(fitted, "at")
    ):
        return fitted, last
    sign = -1.0 if goal.maximize else 1.0
    values = [sign * value_of(metrics, goal.metric, math.nan) for _, metrics in points]
    best = min(range(len(points)), key=lambda i: (math.isnan(values[i]), values[i]))
    return (fitted if best == len(points) - 1 else fitted.at(points[best][0])), points[best][1]


def value_of(metrics: Mapping[str, float], metric: str, absent: Any = None) -> Any:
    """The goal's value of a point; a bare number is the goal's, whatever that is called."""
    return metrics.get(metric, metrics[VALUE] if list(metrics) == [VALUE] else absent)


def _step(point: Any, last: int) -> int:
    """The step of a point, exact however large: what the point says under ``step``, else one more than the last.

    Raises:
        UserError: it does not grow, or is more than any store can hold.
    """
    named = point.items() if isinstance(point, Mapping) else ()
    given = next((real for name, value in named if str(name) == "step" and (real := _real(value)) is not None), None)
    if given is None:
        given = last + 1
    if (isinstance(given, float) and not given.is_integer()) or given <= last:
        after = f"follows step {last}" if last else "comes first"
        raise UserError(
            f"the objective's step {given:g} {after}: steps are whole numbers that grow, from 1 on; "
            "leave `step` out to have the points counted"
        )
    if given > LAST_STEP:
        raise UserError(f"the objective's step is too large: steps end at {LAST_STEP}; count in larger units")
    return int(given)


def as_metrics(point: Any) -> dict[str, float]:
    """Metrics of a point: a mapping of numbers, or one number.

    >>> as_metrics({"val_loss": 1, "note": "x"}), as_metrics(0.5)
    ({'val_loss': 1.0}, {'value': 0.5})

    Raises:
        UserError: it is neither.
    """
    if isinstance(point, Mapping):
        found = {str(name): number for name, value in point.items() if (number := number_of(value)) is not None}
        if found:
            return found
    elif (number := number_of(point)) is not None:
        return {VALUE: number}
    raise UserError(f"the objective must yield a number or a dict of numbers, got {str(point)[:80]!r}")


def _real(value: Any) -> int | float | None:
    """A number, or what a NumPy or PyTorch array holds that has just one; whole numbers are exact."""
    if not isinstance(value, numbers.Real):
        try:
            value = value.item()
        except (AttributeError, RuntimeError, TypeError, ValueError):
            return None
        if not isinstance(value, numbers.Real):
            return None
    if isinstance(value, numbers.Integral):
        return int(value)
    try:
        return float(value)
    except OverflowError:
        return -math.inf if value < 0 else math.inf


def number_of(value: Any) -> float | None:
    """A number of any kind, infinite where it is too large; None for what is none."""
    real = _real(value)
    try:
        return None if real is None else float(real)
    except OverflowError:
        return -math.inf if real is not None and real < 0 else math.inf


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
        if self.objective.kind != "command":
            self.module = _imported(self.objective)
            _limit_threads()

    def start(self, job: Job) -> Run:
        """Begin a run; nothing is trained before the first ``next``."""
        if self.module is None:
            return Run(run_command(self.task, job.recipe))
        if self.objective.trained_by_suite:
            return Run(registry.part("trainer").train_alone(self.module, self.task, job.recipe))
        checkpoints = None
        if job.checkpoints is not None:
            checkpoints = Checkpoints(job.checkpoints, job.keeping, ranks.own())
        return Run(_call(self.module, self.objective, self.task, job, checkpoints), checkpoints)

    def advance(self, run: Run, job: Job) -> Point | Finished | Failed:
        """Train to the next point that is not recorded yet; whatever the objective raises is the trial's end."""
        try:
            while True:
                began = time.perf_counter()
                metrics = stay(next, run)
                if job.predict_for:
                    run.points.append((run.step, dict(metrics)))
                if run.step > job.done:
                    metrics.pop("step", None)
                    return Point(job.number, run.step, metrics, time.perf_counter() - began)
        except StopIteration:
            return self._finished(run, job)
        except (KeyboardInterrupt, OutOfTime):
            raise
        except BaseException as error:  # sys.exit() in an objective must not end the search
            run.close()
            if isinstance(error, OSError) and run.checkpoints is not None and run.checkpoints.gone:
                error = OutputError(
                    f"the folder for checkpoints is gone: {run.checkpoints.gone}; bring it back (a disk that is not "
                    "mounted?), and the same command goes on from here"
                )
            return failure(job.number, error, self.objective)

    def _finished(self, run: Run, job: Job) -> Finished | Failed:
        predicted = None
        try:
            if job.predict_for:
                predicted = stay(
                    predictions, kept(run.fitted, list(map(Goal.read, job.predict_for)), run.points)[0], "validation"
                )
        except (KeyboardInterrupt, OutOfTime):
            raise
        except BaseException as error:
            return failure(job.number, error, self.objective)
        return Finished(job.number, hasattr(run.fitted, "test"), predicted)


def predictions(model: Any, part: PartName) -> Predicted | None:
    """Those of a fitted model; with what they cost, where they are on the validation part."""
    if not hasattr(model, "predicted"):
        return None
    found: Predicted = model.predicted(part)
    if part == "validation":
        milliseconds, kilobytes = model.cost()
        found = replace(found, milliseconds=milliseconds, kilobytes=kilobytes)
    return found


def _imported(objective: Objective) -> Any:
    try:
        return stay(import_module, objective)
    except ImportError as error:
        raise UserError(f"{objective.label} cannot be imported: {error}") from error
    except (Exception, SystemExit) as error:
        if objective.kind == "builtin":
            raise
        place = line_of(error, objective)
        raise UserError(f"{objective.label} cannot be imported: {told(error)}{place}") from error


def _call(
    module: Any, objective: Objective, task: Task, job: Job, checkpoints: Checkpoints | None
) -> Generator[Any, None, Any]:
    """Call the objective as its signature wants it: a generator, so that nothing happens before the first point."""
    by_trial = objective.suggestions is not None and isinstance(module, ModuleType)
    function: Callable[..., Any] = (function_in if by_trial else getattr)(module, objective.function)
    folder = checkpoints.restore(job.done) if checkpoints is not None else None
    filled = {"data": task.data, "split_seed": task.split_seed, "checkpoint": folder, "metric": task.metric}
    given = {name: value for name, value in filled.items() if value is not None or name == "checkpoint"}
    values = {**{name: value for name, value in given.items() if name in objective.filled}, **job.recipe}
    if objective.suggestions is not None:
        reports = objective.suggestions.reports
        return (yield from suggesting(function, job.number, job.recipe, reports=reports, directions=task.directions))
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
    if isinstance(made, Iterator):
        return (yield from made)
    yield made
    return None


def _dataclass_of(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    hint = parameter.annotation
    if isinstance(hint, str):  # only this one is looked up: others may be imported for type checkers alone
        hint = getattr(inspect.unwrap(function), "__globals__", {}).get(hint)
    return hint if isinstance(hint, type) and is_dataclass(hint) else None


def failure(number: int, error: BaseException, objective: Objective) -> Failed:
    """A trial's end by an exception: a reason in one line, and the last frames in the user's file."""
    if isinstance(error, (DataError, OutputError)):
        return Failed(number, text_of(error), fatal=type(error))
    if isinstance(error, (UserError, CommandFailed)):
        return Failed(number, text_of(error))
    full = memory_full(error)
    if full or (isinstance(error, OSError) and error.errno in DISK_FAILS):  # no recipe's fault, and the next one's too
        line = line_of(error, objective)
        place = f"{line} of {objective.label}" if line else ""
        reason = f"{told(error)}{place}: {full or 'make room there'}; the same command goes on from here"
        return Failed(number, reason, _frames(error, objective), fatal=OutputError)
    if isinstance(error, MemoryError):
        return Failed(number, "ran out of memory", _frames(error, objective))
    return Failed(number, told(error), _frames(error, objective))


def line_of(error: BaseException, objective: Objective) -> str:
    """`` in line 7``, the last line of the objective's own file that the error came through; empty without one."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if objective.path is not None and frame.filename == str(objective.path)]
    return f" in line {lines[-1]}" if lines and objective.kind != "builtin" else ""


def _frames(error: BaseException, objective: Objective) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if objective.path is not None and frame.filename == str(objective.path)]
    return printable("".join(traceback.format_list(own or frames[-3:]))) + told(error)


def _limit_threads() -> None:
    """Small models train fastest on one thread per process; OpenMP teams on a busy machine collapse."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)
