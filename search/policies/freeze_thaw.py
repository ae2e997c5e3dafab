"""Freeze and thaw: pause every trial after each step and train the one that promises most.

What it does: starts a handful of recipes for one step each; from then on, whenever a lane is free, a Gaussian process
over (recipe, step) predicts how every paused curve and every candidate recipe would go on, and the one with the
highest expected improvement of the best value, a random number of steps ahead, trains the next step. It replaces
sampler and pruner: weak trials are left paused, and come back if the others disappoint.
When to use it: whenever trials yield curves; it gains most when a complete trial is long compared with its first
informative point. Not for objectives that cannot be paused, nor for several goals.
Options: ``of`` = none, a sampler for new recipes in place of the surrogate; ``per`` = ``step`` or ``second``, what
improvement is weighed against; by seconds it favours recipes whose steps are cheap, and decisions then depend on
measured times, so a seed no longer fixes the study.
Cost: 5 to 20 ms a decision at any number of trials, for the surrogate sees at most 200 points.
Reference: Swersky et al., Freeze-thaw Bayesian optimization, 2014; random horizons after Rakotoarison et al., In-context
freeze-thaw Bayesian optimization, ICML 2024; docs/search.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpo.search.curves.candidates import Candidates
from hpo.search.curves.encoding import Encoding
from hpo.search.curves.history import History
from hpo.search.curves.shapes import milestones
from hpo.search.curves.thaw import Model, Settings, Situation
from hpo.search.policies import Continue, Pause, Policy, Resume, Start, TrialView, Turn, Verdict, View, Wait
from hpo.search.recipe import derive_seed
from hpo.search.space import Scalar

Array = NDArray[np.float64]
Point: TypeAlias = "dict[str, Scalar]"

REQUIRES = ("one goal",)

_UNKNOWN_HORIZON = 32
_BELIEF = 10.0  # trials after which the user's prior is half forgotten, as in piBO


class FreezeThaw(Policy):
    """Trains, a step at a time, the paused trial or the new recipe that promises most."""

    def __init__(self, settings: Settings, *, own_recipes: bool = True, per: Literal["step", "second"] = "step") -> None:
        self.settings, self.own_recipes, self.per = settings, own_recipes, per
        self._asked: tuple[Any, Turn] | None = None
        self._known: dict[int, _Known] = {}  # of each trial, what need not be worked out again

    def next(self, view: View) -> Turn:
        """Resume a paused trial, start a new one, or wait when nothing is left but what runs."""
        return self._decide(view, None)

    def judge(self, view: View, number: int) -> Verdict:
        """Let the trial go on if it is the one that promises most, else pause it."""
        horizon = _horizon(view)
        step = view.trials[number].curve[-1][0]
        if step not in milestones(horizon):
            return Continue()
        turn = self._decide(view, number)
        if isinstance(turn, Resume) and turn.number == number:
            return Continue(turn.memo)
        return Pause(turn.memo)

    def _decide(self, view: View, judged: int | None) -> Turn:
        running = [t for t in view.trials if t.state == "running" and t.number != judged]
        points = sum(len(t.curve) for t in view.trials)
        state = (points, len(view.trials), tuple((t.number, len(t.curve)) for t in running), view.seed)
        if self._asked is None or self._asked[0] != state:
            self._asked = state, self._turn(view, judged, running, points)
        return self._asked[1]

    def _turn(self, view: View, judged: int | None, running: Sequence[TrialView], points: int) -> Turn:
        settings, started = self.settings, len(view.trials)
        encoding = Encoding(view.space, view.fixed)
        candidates = Candidates(view.space, encoding.units([view.prior])[0])
        known = [self._knowledge(t, encoding) for t in view.trials]
        tried = {k.key for k in known}
        observed = [(t, k) for t, k in zip(view.trials, known, strict=True) if len(k.curve)]
        if started < settings.starts or not observed:
            if not self.own_recipes:
                return Start()
            seed = derive_seed(view.seed, "spread")
            new = self._first_untried(view, tried, (candidates.spread(i, seed) for i in range(started, started + 100)))
            if new is not None:
                return Start(new)
        horizon = _horizon(view)
        rng = np.random.default_rng(derive_seed(view.seed, "thaw", points, started, len(running)))
        history = History.of([k.curve for _, k in observed])
        history_rows = np.stack([k.row for _, k in observed])
        situation = Situation(history, history_rows, encoding.groups, horizon)
        fitted = view.memo.get("points", 0)
        refit = points >= fitted * settings.growth or fitted > points
        model = Model(situation, settings, view.memo.get("theta"), refit=refit)
        memo = {"points": points, "theta": model.theta.tolist()} if refit else None
        if running:
            at = {t.number: i for i, (t, _) in enumerate(observed)}
            model.pending(
                np.stack([known[t.number].row for t in running]),
                model.place(np.array([at.get(t.number, -1) for t in running])),
                np.array([t.curve[-1][0] + 1.0 if t.curve else 1.0 for t in running]),
            )
        ranks = np.argsort(situation.history.bests, kind="stable")
        trials = [t for t, _ in observed]
        open_ = [i for i in ranks if trials[i].state == "paused" or trials[i].number == judged]
        open_ = [i for i in open_ if trials[i].curve[-1][0] < _limit(trials[i].values, horizon)][: settings.paused]
        units = candidates.uniform(rng, settings.uniform)
        if self.own_recipes:
            parents = encoding.units([trials[i].values for i in ranks[: settings.parents]])
            units = np.concatenate([units, candidates.near(rng, parents, settings.near)])
        rows = np.concatenate([history_rows[open_], encoding.rows(units)])
        trial = np.concatenate([model.place(np.array(open_, dtype=np.int64)), np.full(len(units), -1)])
        done = np.array([trials[i].curve[-1][0] for i in open_] + [0] * len(units), dtype=np.float64)
        limits = np.array([_limit(trials[i].values, horizon) for i in open_] + [horizon] * len(units), dtype=np.float64)
        longest = horizon if view.steps_left is None else max(1, min(horizon, view.steps_left))
        score = model.promise(rng, rows, trial, done, limits, settings, longest)
        for chosen in np.argsort(-score, kind="stable"):
            if chosen < len(open_):
                return Resume(trials[open_[chosen]].number, memo)
            if not self.own_recipes:
                return Start(None, memo)
            new = self._first_untried(view, tried, [units[chosen - len(open_)]])
            if new is not None:
                return Start(new, memo)
        return Wait(memo) if running else Start(None, memo)

    def _first_untried(self, view: View, tried: Set[Any], units: Iterable[Array]) -> Point | None:
        for u in units:
            point = view.space.from_unit(u.tolist(), view.fixed)
            if _key(point) not in tried:
                return point
        return None

    def _knowledge(self, trial: TrialView, encoding: Encoding) -> _Known:
        known = self._known.get(trial.number)
        if known is None or known.length != len(trial.curve) or known.state != trial.state:
            curve = np.asarray(trial.curve, dtype=np.float64).reshape(-1, 2)
            if trial.state == "failed":  # what diverges or crashes is as bad as can be
                curve = np.append(curve, [[curve[-1, 0] + 1 if len(curve) else 1.0, np.nan]], axis=0)
            row = encoding.encode([trial.values])[0] if known is None else known.row
            known = _Known(len(trial.curve), trial.state, curve, row, _key(trial.values))
            self._known[trial.number] = known
        return known


@dataclass(frozen=True)
class _Known:
    length: int
    state: str
    curve: Array
    row: Array
    key: Any


def _horizon(view: View) -> int:
    if view.horizon is not None:
        return view.horizon
    complete = [t.curve[-1][0] for t in view.trials if t.state == "complete" and t.curve]
    if complete:
        return max(complete)
    longest = max((t.curve[-1][0] for t in view.trials if t.curve), default=1)
    return max(_UNKNOWN_HORIZON, 2 ** (2 * longest - 1).bit_length())


def _limit(values: Mapping[str, Any], horizon: int) -> int:
    epochs = values.get("epochs", horizon)
    return epochs if isinstance(epochs, int) else horizon


def _key(point: Mapping[str, Scalar]) -> tuple[tuple[str, str], ...]:
    """What tells two points apart; True and 1 are different values."""
    return tuple(sorted((name, repr(value)) for name, value in point.items()))
