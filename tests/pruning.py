"""Pruners over an Optuna study, ours and Optuna's own alike."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.pruners import BasePruner

from hpo.search.contracts.policy import Prune, View
from hpo.search.contracts.pruner import Pruner
from hpo.search.store.attributes import read_trial
from hpo.search.terms.space import Space
from hpo.search.terms.trial import Trial

_trials: dict[optuna.Study, list[Trial]] = {}


def answer(pruner: Pruner, study: optuna.Study, number: int) -> Any:
    """What a pruner says of a trial of the study."""
    maximize = study.direction == optuna.study.StudyDirection.MAXIMIZE
    kept = _trials.setdefault(study, [])  # one list for a study, as the ledger has
    kept[:] = [read_trial(trial) for trial in study.get_trials(deepcopy=False)]
    return pruner.judge(View(Space(()), {}, "maximize" if maximize else "minimize", 0, None, kept), number)


def prunes(pruner: Pruner | BasePruner, study: optuna.Study, trial: Any) -> bool:
    """Whether a pruner stops a trial of the study."""
    if isinstance(pruner, BasePruner):
        return pruner.prune(study, study._storage.get_trial(trial._trial_id))
    return isinstance(answer(pruner, study, trial.number), Prune)


class AsOptunas(BasePruner):
    """A pruner of ours as one of Optuna's takes it."""

    def __init__(self, pruner: Pruner) -> None:
        self._pruner = pruner

    def prune(self, study: optuna.Study, trial: Any) -> bool:
        return prunes(self._pruner, study, trial)
