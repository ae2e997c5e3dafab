"""The suite from Python: ``hpo.run``, ``hpo.result`` and ``hpo.trials``; the same engine as the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.search import studyfile
from hpo.search.describe.objective import live
from hpo.search.engine import run as engine
from hpo.search.engine.checkpoints import log_of
from hpo.search.engine.context import Progress
from hpo.search.report import files, recipefile, text, tolerance
from hpo.search.report.page import cell
from hpo.search.report.page.shown import Plot
from hpo.search.report.study import StudyReport, report, table
from hpo.search.running import log
from hpo.search.store import Store, open_store
from hpo.search.store.names import CONFIRM
from hpo.search.studyfile.yaml12 import dump
from hpo.search.terms.errors import UserError
from hpo.search.terms.trial import Curve
from hpo.search.terms.trial import Trial as Known
from hpo.search.terms.warned import once
from hpo.search.views import notebook, terminal

if TYPE_CHECKING:
    import pandas

_BUDGET = ("trials", "steps", "minutes", "target")


@dataclass(frozen=True)
class Result:
    """A study that was run.

    Attributes:
        report: everything known of it, as plain data.
        store: where it lives.
    """

    report: StudyReport
    store: Store

    def __repr__(self) -> str:
        """The outcome in a line."""
        found, counts = self.report, self.report.counts
        ended = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        if found.winner is None:
            return f"<hpo.Result {found.name}: no winner yet, {ended or 'no trial'}>"
        first = found.winner.first
        values = ", ".join(
            f"{metric} {text.interval(mean, half)}"
            for metric, mean, half in zip(found.metrics, first.mean, first.halves(), strict=True)
        )
        return f"<hpo.Result {found.name}: trial {first.trial} wins, {values}; {ended}>"

    @property
    def recipe(self) -> dict[str, Any]:
        """The winner's knob values, its seed included."""
        return dict(self.report.winner.recipe) if self.report.winner else {}

    @property
    def value(self) -> float | None:
        """The winner's value for the first goal: the mean of its fresh runs, where there are any."""
        return float(self.report.winner.first.mean[0]) if self.report.winner else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of that mean; None without fresh runs."""
        first = self.report.winner.first if self.report.winner else None
        if first is None or not first.half:
            return None
        return first.mean[0] - first.half[0], first.mean[0] + first.half[0]

    @property
    def test(self) -> Mapping[str, float] | None:
        """Scores on the test split, measured once; None where the objective has none."""
        return self.report.winner.test if self.report.winner else None

    @property
    def trials(self) -> pandas.DataFrame:
        """One row a trial."""
        return table(self.report)

    @property
    def plot(self) -> Plot:
        """Its figures: ``plot.curves()``, ``.importance()``, ``.rate_by_batch()``; each shows itself in a notebook."""
        return Plot(self.report)

    def trial(self, number: int) -> Trial:
        """One trial in full.

        Raises:
            UserError: there is none of this number.
        """
        for known in self.report.trials:
            if known.number == number:
                return Trial(known, self)
        raise UserError(f"{self.report.name} has no trial {number}; it has {len(self.report.trials)}, counted from 0")

    def _repr_html_(self) -> str:
        """What a notebook shows: the answer, small figures, the best trials."""
        return cell.study(self.report)

    def export(self, path: str | Path, *, top: int = 1, within: float | None = None) -> Path:
        """Write the winner as YAML, as `hpo export` does; an existing file is replaced.

        Args:
            path: of the file.
            top: recipes at most.
            within: of several goals, how much worse at the first one the recipe may be that is best at the last.

        Raises:
            UserError: there is no winner, or nothing to choose from.
        """
        name = self.report.name + CONFIRM
        fresh = report(self.store, name) if name in self.store.names() else None
        first = None if within is None else tolerance.within(self.report, within).candidate
        files.write(Path(path), recipefile.compose(self.report, fresh, top, first))
        return Path(path)


@dataclass(frozen=True)
class Trial:
    """One trial of a study.

    Attributes:
        known: all that is known of it.
        of: the result that it belongs to.
    """

    known: Known
    of: Result

    def __repr__(self) -> str:
        """What it tried and reached, in a line."""
        known, name = self.known, self.of.report.name
        values = [f"{m} {text.short(v)}" for m, v in zip(self.of.report.metrics, known.values, strict=False)]
        reached = f", {', '.join(values)} after {len(known.curve)} steps" if values else ""
        return f"<hpo.Trial {known.number} of {name}: {known.state}{reached}; {text.recipe(known.point)}>"

    @property
    def recipe(self) -> dict[str, Any]:
        """Its values of the searched knobs."""
        return dict(self.known.point)

    @property
    def curve(self) -> Curve:
        """(step, value of the first goal), steps ascending."""
        return self.known.curve

    @property
    def log(self) -> str:
        """What it printed, the last 64 kB; empty where that is nothing or gone."""
        place = log_of(self.of.store, self.of.report.name)(self.known.number)
        return "" if place is None else log.read(Path(place))

    def _repr_html_(self) -> str:
        """What a notebook shows: its knobs, its curve among the others', the end of what it printed."""
        return cell.trial(self.of.report, self.known, self.log)


