"""Names of the facts that are stored with a study and its trials beside what Optuna stores, and a trial read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo.search.terms.trial import State, Trial

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

# --- of a study -------------------------------------------------------------------------------------------------------
DEFINITION = "definition"
"""What its trials depend on."""
QUESTION = "question"
STUDY_FILE = "study_file"
TASK = "task"
"""What its trials train, on the machine that ran it."""
SECONDS = "seconds"
"""How long it has run in all."""
WINNER = "winner"
"""The verdict; see ``terms.winner``."""
MEMO = "policy"
"""What the policy asked to be kept."""
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
ATTEMPTS = "attempts"
"""How often it was taken up again without a new point since."""
TRAIN_SECONDS = "train_seconds"
REASON = "reason"
EVIDENCE = "evidence"
TRACEBACK = "traceback"
PAUSED = "paused"
"""Whether it waits to be taken up again; a system attribute."""

_STATES: dict[str, State] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "WAITING": "paused"}


def state_of(trial: FrozenTrial) -> State:
    """State of a stored trial; one that another program enqueued counts as paused."""
    paused: State = "paused" if trial.system_attrs.get(PAUSED) else "running"
    return _STATES.get(trial.state.name, paused)


def read_trial(trial: FrozenTrial) -> Trial:
    """A stored trial, whoever wrote it."""
    attrs = trial.user_attrs
    return Trial(
        trial.number,
        dict(trial.params),
        tuple(sorted(trial.intermediate_values.items())),
        state_of(trial),
        values=tuple(trial.values or ()),
        seconds=float(attrs.get(TRAIN_SECONDS, 0.0)),
        seed=attrs.get(SEED),
        reason=str(attrs.get(REASON, "")),
        evidence=attrs.get(EVIDENCE) or {},
        traceback=str(attrs.get(TRACEBACK, "")),
        metrics=attrs.get(METRICS) or {},
        recipe=str(attrs.get(RECIPE, "")),
    )
