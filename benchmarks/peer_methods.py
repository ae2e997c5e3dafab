"""Other tuners on recorded curves, each through its own public interface with one worker.

    pip install . 'syne-tune[gpsearchers]==0.13.0'      # the last release with MOBSTER and DyHPO
    pip install . smac
    pip install . dehb
    pip install . torch==2.13.0 torchvision==0.28.0 neural-pipeline-search

They want different versions of the same libraries: give each an environment of its own, and let the runs meet in the
``--cache`` of recorded_curves.py. Packages are imported when a method runs.

SMAC, DEHB and NePS order an evaluation up to some epoch and see its last loss. What a recipe was trained before is not
trained, or counted, again, as if every evaluation began from a checkpoint; SMAC and DEHB do not hand one on by
themselves, so their published accounting is dearer.
"""

from __future__ import annotations

import copy
import logging
import random
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from replay import Method, Replay
from tables import Table

from hpo.search.terms.domain import Choice, Float, Int
from hpo.search.terms.space import Space

_DIVERGED = 10.0  # nats, worse than chance on every data set; peers are told this for NaN and for larger losses


def with_syne_tune(scheduler: str, **settings: Any) -> Method:
    """A multi-fidelity scheduler of Syne Tune, driven as its ``Tuner`` drives it."""

    def run(table: Table, seed: int, epochs: int) -> list[float]:
        from syne_tune import config_space
        from syne_tune.backend.trial_status import Trial
        from syne_tune.optimizer import baselines
        from syne_tune.optimizer.scheduler import SchedulerDecision

        logging.getLogger("syne_tune").setLevel(logging.ERROR)
        kinds = {
            (False, False): config_space.uniform,
            (False, True): config_space.loguniform,
            (True, False): config_space.randint,
            (True, True): config_space.lograndint,
        }
        space = {
            name: kinds[isinstance(numbers, Int), numbers.log](numbers.low, numbers.high)
            for name, numbers in _numbers(table.space).items()
        }
        rules = getattr(baselines, scheduler)(
            {**space, "epochs": table.horizon},
            metric="loss",
            mode="min",
            resource_attr="epoch",
            max_resource_attr="epochs",
            random_seed=seed,
            **copy.deepcopy(settings),  # schedulers add to the options they are given
        )
        replay = Replay(table)
        trials: list[Any] = []
        reached: list[int] = []
        while len(replay.seen) < epochs:
            chosen = rules.suggest(len(trials))
            if chosen.spawn_new_trial_id:
                trial = Trial(len(trials), chosen.config, datetime.now())
                trials.append(trial)
                reached.append(0)
                rules.on_trial_add(trial)
            else:
                trial = trials[chosen.checkpoint_trial_id]
                trial.config = chosen.config or trial.config
            decision = SchedulerDecision.CONTINUE
            while decision == SchedulerDecision.CONTINUE and reached[trial.trial_id] < table.horizon:
                epoch = reached[trial.trial_id] = reached[trial.trial_id] + 1
                result = {"loss": _told(replay.loss_at(trial.config, epoch)), "epoch": epoch}
                decision = rules.on_trial_result(trial, result)
            if reached[trial.trial_id] == table.horizon:
                rules.on_trial_complete(trial, result)
            elif decision == SchedulerDecision.STOP:
                rules.on_trial_remove(trial)
        return replay.seen[:epochs]

    return run


def with_smac(table: Table, seed: int, epochs: int) -> list[float]:
    """SMAC3's multi-fidelity facade: a random forest proposes, Hyperband brackets allot epochs."""
    from smac import MultiFidelityFacade, Scenario
    from smac.runhistory import TrialValue

    replay = Replay(table)
    with tempfile.TemporaryDirectory() as folder:
        scenario = Scenario(
            _configspace(table.space, seed),
            output_directory=Path(folder),
            deterministic=True,
            n_trials=epochs // 8,  # as many as its brackets afford; a quarter of them are the random initial design
            min_budget=1,
            max_budget=table.horizon,
            seed=seed,
        )
        facade = MultiFidelityFacade(scenario, lambda config, seed, budget: 0.0, logging_level=False)
        while len(replay.seen) < epochs:
            info = facade.ask()
            loss = replay.loss_at(info.config, round(info.budget))
            facade.tell(info, TrialValue(_told(loss)), save=False)
    return replay.seen[:epochs]


def with_dehb(table: Table, seed: int, epochs: int) -> list[float]:
    """DEHB: differential evolution within Hyperband brackets."""
    from dehb import DEHB

    replay = Replay(table)
    with tempfile.TemporaryDirectory() as folder:
        search = DEHB(
            cs=_configspace(table.space, seed),
            min_fidelity=1,
            max_fidelity=table.horizon,
            n_workers=1,
            seed=seed,
            output_path=folder,
            save_freq=None,
            log_level="ERROR",
        )
        while len(replay.seen) < epochs:
            job = search.ask()
            loss = replay.loss_at(job["config"], round(job["fidelity"]))
            search.tell(job, {"fitness": _told(loss), "cost": job["fidelity"]})
    return replay.seen[:epochs]


def with_neps(algorithm: str) -> Method:
    """A multi-fidelity algorithm of NePS."""

    def run(table: Table, seed: int, epochs: int) -> list[float]:
        import neps
        import torch

        logging.getLogger("neps").setLevel(logging.ERROR)
        random.seed(seed)  # it draws from the global generators
        np.random.seed(seed)
        torch.manual_seed(seed)
        knobs = {
            name: (neps.Integer if isinstance(numbers, Int) else neps.Float)(numbers.low, numbers.high, log=numbers.log)
            for name, numbers in _numbers(table.space).items()
        }
        knobs["epochs"] = neps.IntegerFidelity(1, table.horizon)
        space = type("Recorded", (neps.PipelineSpace,), knobs)()
        search = neps.AskAndTell(getattr(neps.algorithms, algorithm)(space))
        replay = Replay(table)
        while len(replay.seen) < epochs:
            trial = search.ask()
            search.tell(trial, _told(replay.loss_at(trial.config, trial.config["epochs"])))
        return replay.seen[:epochs]

    return run


# A refit of the hyperparameters at every third suggestion, DyHPO's own default, from 25 observations on instead of 150:
# a third of the time.
_REFITS = {"opt_skip_period": 3, "opt_skip_init_length": 25}

PEERS: Mapping[str, Method] = {
    "syne-tune asha": with_syne_tune("ASHA", type="promotion"),
    "syne-tune mobster": with_syne_tune("MOBSTER", type="promotion", search_options=_REFITS),
    "syne-tune dyhpo": with_syne_tune("DyHPO", search_options=_REFITS),
    "smac multi-fidelity": with_smac,
    "dehb": with_dehb,
    "neps hyperband": with_neps("hyperband"),
    "neps priorband": with_neps("priorband"),
}


def _configspace(space: Space, seed: int) -> Any:
    """A space for SMAC and DEHB."""
    import ConfigSpace

    found = ConfigSpace.ConfigurationSpace(seed=seed)
    for name, numbers in _numbers(space).items():
        kind = ConfigSpace.Integer if isinstance(numbers, Int) else ConfigSpace.Float
        found.add(kind(name, (numbers.low, numbers.high), log=numbers.log))
    return found


def _numbers(space: Space) -> dict[str, Float | Int]:
    """Ranges of a table's knobs, which are all numbers."""
    return {p.name: p.domain for p in space if not isinstance(p.domain, Choice)}


def _told(loss: float) -> float:
    return min(loss, _DIVERGED) if np.isfinite(loss) else _DIVERGED
