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
from hpo.search.curves.halving import promoted, rung_below
from hpo.search.curves.history import History
from hpo.search.curves.known import Known, curves_of, joined, key_of, know, options_of
from hpo.search.curves.shapes import milestones
from hpo.search.curves.thaw import Model, Options, Settings
from hpo.search.terms.domain import Scalar
from hpo.search.terms.recipe import derive_seed
from hpo.search.terms.threads import one_thread

Array = NDArray[np.float64]
Point: TypeAlias = "dict[str, Scalar]"

_WARM_STARTS = 3  # the best recipe of the earlier study sets the scale; it and two others replace a first look around
_HOPELESS = 0.05  # chance to beat the best by the end, below which a trial is not worth more than the search's end
_BELIEF = 10.0  # trials after which the user's prior is half forgotten, as in piBO


class FreezeThaw(Policy):
    """Trains, a step at a time, the paused trial or the new recipe that promises most."""

    def __init__(self, settings: Settings, *, own_recipes: bool = True, per_second: bool = False) -> None:
        self._settings, self._own_recipes, self._per_second = settings, own_recipes, per_second
        self._followed = Followed()
        self._answered: tuple[tuple[int, int | None], Turn] | None = None  # judging and filling a lane is one decision
        self._known: list[Known] = []
        self._earlier: dict[int, Known] = {}
        self._known_for = 0  # the horizon that what is known of failed trials depends on

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
        known = self.look(view)
        best = known[number].best
        better = sum(k.best < best for k in known if k.trial.state == "paused")
        if better >= self._settings.paused and not self._in_line(number):  # what is paused costs memory
            return Prune(f"{better} paused trials are better", {"paused": float(better)})
        return Pause()

    def checks(self, horizon: int) -> Iterable[int]:
        """Steps in about equal ratios."""
        steps: list[int] = milestones(horizon)[:-1].tolist()
        return steps

    def _in_line(self, number: int) -> bool:
        """Whether the trial is of the third of its rung that halving trains on sooner or later."""
        rung, ceiling = rung_below(self._known[number].steps), self._ceiling()
        there = [k for k in self._known if k.steps >= rung]
        own = self._known[number].prospect(rung, ceiling)
        return sum(k.prospect(rung, ceiling) < own for k in there) < len(there) // 3

    def _ceiling(self) -> float:
        """The median first value of the first trials, beyond which values are equally bad."""
        first = [known.curve[:1, 1] for known in self._known[: self._settings.starts]]
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
        if horizon != self._known_for:
            self._known, self._earlier, self._known_for = [], {}, horizon
        del self._known[len(view.trials) :]
        encoding = Encoding(view.space, view.fixed)
        for number in followed.renewed(len(self._known)):
            old = self._known[number] if number < len(self._known) else None
            self._known[number : number + 1] = [know(view.trials[number], encoding, view.sign, horizon, old)]
        return self._known

    def _decide(self, view: View, judged: int | None) -> Turn:
        self.look(view)
        followed = self._followed
        encoding, horizon = Encoding(view.space, view.fixed), followed.horizon(view)
        seed, then = self._answered[0] if self._answered is not None else (None, None)
        if self._answered is None or seed != view.seed or not followed.same(then, judged):
            with one_thread():
                self._answered = (view.seed, judged), self._turn(view, judged, encoding, horizon)
            followed.mark()
        return self._answered[1]

    def _turn(self, view: View, judged: int | None, encoding: Encoding, horizon: int) -> Turn:
        known = self._known
        tried = {k.key for k in known}
        observed = [k for k in known if len(k.curve)]
        for trial in view.earlier:
            if trial.number not in self._earlier:
                self._earlier[trial.number] = know(trial, encoding, view.sign, horizon, None)
        earlier = [self._earlier[trial.number] for trial in view.earlier]
        guess = {**min(earlier, key=lambda k: k.best).trial.point, **view.prior} if earlier else view.prior
        candidates = Candidates(view.space, encoding.units([guess])[0])
        started, may_start = len(known), view.trials_left != 0
        for k in known:
            if k.trial.state == "paused" and not k.length:  # it was interrupted before its first point
                return Resume(k.trial.number)
        if may_start and (started < (_WARM_STARTS if earlier else self._settings.starts) or not observed):
            first = self._first_look(view, candidates, tried)
            if first is not None:
                return first
        if not observed:
            return Wait()
        running = [k for k in known if k.trial.state == "running" and k.trial.number != judged]
        rng = np.random.default_rng(derive_seed(view.seed, "thaw", self._followed.points, started, len(running)))
        paused = [k for k in observed if k.trial.state == "paused" or k.trial.number == judged]
        paused = [k for k in paused if k.steps < k.limit]
        endless = not may_start and view.steps_left is None  # nothing but the model says when to end
        if not endless and rng.random() < self._settings.halving:
            chosen = self._promoted(view, observed, paused)
            if chosen is not None:
                return Resume(chosen)
        model, memo = self._model(view, observed, [k for k in earlier if len(k.curve)], encoding, horizon)
        if running:
            model.suppose(options_of(running, observed))
        paused = sorted(paused, key=lambda k: k.best)[: self._settings.paused]
        units = candidates.uniform(rng, self._settings.uniform if may_start else 0)
        if self._own_recipes and may_start:
            best = sorted(observed, key=lambda k: k.best)[: self._settings.parents]
            parents = encoding.units([k.trial.point for k in best])
            units = np.concatenate([units, candidates.near(rng, parents, self._settings.near)])
        new = Options(encoding.rows(units), *(np.full(len(units), v) for v in (-1, 0.0, float(horizon))))
        options = joined(options_of(paused, observed), new) if paused else new
        longest = horizon if view.steps_left is None else max(1, min(horizon, view.steps_left))
        score = model.promise(options, rng, longest)
        score[len(paused) :] += candidates.belief(units) * _BELIEF / (_BELIEF + started)
        if self._per_second:
            score -= self._log_seconds(model, options, observed)
        if endless:
            score[model.chance(options) < _HOPELESS] = -np.inf
        for chosen in np.argsort(-score, kind="stable"):
            if score[chosen] == -np.inf:
                break
            if chosen < len(paused):
                return Resume(paused[chosen].trial.number, memo)
            if not self._own_recipes:
                return Start(None, memo)
            point = self._untried(view, tried, [units[chosen - len(paused)]])
            if point is not None:
                return Start(point, memo)
        return Wait(memo) if running or not may_start else Start(None, memo)

    def _first_look(self, view: View, candidates: Candidates, tried: Set[Any]) -> Start | None:
        """Start a recipe of an even spread; None when the space holds no other."""
        if not self._own_recipes:
            return Start()
        started, seed = len(view.trials), derive_seed(view.seed, "spread")
        point = self._untried(view, tried, (candidates.spread(i, seed) for i in range(started, started + 100)))
        if point is not None and not started:
            point |= {name: value for name, value in view.prior.items() if name in point}  # as it is, not rounded
        return None if point is None else Start(point)

    def _promoted(self, view: View, observed: Sequence[Known], paused: Sequence[Known]) -> int | None:
        """Number of the trial that successive halving trains on."""
        noise = History.of([k.curve for k in observed]).noise
        luck = np.random.default_rng(derive_seed(view.seed, "luck")).standard_normal(len(view.trials))
        free = {k.trial.number for k in paused}
        ceiling = self._ceiling()
        place = promoted(
            np.array([float(k.steps) for k in observed]),
            np.array([k.trial.number in free for k in observed]),
            luck[[k.trial.number for k in observed]] * (self._settings.luck * noise),
            lambda places, rung: np.array([observed[i].prospect(rung, ceiling) for i in places]),
        )
        return None if place is None else observed[place].trial.number

    def _model(
        self, view: View, observed: Sequence[Known], earlier: Sequence[Known], encoding: Encoding, horizon: int
    ) -> tuple[Model, Mapping[str, Any] | None]:
        """The surrogate; with a memo when its hyperparameters were fitted anew."""
        points, fitted = self._followed.points, int(view.memo.get("points", 0))
        theta = view.memo.get("theta")
        fit = theta is None or points >= fitted * self._settings.growth
        model = Model(
            curves_of(observed), curves_of(earlier) if earlier else None, encoding.groups, horizon, self._settings,
            theta=None if fit else theta, start=theta,
        )  # fmt: skip
        return model, {"points": points, "theta": model.theta.tolist()} if fit else None

    def _log_seconds(self, model: Model, options: Options, observed: Sequence[Known]) -> Array:
        timed = [k for k in observed if k.trial.seconds > 0]
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
