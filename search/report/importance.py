"""How much each knob matters for a study's value: the share of its variance over the space that the knob explains.

By functional ANOVA over a random forest fitted to the complete trials (Hutter et al. 2014; Optuna's implementation).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpo.search.report.study import StudyReport
from hpo.search.store.distributions import to_distribution
from hpo.search.terms.domain import Choice, Domain, Float
from hpo.search.terms.plain_space import space_from

FEWEST = 20
"""Complete trials below which a forest says more about its seed than about the knobs."""
MOST = 200
"""Complete trials that are looked at, evenly from the first to the last: the cost grows with their square, to 100
seconds for 1,000 of ten knobs, and the shares do not change by more than some hundredths beyond that."""
_TREES = 32


@dataclass(frozen=True)
class Importance:
    """Shares by knob, largest first, adding up to 1; empty where the trials do not tell.

    Attributes:
        shares: by name.
        note: what to know of them, or why there are none.
    """

    shares: Mapping[str, float]
    note: str


def importance(found: StudyReport) -> Importance:
    """Importance for the first goal, of knobs that every complete trial has."""
    known = {p.name: p.domain for p in space_from(found.definition.get("space") or {})}
    space = known or _seen(found)
    complete = [t for t in found.trials if t.state == "complete" and t.values and math.isfinite(t.values[0])]
    names = [name for name in space if all(name in trial.point for trial in complete)]
    names = [name for name in names if len({repr(trial.point[name]) for trial in complete}) > 1]
    if len(complete) < FEWEST or not names:
        few = len(complete) < FEWEST
        number = "1 complete trial is" if len(complete) == 1 else f"{len(complete)} complete trials are"
        why = f"{number} too few, {FEWEST} are needed" if few else "no knob varies in all"
        return Importance({}, f"not identified: {why}")
    looked = [complete[place * len(complete) // MOST] for place in range(MOST)] if len(complete) > MOST else complete
    shares = _fanova(found, {name: to_distribution(space[name]) for name in names}, looked)
    left = [name for name in space if name not in names]
    notes = [f"from {MOST} of {len(complete):,} complete trials"] if len(complete) > MOST else []
    pruned = found.counts.get("pruned", 0)
    if pruned > len(complete):
        notes.append(
            f"{pruned} pruned trials are left out, so it is of the good part of the space: a knob whose bad values "
            "were stopped early looks less important than it is"
        )
    if left:
        notes.append(f"without {', '.join(left)}, which not all complete trials have")
    return Importance(shares, "; ".join(notes))


def _seen(found: StudyReport) -> dict[str, Domain]:
    """A domain for each knob of a study that does not say its own, as plain Optuna's: from the least to the largest."""
    values: dict[str, list[Any]] = {}
    for trial in found.trials:
        for name, value in trial.point.items():
            values.setdefault(name, []).append(value)
    domains: dict[str, Domain] = {}
    for name, given in values.items():
        if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in given):
            domains[name] = Float(float(min(given)), float(max(given)))
        else:
            domains[name] = Choice(tuple(dict.fromkeys(given)))
    return domains


def _fanova(found: StudyReport, distributions: Mapping[str, object], complete: list) -> dict[str, float]:  # type: ignore[type-arg]
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            maximize = bool(found.goals) and found.goals[0].startswith("maximize")
            study = optuna.create_study(direction="maximize" if maximize else "minimize")
            study.add_trials(
                [
                    optuna.trial.create_trial(
                        params={name: trial.point[name] for name in distributions},
                        distributions=dict(distributions),  # type: ignore[arg-type]
                        value=trial.values[0],
                    )
                    for trial in complete
                ]
            )
            evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=_TREES, seed=0)
            return dict(optuna.importance.get_param_importances(study, evaluator=evaluator, params=list(distributions)))
        finally:
            optuna.logging.set_verbosity(verbosity)
