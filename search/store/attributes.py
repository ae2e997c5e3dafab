"""Names of the facts that are stored with a study and its trials beside what Optuna stores, and a trial read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hpo.search.terms.trial import Curve, State, Trial
from hpo.search.terms.value import Tally, aggregate_of, course

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.trial import FrozenTrial

    from hpo.search.terms.study import Goal

# --- of a study -------------------------------------------------------------------------------------------------------
DEFINITION = "definition"
"""What its trials depend on."""
ID = "id"
"""What its checkpoints are kept under: given once, never to another study; a system attribute."""
CHECKPOINTS = "checkpoints"
"""The place that they are kept at, where the study names one; a system attribute."""
QUESTION = "question"
STUDY_FILE = "study_file"
TASK = "task"
"""What its trials train, on the machine that ran it."""
SEAL = "seal"
"""Who ran its code from where; see ``running.consent``."""
SECONDS = "seconds"
"""How long its search has run in all."""
SPENT = "spent"
"""Seconds of all runs for what comes after the search: ``fresh runs``, ``test``; a system attribute."""
WINNER = "winner"
"""The verdict; see ``terms.winner``."""
MEMO = "policy"
"""What the policy asked to be kept."""
CLUSTER = "cluster"
"""The machines that train now, where they have names, as plain ``contracts.executor.Node``; a system attribute."""
WARM_START = "evidence"
"""What was known before the first trial; a system attribute."""

# --- of a trial -------------------------------------------------------------------------------------------------------
RECIPE = "recipe"
"""Digest of the recipe without its seed."""
SEED = "seed"
RETRY_OF = "retry_of"
"""Number of the failed trial of the same recipe that it repeats."""
TALLIES = "tallies"
"""Each goal's curve summed up, where there are several."""
METRICS = "metrics"
"""All metrics of the last point."""
STATISTICS = "statistics:"
"""With the step behind it: statistics of training at that step, where they are recorded."""
ATTEMPTS = "attempts"
"""How often it was taken up again without a new point since."""
NODES = "nodes"
"""Names of the machines or GPUs that trained it, in turn, where they have names."""
TRAIN_SECONDS = "train_seconds"
MISSED = "missed"
"""Steps that were trained and gave no point of the curve."""
REASON = "reason"
EVIDENCE = "evidence"
TRACEBACK = "traceback"
OUTLOOK = "outlook"
"""Where a trial was heading, [step, value] where its trainer said so."""
PAUSED = "paused"
"""Whether it waits to be taken up again; a system attribute."""

_STATES: dict[str, State] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "WAITING": "paused"}


def state_of(trial: FrozenTrial) -> State:
    """State of a stored trial; one that another program enqueued counts as paused."""
    paused: State = "paused" if trial.system_attrs.get(PAUSED) else "running"
    return _STATES.get(trial.state.name, paused)


def fact(attrs: Mapping[str, Any], name: str, kind: Any, default: Any) -> Any:
    """An attribute of ours; one of the same name that another program made is of another kind."""
    value = attrs.get(name)
    return value if isinstance(value, kind) else default


def read_trial(trial: FrozenTrial, goals: Sequence[Goal] = (), judged: int = 0) -> Trial:
    """A stored trial, whoever wrote it.

    Args:
        trial: as stored.
        goals: of its study; without them its last point counts, as in plain Optuna.
        judged: which of them its curve belongs to.
    """
    attrs, state = trial.user_attrs, state_of(trial)
    curve: Curve = tuple(sorted(trial.intermediate_values.items()))
    metrics = fact(attrs, METRICS, Mapping, {})
    several = len(trial.values or goals) > 1
    each = [aggregate_of(goal, metrics, several=several) for goal in goals]
    how = each[judged] if each else "last"
    outlook: Curve = tuple((int(step), float(value)) for step, value in fact(attrs, OUTLOOK, list, ()))
    maximize = bool(goals) and goals[judged].maximize
    passed = () if how == "last" and not outlook else course(curve, how, maximize=maximize, outlook=outlook)
    values = tuple(trial.values or ())
    if state not in ("complete", "failed") and curve:
        tallies = [Tally.read(plain) for plain in fact(attrs, TALLIES, list, ())]
        if tallies:
            values = tuple(tally.value(one) for tally, one in zip(tallies, each, strict=False))
        elif not several:
            values = ((course(curve, how, maximize=maximize) if outlook else passed or curve)[-1][1],)
    return Trial(
        trial.number,
        dict(trial.params),
        curve,
        state,
        values=values,
        seconds=float(fact(attrs, TRAIN_SECONDS, (int, float), 0.0)),
        seed=fact(attrs, SEED, int, None),
        reason=fact(attrs, REASON, str, ""),
        evidence=fact(attrs, EVIDENCE, Mapping, {}),
        traceback=fact(attrs, TRACEBACK, str, ""),
        metrics=metrics,
        recipe=fact(attrs, RECIPE, str, ""),
        nodes=tuple(map(str, fact(attrs, NODES, list, ()))),
        course=passed,
        outlook=outlook,
        aggregate=how,
        statistics=_statistics(attrs),
    )


def _statistics(attrs: Mapping[str, Any]) -> dict[str, Curve]:
    """By name, in order of step."""
    found: dict[str, dict[int, float]] = {}
    for key, values in attrs.items():
        if key.startswith(STATISTICS) and isinstance(values, Mapping) and key.removeprefix(STATISTICS).isdigit():
            for name, value in values.items():
                found.setdefault(name, {})[int(key.removeprefix(STATISTICS))] = float(value)
    return {name: tuple(sorted(points.items())) for name, points in found.items()}
