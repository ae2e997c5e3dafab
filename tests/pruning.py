"""Pruners over an Optuna study, ours and Optuna's own alike."""

from __future__ import annotations

import math
from typing import Any

import optuna
from optuna.pruners import BasePruner

from hpo.search.contracts.policy import Prune, View
from hpo.search.contracts.pruner import PRUNER, Pruner
from hpo.search.store.attributes import read_trial
from hpo.search.terms.space import Space
from hpo.search.terms.trial import Trial

_trials: dict[optuna.Study, list[Trial]] = {}
_memos: dict[optuna.Study, dict[str, Any]] = {}


def answer(pruner: Pruner, study: optuna.Study, number: int) -> Any:
    """What a pruner says of a trial of the study."""
    maximize = study.direction == optuna.study.StudyDirection.MAXIMIZE
    kept = _trials.setdefault(study, [])  # one list for a study, as the ledger has
    kept[:] = [read_trial(trial) for trial in study.get_trials(deepcopy=False)]
    direction = "maximize" if maximize else "minimize"
    memo = _memos.setdefault(study, {})
    said = pruner.judge(View(Space(()), {}, direction, 0, None, kept, memo=memo), number)
    if said.memo is not None:
        memo[PRUNER] = said.memo
    return said


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


HORIZON = 30


def curve(level: float, fall: float = 1.0, horizon: int = HORIZON) -> list[float]:
    return [level + fall * math.exp(-0.2 * t) for t in range(horizon)]


class Search:
    """Trials one after the other; ``stops`` says at which step each was stopped, None where it was not."""

    def __init__(self, pruner: Pruner, direction: str = "minimize") -> None:
        self.pruner = pruner
        self.study = optuna.create_study(direction=direction)
        self.said = Prune("")

    def train(self, values: list[float], **params: int) -> int | None:
        fixed = {name: optuna.distributions.IntDistribution(1, 1000) for name in params}
        self.study.enqueue_trial(params)
        trial = self.study.ask(fixed)
        for step, value in enumerate(values, 1):
            trial.report(value, step)
            said = answer(self.pruner, self.study, trial.number)
            if isinstance(said, Prune):
                self.said = said
                self.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                return step
        self.study.tell(trial, values[-1] if math.isfinite(values[-1]) else 1e9)
        return None

    def complete(self, values: list[float]) -> None:
        """Add a trial that nothing could stop."""
        points = dict(enumerate(values, 1))
        self.study.add_trial(optuna.create_trial(value=values[-1], intermediate_values=points))

    def train_several(self, levels: list[float]) -> None:
        for level in levels:
            self.train(curve(level))
