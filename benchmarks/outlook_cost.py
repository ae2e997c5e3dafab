"""What the outlook costs: processor time of training with it and without, in turns, in a cohort of 16 and alone.

Two cohorts train the same recipe, of the middle of the space, with the same seeds from the first step to the last; one
is asked for the outlook at the points where the default pruner may stop a trial. After every point the other is the
first to go on, and each point's two times are a pair.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from outlook_cases import steps

import hpo
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.together import Cohort
from hpo.search.contracts.pruner import PrunerContext
from hpo.search.engine.plugins import DEFAULT_PRUNER, build, build_policy
from hpo.search.engine.run import judged_at
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms import registry
from hpo.search.terms.study import Plugin, Study

_COHORT, _RUNS, _RUNS_ALONE = 16, 1, 6


def cost(case: str, study: Study) -> list[dict[str, Any]]:
    """A row for a cohort and one for a lane alone: the ratio of a point, quartiles over pairs, and of a whole run."""
    return [_row(case, study, lanes, runs) for lanes, runs in ((_COHORT, _RUNS), (1, _RUNS_ALONE))]


def searched(study: str) -> dict[str, Any]:
    """Of a whole search with the default sampler and pruner: its points, and how many were asked for the outlook."""
    content: Any = parse(registry.path("study", study).read_text(encoding="utf-8"), study).plain()
    found = hpo.run(
        {**content, "record": ["outlook"]}, name=study, seed=0, confirm="none", storage=":memory:", progress=False
    ).report  # fmt: skip
    return {
        "search": study, "points": sum(len(trial.curve) for trial in found.trials),
        "asked": sum(len(trial.outlook) for trial in found.trials),
    }  # fmt: skip


def _row(case: str, study: Study, lanes: int, runs: int) -> dict[str, Any]:
    horizon = steps(study)
    pruner = build("pruner", DEFAULT_PRUNER, PrunerContext(horizon, 0))
    asked = judged_at(build_policy(Plugin("straight"), study), pruner, study.goals[0], horizon)
    assert asked is not None
    problem = Problem(registry.load("objective", study.objective), study.task)
    middle = study.space.from_unit([0.5] * len(study.space.parameters), study.fixed)
    pairs: dict[bool, list[float]] = {True: [], False: []}
    spent = []
    for run in range(-1, runs):  # what the first run of a process costs is no part of it
        times = np.zeros((2, horizon))
        both: list[tuple[Cohort, Sequence[Lane]]] = []
        for judged in (None, asked):
            knobs = [{**study.fixed, **middle, "seed": seed} for seed in range(lanes)]
            both.append((Cohort(), [Lane(at, problem.setup(own), judged) for at, own in enumerate(knobs)]))
        for point in range(horizon if run >= 0 else 2):
            for which in ((0, 1), (1, 0))[(point + run) % 2]:
                began = time.process_time()
                both[which][0].advance(both[which][1])
                times[which, point] = time.process_time() - began
        if run < 0:
            continue
        for point, (without, with_it) in enumerate(times.T, 1):
            pairs[point in asked.steps].append(with_it / without)
        spent.append((times[1].sum() / times[0].sum(), 1e3 * times[0].mean()))
    return {
        "case": case, "lanes": lanes, "points asked": f"{len(asked.steps)} of {horizon}",
        "ms a point without": round(float(np.median([each for _, each in spent])), 1),
        "a point where asked": _quartiles(pairs[True]), "another": _quartiles(pairs[False]),
        "a whole run": round(float(np.median([ratio for ratio, _ in spent])), 3),
    }  # fmt: skip


def _quartiles(ratios: Sequence[float]) -> str:
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"
