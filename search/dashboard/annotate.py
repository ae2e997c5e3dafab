"""What the suite tells the dashboard of a study: its note, and the heat map of learning rate and batch size."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hpo.search.dashboard.attributes import save_note, save_plot
from hpo.search.dashboard.note import Summary, markdown
from hpo.search.report import batch, text
from hpo.search.report.plots import Tried, rate_and_batch
from hpo.search.report.study import StudyReport, summarize
from hpo.search.store import attributes
from hpo.search.store.changes import Snapshot
from hpo.search.store.recorder import trials_of
from hpo.search.terms.winner import Winner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna import Study as Stored
    from optuna.trial import FrozenTrial

    from hpo.search.terms.study import Study

PLOT = "learning-rate-and-batch-size"

_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "unfinished", "WAITING": "waiting"}


def annotate(stored: Stored, study: Study) -> None:
    """Bring the note and plots of a stored study up to date with its trials and its attribute ``winner``.

    They depend on nothing else, and only what differs is written. A note edited by a person is left alone.
    """
    trials = trials_of(stored)
    verdict = Winner.read(stored.user_attrs.get(attributes.WINNER))
    told = batch.lines(_report(stored, study, trials)) if verdict is not None else ()
    definition = stored.user_attrs.get(attributes.DEFINITION) or {}
    beforehand = text.known(definition.get("prior", {}), definition.get("warm_start", {}))
    save_note(stored, markdown(_summary(study, trials, verdict, beforehand, told)))
    if len(study.goals) > 1:
        return
    figure = rate_and_batch(
        study.space,
        study.fixed,
        [tried for trial in trials if (tried := _tried(study, trial)) is not None],
        metric=study.goal.metric,
        maximize=study.goal.maximize,
        winner=verdict.first.trial if verdict is not None else None,
    )
    if figure is not None:
        save_plot(stored, PLOT, figure)


def _report(stored: Stored, study: Study, trials: Sequence[FrozenTrial]) -> StudyReport:
    directions = tuple(goal.direction for goal in study.goals)
    return summarize(Snapshot(study.name, directions, stored.user_attrs, {}, trials))


def _summary(
    study: Study,
    trials: Sequence[FrozenTrial],
    verdict: Winner | None,
    beforehand: str,
    told: Sequence[str],
) -> Summary:
    counts = Counter(trial.state.name for trial in trials)
    return Summary(
        study.name,
        study.question,
        [str(goal) for goal in study.goals],
        [goal.metric for goal in study.goals],
        {word: counts[state] for state, word in _STATES.items()},
        sum(len(trial.intermediate_values) for trial in trials),
        _best(study, trials),
        verdict,
        study.text,
        beforehand,
        told,
    )


def _best(study: Study, trials: Sequence[FrozenTrial]) -> tuple[int, float] | None:
    complete = [
        (trial.number, trial.value) for trial in trials if trial.state.name == "COMPLETE" and len(study.goals) == 1
    ]
    valued = [(number, value) for number, value in complete if value is not None]
    sign = -1.0 if study.goal.maximize else 1.0
    return min(valued, key=lambda item: (sign * item[1], item[0]), default=None)


def _tried(study: Study, trial: FrozenTrial) -> Tried | None:
    """A trial as a plot shows it; None when it reached nothing. A pruned one is shown with its value so far."""
    seen = attributes.read_trial(trial, study.goals)
    if not seen.values or seen.state not in ("complete", "pruned"):
        return None
    return Tried(seen.number, {**study.fixed, **seen.point}, seen.values[0], seen.state == "complete")
