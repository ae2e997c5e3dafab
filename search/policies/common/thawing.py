"""The decisions of freeze-thaw: which paused trial trains on, and when a new one begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpo.search.contracts.policy import Continue, Pause, Policy, Prune, Resume, Start, Turn, Verdict, View, Wait
from hpo.search.curves.candidates import Candidates
from hpo.search.curves.encoding import Encoding
from hpo.search.curves.followed import Followed
from hpo.search.curves.halving import rung_below
from hpo.search.curves.known import Known, curves_of, joined, key_of, know, options_of
from hpo.search.curves.roster import Roster
from hpo.search.curves.shapes import milestones
from hpo.search.curves.thaw import Model, Options, Settings
from hpo.search.terms.domain import Scalar
from hpo.search.terms.recipe import derive_seed
from hpo.search.terms.threads import one_thread

Array = NDArray[np.float64]
Point: TypeAlias = "dict[str, Scalar]"

_WARM_STARTS = 3  # the best recipe of the earlier study sets the scale; it and two others replace a first look around
_HOPELESS = 0.05  # chance to beat the best by the end, below which a trial is not worth more than the search's end
_TIMED = 1000  # trials whose steps tell what steps cost
_BELIEF = 10.0  # trials after which the user's prior is half forgotten, as in piBO


class FreezeThaw(Policy):
    """Trains, a step at a time, the paused trial or the new recipe that promises most."""

    def __init__(self, settings: Settings, *, own_recipes: bool = True, per_second: bool = False) -> None:
        self._settings, self._own_recipes, self._per_second = settings, own_recipes, per_second
        self._followed = Followed()
        self._answered: tuple[tuple[int, int | None], Turn] | None = None  # judging and filling a lane is one decision
        self.roster = Roster()
        self._earlier: list[Known] = []
        self._known_for = 0  # the horizon that what is known of failed trials depends on
        self._lots = _Lots()
        self._encoding: Encoding | None = None
        self._around: tuple[Any, Candidates] | None = None  # where recipes are drawn, and what that follows from
        self._modelled: tuple[Any, Model] | None = None  # the last model, and what it follows from

    def next(self, view: View) -> Turn:
        """Resume a paused trial, start a new one, or wait when nothing is left but what runs."""
        return self._decide(view, None)

    def judge(self, view: View, number: int) -> Verdict:
        """Let the trial go on if it promises most; end it if it will not be considered again; else pause it."""
        if view.trials[number].curve[-1][0] not in milestones(self._followed.look(view).horizon(view)):
            return Continue()
        turn = self._decide(view, number)
        if isinstance(turn, Resume) and turn.number == number:
            return Continue(turn.memo)
        return replace(self.leave(view, number), memo=turn.memo)

    def leave(self, view: View, number: int) -> Pause | Prune:
        """Pause a trial that others go before, or end it where it will not be considered again."""
        self.look(view)
        better = self.roster.better_paused(number)
        if better >= self._settings.paused and not self._in_line(number):  # what is paused costs memory
            return Prune(f"{better} paused trials are better", {"paused": float(better)})
        return Pause()

    def checks(self, horizon: int) -> Iterable[int]:
        """Steps in about equal ratios."""
        steps: list[int] = milestones(horizon)[:-1].tolist()
        return steps

    def _in_line(self, number: int) -> bool:
        """Whether the trial is of the third of its rung that halving trains on sooner or later."""
        better, there = self.roster.place(number, rung_below(self.roster.known[number].steps), self._ceiling())
        return better < there // 3

    def _ceiling(self) -> float:
        """The median first value of the first trials, beyond which values are equally bad."""
        first = [known.curve[:1, 1] for known in self.roster.known[: self._settings.starts]]
        values = np.concatenate(first) if first else np.empty(0)
        values = values[np.isfinite(values)]
        return float(np.median(values)) if values.size else np.inf

    def horizon(self, view: View) -> int:
        """Steps of a complete trial, guessed where they are not known."""
        return self._followed.look(view).horizon(view)

    def points(self, view: View) -> int:
        """Points recorded in all."""
        return self._followed.look(view).points

    def look(self, view: View) -> Sequence[Known]:
        """What is known of every trial, up to date."""
        followed = self._followed.look(view)
        horizon = followed.horizon(view)
        known = self.roster.known
        if horizon != self._known_for or len(known) > len(view.trials):
            self.roster.clear()
            self._earlier, self._known_for, known = [], horizon, self.roster.known
        for number in followed.renewed(len(known)):
            old = known[number] if number < len(known) else None
            self.roster.put(number, know(view.trials[number], self.encoding(view), view.sign, horizon, old))
        return known

    def encoding(self, view: View) -> Encoding:
        """Of the study's space."""
        made = self._encoding
        if made is None or made.space is not view.space or made.fixed is not view.fixed:
            made = self._encoding = Encoding(view.space, view.fixed)
        return made

    def _decide(self, view: View, judged: int | None) -> Turn:
        self.look(view)
        followed = self._followed
        encoding, horizon = self.encoding(view), followed.horizon(view)
        seed, then = self._answered[0] if self._answered is not None else (None, None)
        if self._answered is None or seed != view.seed or not followed.same(then, judged):
            with one_thread():
                self._answered = (view.seed, judged), self._turn(view, judged, encoding, horizon)
            followed.mark()
        return self._answered[1]

    def _turn(self, view: View, judged: int | None, encoding: Encoding, horizon: int) -> Turn:
        roster, own = self.roster, self._settings
        known, tried = roster.known, roster.keys
        if len(self._earlier) != len(view.earlier):
            self._earlier = [know(trial, encoding, view.sign, horizon, None) for trial in view.earlier]
        earlier, candidates = self._earlier, self._candidates(view, encoding)
        started, may_start = len(known), view.trials_left != 0
        if roster.waiting:  # it was interrupted before its first point
            return Resume(min(roster.waiting))
        if may_start and (started < (_WARM_STARTS if earlier else own.starts) or not roster.ranked):
            first = self._first_look(view, candidates, tried)
            if first is not None:
                return first
        if not roster.ranked:
            return Wait()
        running = [known[number] for number in sorted(roster.running - {judged})]
        rng = np.random.default_rng(derive_seed(view.seed, "thaw", self._followed.points, started, len(running)))
        endless = not may_start and view.steps_left is None  # nothing but the model says when to end
        if not endless and rng.random() < own.halving:
            luck = self._lots.first(derive_seed(view.seed, "luck"), started)
            chosen = roster.promoted(judged, luck * (own.luck * roster.noise), self._ceiling())
            if chosen is not None:
                return Resume(chosen)
        model, memo = self._model(view, encoding, horizon)
        if running:
            model = model.supposing(options_of(running))
        paused = roster.free(judged, own.paused)
        units = candidates.uniform(rng, own.uniform if may_start else 0)
        if self._own_recipes and may_start:
            parents = np.stack([k.unit for k in roster.top(own.parents)])
            units = np.concatenate([units, candidates.near(rng, parents, own.near)])
        new = Options(encoding.rows(units), *(np.full(len(units), v) for v in (-1, 0.0, float(horizon))))
        options = joined(options_of(paused), new) if paused else new
        longest = horizon if view.steps_left is None else max(1, min(horizon, view.steps_left))
        score = model.promise(options, rng, longest)
        score[len(paused) :] += candidates.belief(units) * _BELIEF / (_BELIEF + started)
        if self._per_second:
            score -= self._log_seconds(model, options)
        if endless:
            score[model.chance(options) < _HOPELESS] = -np.inf
        for place in np.argsort(-score, kind="stable"):
            if score[place] == -np.inf:
                break
            if place < len(paused):
                return Resume(paused[place].trial.number, memo)
            if not self._own_recipes:
                return Start(None, memo)
            point = self._untried(view, tried, [units[place - len(paused)]])
            if point is not None:
                return Start(point, memo)
        return Wait(memo) if running or not may_start else Start(None, memo)

    def _candidates(self, view: View, encoding: Encoding) -> Candidates:
        """Recipes around the user's guess, and that of an earlier study."""
        basis = encoding, view.prior, len(self._earlier)
        if self._around is None or self._around[0] != basis:
            best = min(self._earlier, key=lambda k: k.best).trial.point if self._earlier else {}
            self._around = basis, Candidates(view.space, encoding.units([{**best, **view.prior}])[0])
        return self._around[1]

    def _first_look(self, view: View, candidates: Candidates, tried: Set[Any]) -> Start | None:
        """Start a recipe of an even spread; None when the space holds no other."""
        if not self._own_recipes:
            return Start()
        started, seed = len(view.trials), derive_seed(view.seed, "spread")
        point = self._untried(view, tried, (candidates.spread(i, seed) for i in range(started, started + 100)))
        if point is not None and not started:
            point |= {name: value for name, value in view.prior.items() if name in point}  # as it is, not rounded
        return None if point is None else Start(point)

    def _model(self, view: View, encoding: Encoding, horizon: int) -> tuple[Model, Mapping[str, Any] | None]:
        """The surrogate; with a memo when its hyperparameters were fitted anew."""
        roster, own = self.roster, self._settings
        points, fitted = self._followed.points, int(view.memo.get("points", 0))
        theta = view.memo.get("theta")
        fit = theta is None or points >= fitted * own.growth
        basis = roster.version, horizon, theta
        if not fit and self._modelled is not None and self._modelled[0] == basis:
            return self._modelled[1], None  # as at the last decision: other lanes were free at the same time
        seen = sorted(roster.top(own.points), key=lambda k: k.trial.number)  # fewer than all have a place in it
        before = [k for k in self._earlier if len(k.curve)]
        model = Model(
            curves_of(seen, roster.units(own.share)), curves_of(before) if before else None,
            encoding.groups, horizon, own, theta=None if fit else theta, start=theta,
        )  # fmt: skip
        kept = model.theta.tolist()
        self._modelled = (roster.version, horizon, kept), model
        return model, {"points": points, "theta": kept} if fit else None

    def _log_seconds(self, model: Model, options: Options) -> Array:
        """Logarithm of what a step of each costs, told from those of the latest trials."""
        timed = [k for k in self.roster.known[-_TIMED:] if len(k.curve) and k.trial.seconds > 0]
        if not timed:
            return np.zeros(len(options.rows))
        seconds = np.log([k.trial.seconds / max(len(k.trial.curve), 1) for k in timed])
        return model.smoothed(options.rows, np.stack([k.row for k in timed]), seconds)

    def _untried(self, view: View, tried: Set[Any], units: Iterable[Array]) -> Point | None:
        for u in units:
            point = view.space.from_unit(u.tolist(), view.fixed)
            if key_of(point) not in tried:
                return point
        return None


class _Lots:
    """Standard normal lots of a study's trials by number; more of them do not change the first."""

    def __init__(self) -> None:
        self._seed: int | None = None
        self._lots = np.empty(0)

    def first(self, seed: int, count: int) -> Array:
        """The first so many."""
        if seed != self._seed or count > self._lots.size:
            self._seed = seed
            self._lots = np.random.default_rng(seed).standard_normal(max(2 * count, 64))
        return self._lots[:count]
