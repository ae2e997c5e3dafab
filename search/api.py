"""The suite from Python: ``hpo.run`` and ``hpo.trials``; the same engine as the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.search import studyfile
from hpo.search.describe.objective import live
from hpo.search.engine import run as engine
from hpo.search.engine.context import Progress
from hpo.search.report import files, recipefile, text
from hpo.search.report.study import StudyReport, report, table
from hpo.search.store import Store, open_store
from hpo.search.store.names import CONFIRM
from hpo.search.studyfile.yaml12 import dump

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

    def export(self, path: str | Path, *, top: int = 1) -> Path:
        """Write the winner as YAML, as `hpo export` does; an existing file is replaced."""
        name = self.report.name + CONFIRM
        fresh = report(self.store, name) if name in self.store.names() else None
        files.write(Path(path), recipefile.compose(self.report, fresh, top))
        return Path(path)


def run(
    study: str | Path | Mapping[str, Any] | Callable[..., Any],
    *,
    fresh: bool = False,
    progress: Progress | None = None,
    **settings: Any,
) -> Result:
    """Run a study, or go on where it stopped.

    Args:
        study: name of a shipped study, a study file, what a study file says as a mapping, or a ``train`` function
            whose study is given by ``settings``.
        fresh: delete an earlier study of the same name first.
        progress: is told what happens; by default nothing is printed.
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
    store = engine.run(read, fresh=fresh, progress=progress)
    return Result(report(store, read.name), store)


def trials(study: str, *, storage: str | None = None) -> pandas.DataFrame:
    """One row a trial of a stored study: number, state, values, ``params_*`` and what is known of each.

    Raises:
        UserError: there is no such study.
    """
    return table(report(open_store(storage), study))


def _text(value: Any) -> str:
    """A setting as the command line would spell it."""
    return value if isinstance(value, str) else dump(value)