def run(
    study: str | Path | Mapping[str, Any] | Callable[..., Any],
    *,
    fresh: bool = False,
    progress: Progress | bool | None = None,
    **settings: Any,
) -> Result:
    """Run a study, or go on where it stopped.

    Args:
        study: name of a shipped study, a study file, what a study file says as a mapping, or a ``train`` function
            whose study is given by ``settings``; also an ``objective(trial)`` as Optuna takes it, whose ranges are
            read from its source.
        fresh: delete an earlier study of the same name first.
        progress: is told what happens. True shows it: a bar in a notebook, a live view in a terminal, else a line a
            trial. By default there is the bar in a notebook, and elsewhere nothing is printed.
        **settings: keys of the study file, laid over it. ``trials``, ``steps``, ``minutes`` and ``target`` belong to
            its budget; ``fixed`` and ``search`` replace single knobs.

    Raises:
        StudyFileError: mistakes in the study, all of them.
        UserError: it cannot run.

    Examples:
        >>> def train(*, x: float = 0.0):
        ...     return (x - 2) ** 2
        >>> result = run(train, search={"x": {"float": [0, 4]}}, goal="minimize value", trials=20,
        ...              confirm="none", storage=":memory:")
        >>> abs(result.recipe["x"] - 2) < 1
        True
    """
    overrides: list[tuple[str, str]] = []
    if callable(study):
        study = {"name": getattr(study, "__name__", "study"), "objective": live(study), **settings}
        budget = {key: study.pop(key) for key in _BUDGET if key in study}
        if budget:
            study["budget"] = {**study.get("budget", {}), **budget}
    else:
        for key, value in settings.items():
            if key in ("fixed", "search"):
                overrides += [("set", f"{knob}={dump(setting)}") for knob, setting in value.items()]
            else:
                overrides.append((f"budget.{key}" if key in _BUDGET else key, _text(value)))
    read = studyfile.read(study, overrides)
    with _shown(progress) as told:
        store = engine.run(read, fresh=fresh, progress=told)
    return Result(report(store, read.name), store)


@contextmanager
def _shown(progress: Progress | bool | None) -> Iterator[Progress | None]:
    """Whom to tell what happens; where that is shown, each warning of a library is told there once."""
    if isinstance(progress, Progress) or not (notebook.in_notebook() if progress is None else progress):
        yield progress if isinstance(progress, Progress) else None
    elif notebook.in_notebook():
        with notebook.Cell() as shown, once(shown.warn):
            yield shown
    elif sys.stdout.isatty():
        with terminal.Screen() as screen, once(screen.say):
            yield screen
    else:
        lines = terminal.Lines()
        with once(lines.say):
            yield lines


def result(study: str, *, storage: str | None = None) -> Result:
    """A stored study, finished or running, such as one that the command line runs.

    Raises:
        UserError: there is no such study.
    """
    store = open_store(storage)
    return Result(report(store, study), store)


def trials(study: str, *, storage: str | None = None) -> pandas.DataFrame:
    """One row a trial of a stored study: number, state, values, ``params_*`` and what is known of each.

    Raises:
        UserError: there is no such study.
    """
    return table(report(open_store(storage), study))


def _text(value: Any) -> str:
    """A setting as the command line would spell it."""
    return value if isinstance(value, str) else dump(value)
