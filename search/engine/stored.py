"""Trials of a study as earlier runs have left them in its store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hpo.search.engine.entry import Entry
from hpo.search.store import attributes
from hpo.search.terms.recipe import digest
from hpo.search.terms.value import Tally

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from hpo.search.terms.study import Study


class Stored:
    """Reads a study's trials.

    Args:
        study: whose trials they are.
        recipe: completes a point to the recipe of the trial with that number.
        judged: which goal curves are judged by.
    """

    def __init__(self, study: Study, recipe: Callable[[Mapping[str, Any], int], dict[str, Any]], judged: int) -> None:
        self._study, self._recipe, self._judged = study, recipe, judged

    def entry(self, trial: FrozenTrial) -> Entry:
        """A trial with all that is stored of it."""
        goals, attrs = self._study.goals, trial.user_attrs
        known = attributes.read_trial(trial, goals, self._judged)
        point = dict(known.point)
        recipe = self._recipe(point, trial.number) | ({"seed": known.seed} if known.seed is not None else {})
        entry = Entry(trial.number, trial._trial_id, recipe, point, self.key(trial))
        entry.state = "running" if trial.state.name == "WAITING" else known.state
        entry.curve, entry.outlook, entry.metrics = known.curve, known.outlook, dict(known.metrics)
        entry.seconds, entry.reason, entry.evidence = known.seconds, known.reason, known.evidence
        entry.retry_of = attrs.get(attributes.RETRY_OF)
        entry.attempts = int(attrs.get(attributes.ATTEMPTS, 0))
        entry.nodes = tuple(attrs.get(attributes.NODES, ()))
        if entry.curve and not entry.metrics and len(goals) == 1:
            entry.metrics = {self._study.goal.metric: entry.curve[-1][1]}
        stored = attrs.get(attributes.TALLIES)
        entry.tallies = [
            Tally.read(stored[i]) if stored else Tally.of((v for _, v in entry.curve), maximize=goal.maximize)
            for i, goal in enumerate(goals)
        ]
        if entry.curve:
            entry.appraise(goals, self._judged)
        entry.missed = entry.stored_missed = int(attrs.get(attributes.MISSED, 0))
        if trial.state.name == "COMPLETE" and trial.values:
            entry.values = tuple(trial.values)
        return entry

    def key(self, trial: FrozenTrial) -> str:
        """Digest of a trial's recipe without its seed, empty where it has no knobs."""
        point, key = trial.params, attributes.fact(trial.user_attrs, attributes.RECIPE, str, "")
        space = self._study.space
        settled = space.point_of(point, self._study.fixed) if space.rounds else None
        if settled is not None and settled != point:  # an earlier version's rounding: known by what it stands for
            key = digest({**self._recipe(dict(point), trial.number), **settled}, without_seed=True)
        elif not key and point:
            key = digest(self._recipe(dict(point), trial.number), without_seed=True)
        return str(key)
