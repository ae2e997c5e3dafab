"""What a study knows before its first trial: the user's guess, and trials of earlier studies.

It is taken once, when the study first runs with it, and stored with the study: run again, the study decides the same,
although the earlier one has grown, changed or been deleted since.

The first trial starts at the guess, the next ones at the best recipes of the earlier studies; all are trained anew, so
wrong evidence costs a few trials and no more. A policy that models curves (``freeze-thaw``) is shown the guess and the
earlier trials themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any, TypeVar

import optuna

from hpo.search.describe.objective import Objective
from hpo.search.engine.definition import portable
from hpo.search.report.study import StudyReport, report
from hpo.search.store import Store, attributes
from hpo.search.store.recorder import trials_of
from hpo.search.terms.domain import Choice, Scalar
from hpo.search.terms.errors import UserError, did_you_mean
from hpo.search.terms.recipe import canonical
from hpo.search.terms.study import Study
from hpo.search.terms.trial import Trial

T = TypeVar("T")

_STARTS = 3  # recipes of each earlier study that are tried first: as many as are confirmed where nothing else is said
_TRIALS = 200  # of all earlier studies, kept at most; a policy models fewer points than that
_POINTS = 50  # of a curve, kept at most besides its best
_STATES = ("complete", "pruned", "failed")


@dataclass(frozen=True)
class WarmStart:
    """What is known beforehand.

    Attributes:
        since: number of the first trial that starts with it.
        starts: knob values at which the trials from there on start, in order; the sampler draws the missing ones.
        earlier: trials of earlier studies, numbered among themselves.
    """

    since: int = 0
    starts: tuple[Mapping[str, Scalar], ...] = ()
    earlier: tuple[Trial, ...] = ()

    def start(self, number: int) -> Mapping[str, Scalar]:
        """Knob values at which a trial starts; empty where all is left to the sampler."""
        place = number - self.since
        return self.starts[place] if 0 <= place < len(self.starts) else {}


def require(study: Study, store: Store) -> None:
    """Refuse a warm start from a study that is not in the store.

    Raises:
        UserError: it names a study that is not there.
    """
    names = [name for name in store.names() if name != study.name] if study.warm_start else []
    for name in study.warm_start:
        if name not in names:
            hint = did_you_mean(name, names) if names else "it holds no other study"
            raise UserError(
                f"warm_start: there is no study {name!r} in {store.display}" + (f": {hint}" if hint else "")
            )


def settle(
    study: Study, objective: Objective, store: Store, stored: optuna.Study, say: Callable[[str], None]
) -> dict[str, int]:
    """Take what the study names and store it, unless that was done before; say what came of it.

    Returns:
        How many trials were taken from each earlier study.

    Raises:
        UserError: an earlier study is missing, or has another goal.
    """
    known = stored._storage.get_study_system_attrs(stored._study_id).get(attributes.WARM_START) or {}
    named = canonical({"prior": study.prior, "warm_start": study.warm_start})
    if known.get("named", {"prior": {}, "warm_start": []}) == named:
        return dict(known.get("taken", {}))
    require(study, store)
    taken: dict[str, int] = {}
    best: list[list[Mapping[str, Scalar]]] = []
    trials: list[dict[str, Any]] = []
    for name in study.warm_start:
        found = report(store, name)
        _check_goals(study, found)
        inside = _inside(study, objective, found)
        taken[name] = len(inside)
        say(_told(found, len(inside)))
        best.append([point for _, point in _best(found, inside)])
        share = _evenly(inside, max(2, _TRIALS // len(study.warm_start)))
        trials += [_plain(trial, point, maximize=study.goal.maximize) for trial, point in share]
    starts = [study.prior, *chain.from_iterable(zip_longest(*best, fillvalue={}))]
    record = {
        "named": named,
        "taken": taken,
        "since": len(trials_of(stored)),
        "starts": [start for i, start in enumerate(starts) if start and start not in starts[:i]],
        "earlier": trials,
    }
    stored._storage.set_study_system_attr(stored._study_id, attributes.WARM_START, canonical(record))
    return taken


def recall(study: Study, stored: optuna.Study) -> WarmStart:
    """What was taken for a study, as far as it lies in its space now."""
    known = stored._storage.get_study_system_attrs(stored._study_id).get(attributes.WARM_START)
    if not known:
        return WarmStart()
    space = study.space
    points = [space.point_of(trial["point"], study.fixed) for trial in known["earlier"]]
    inside = [
        (point, trial)
        for point, trial in zip(points, known["earlier"], strict=True)
        if point is not None and point.keys() == trial["point"].keys()
    ]
    starts = [
        {name: value for name, value in start.items() if name in space.names() and space[name].domain.contains(value)}
        for start in known["starts"]
    ]
    earlier = [
        Trial(i, point, tuple((step, value) for step, value in trial["curve"]), trial["state"])
        for i, (point, trial) in enumerate(inside)
    ]
    return WarmStart(known["since"], tuple(starts), tuple(earlier))


def _check_goals(study: Study, found: StudyReport) -> None:
    ours = [(goal.direction, goal.metric) for goal in study.goals]
    theirs = [(goal.split()[0], goal.split()[-1]) for goal in found.goals]
    if not found.definition:  # plain Optuna made it, which need not name what it measures
        theirs = [
            (way, ours[i][1] if i < len(ours) and name == "value" else name) for i, (way, name) in enumerate(theirs)
        ]
    if ours != theirs:
        raise UserError(
            f"warm_start: {found.name!r} has the goal {', '.join(found.goals)}, and {study.name!r} has"
            f" {', '.join(map(str, study.goals))}: only a study with the same goal says anything about this one"
        )


def _inside(study: Study, objective: Objective, found: StudyReport) -> list[tuple[Trial, dict[str, Scalar]]]:
    """The ended trials that this study could have run, best first, each with its point; none if none has a value.

    Knobs that they did not search have the value fixed there, or the objective's default where it is the same one.
    Finalists come first, then complete trials by value, then the others by the best they had reached.
    """
    same = found.definition.get("objective") == portable(objective, study.folder)
    defaults = {name: knob.default for name, knob in objective.signature.knobs.items()}
    here = {**defaults, **study.fixed}
    there = {**(defaults if same else {}), **found.definition.get("fixed", {})}
    finals = [candidate.trial for candidate in found.winner.candidates] if found.winner else []
    sign = -1.0 if study.goal.maximize else 1.0

    def rank(trial: Trial) -> tuple[int, int, float, int]:
        place = finals.index(trial.number) if trial.number in finals else len(finals)
        reached = trial.values[:1]
        return place, _STATES.index(trial.state), min([sign * v for v in reached], default=math.inf), trial.number

    ranked = sorted((trial for trial in found.trials if trial.state in _STATES), key=rank)
    points = [
        (trial, study.space.point_of({**there, **trial.point}, study.fixed))
        for trial in ranked
        if _alike(study, trial, here)
    ]
    inside = [(trial, point) for trial, point in points if point]
    return inside if any(trial.state != "failed" for trial, _ in inside) else []


def _alike(study: Study, trial: Trial, here: Mapping[str, Any]) -> bool:
    """Whether the knobs that were searched there and are not searched here had the values that they have here."""
    searched = study.space.names()
    return all(
        name in searched or name not in here or Choice((here[name],)).contains(value)
        for name, value in trial.point.items()
    )


def _best(
    found: StudyReport, inside: Sequence[tuple[Trial, dict[str, Scalar]]]
) -> Sequence[tuple[Trial, dict[str, Scalar]]]:
    """The recipes to try first; of several goals an even part of the Pareto front."""
    if len(found.goals) == 1:
        return [item for item in inside if item[0].state != "failed"][:_STARTS]
    front = {trial.number for trial in found.front()}
    return _evenly([item for item in inside if item[0].number in front], _STARTS)


def _evenly(items: Sequence[T], count: int) -> Sequence[T]:
    """At most ``count`` of the items, the first and the last included."""
    if len(items) <= count:
        return items
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


def _plain(trial: Trial, point: Mapping[str, Scalar], *, maximize: bool) -> dict[str, Any]:
    """A trial as stored: of a long curve every so many points, and the best."""
    curve = [(step, value) for step, value in trial.curve if math.isfinite(value)]
    if trial.state == "complete" and not curve:  # plain Optuna's trials need not have any
        curve = [(1, value) for value in trial.values[:1]]
    best = [(max if maximize else min)(curve, key=lambda item: item[1])] if curve else []
    return {"point": point, "curve": sorted({*_evenly(curve, _POINTS), *best}), "state": trial.state}


def _told(found: StudyReport, taken: int) -> str:
    ended = sum(found.counts[state] for state in _STATES)
    if taken:
        return f"warm start: {taken} of {ended} trials of {found.name!r} lie in this space and count as evidence"
    if found.counts["complete"] + found.counts["pruned"]:
        return (
            f"warm start: none of the {ended} trials of {found.name!r} lies in this space, so nothing is taken from it"
        )
    return f"warm start: nothing has finished in {found.name!r}, so nothing is taken from it"
