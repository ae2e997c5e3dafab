"""Processor time of one decision of ``sampler: freeze-thaw`` and of ``pruner: learning-curve`` as a study grows.

    python benchmarks/decision_time.py

Studies of random recipes in seven dimensions with synthetic curves of 50 steps; most trials have one to four points,
as after a real search. Medians and maxima over decisions at successive points; hyperparameters are fitted anew in one
of them, as happens whenever the points have grown by a quarter.
"""

from __future__ import annotations

import time

import numpy as np

from hpo.search.contracts.policy import View
from hpo.search.curves.single import Library, forecast
from hpo.search.curves.thaw import Settings
from hpo.search.policies.common.thawing import FreezeThaw
from hpo.search.terms.domain import Float
from hpo.search.terms.space import Parameter, Space
from hpo.search.terms.trial import Trial

HORIZON = 50
SPACE = Space(tuple(Parameter(f"x{i}", Float(0.0, 1.0)) for i in range(7)))


def study(trials: int) -> View:
    """A study of paused trials, the last of them just judged."""
    rng = np.random.default_rng(0)
    views = []
    for number in range(trials):
        values = {name: float(u) for name, u in zip(SPACE.names(), rng.random(7), strict=True)}
        level = sum((u - 0.4) ** 2 for u in values.values())
        length = int(min(HORIZON, 1 + rng.geometric(0.4 if level > 0.5 else 0.08)))
        curve = [(t, level + np.exp(-0.1 * t) + 0.01 * rng.normal()) for t in range(1, length + 1)]
        views.append(Trial(number, values, curve, "paused"))
    return View(SPACE, {}, "minimize", 0, HORIZON, views)


def thaw(trials: int, decisions: int = 40) -> list[float]:
    """Milliseconds of successive decisions; the first also reads the whole study, as after a restart."""
    view, policy, spent = study(trials), FreezeThaw(Settings()), []
    for _ in range(decisions):
        began = time.process_time()
        turn = policy.next(view)
        spent.append(1e3 * (time.process_time() - began))
        first = view.trials[0]
        curve = [*first.curve, (len(first.curve) + 1, first.curve[-1][1] * 0.99)]
        trials_now = [Trial(0, first.point, curve, "paused"), *view.trials[1:]]
        memo = turn.memo if turn.memo is not None else view.memo
        view = View(SPACE, {}, "minimize", 0, HORIZON, trials_now, memo=memo)
    return spent


def single(complete: int, points: int) -> float:
    """Milliseconds of one forecast."""
    curves = [[(t, 0.3 + 0.01 * k + np.exp(-0.1 * t)) for t in range(1, HORIZON + 1)] for k in range(complete)]
    began = time.process_time()
    for seed in range(20):
        forecast(curves[0][:points], HORIZON, Library.of(curves, HORIZON), seed)
    return 1e3 * (time.process_time() - began) / 20


def main() -> None:
    """Print a line per size."""
    for trials in (50, 500, 2000, 10_000):
        first, *rest = thaw(trials)
        print(
            f"freeze-thaw, {trials:6d} trials: median {np.median(rest):5.1f} ms, longest {max(rest):5.1f} ms; "
            f"first, with a fit and after a restart {first:6.1f} ms"
        )
    for complete in (1, 40, 1000):
        print(f"learning-curve, {complete:4d} complete curves, 12 points: {single(complete, 12):4.1f} ms")


if __name__ == "__main__":
    main()
