"""Freeze and thaw, hedged by trials that only a calibrated forecast may stop.

What it does: decides as ``freeze-thaw`` does, but for a share of the decisions in which it trains on a trial that it
holds: a recipe that no early rank chose, which goes on until it is complete or has a chance below 5 % to become the
best by its end. The chance is what the study's forecasts have been worth so far, so about five held trials are complete
before the first is stopped, and where curves end lower than forecast none is; one in five goes on regardless. What held
trials come to is seen by both, and says whom to trust: their share grows where one of them becomes the best of the
study or where early values order them otherwise than their ends, and shrinks where not, from three quarters of the
decisions at first to between 0.3 and 0.9. New recipes to hold are drawn from all of the space at first, then mostly by
a surrogate that has seen held trials only.
When to use it: where nobody knows whether early points say much; it is close to ``freeze-thaw`` where they do, and
trains on what looks bad where they mislead. Needs trials that can be paused, and one goal.
Options: none.
Cost: as ``freeze-thaw``, and a forecast at the points of a held trial.
Reference: docs/search.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hpo.search.contracts.policy import Continue, Pause, Policy, Prune, Resume, Start, Turn, Verdict, View
from hpo.search.curves.candidates import Candidates
from hpo.search.curves.known import Known, curves_of, key_of
from hpo.search.curves.shapes import milestones
from hpo.search.curves.single import LIBRARY, Library, forecast
from hpo.search.curves.thaw import Model, Options, Settings
from hpo.search.curves.trust import Calibration, evidence, immune, tilted
from hpo.search.policies.common.thawing import FreezeThaw
from hpo.search.terms.domain import Scalar
from hpo.search.terms.recipe import derive_seed
from hpo.search.terms.threads import one_thread

Array = NDArray[np.float64]

REQUIRES = ("one goal",)

T = TypeVar("T", Turn, Verdict)


@dataclass(frozen=True)
class Hedging:
    """Constants of the hedge, chosen on the even halves of benchmarks/groups.py.

    Attributes:
        share: of the decisions that held trials have before anything is known.
        least: they always have.
        most: they ever have.
        won: gained by the log odds of the share each time a held trial ends as the best of the study.
        lost: lost each time one ends while the best was never held.
        sure: what is won and lost adds up to at most so much.
        ranks: weight of what the ranks of complete held trials say, in log odds.
        scattered: share of the recipes to hold that are drawn from all of the space whatever was seen.
        known: held trials that a surrogate needs.
        uniform: recipes considered by it that are drawn from all of the space.
        near: recipes considered that are variations of the best held ones.
        parents: held trials that are varied.
        latest: held trials that the surrogate sees.
    """

    share: float = 0.75
    least: float = 0.3
    most: float = 0.9
    won: float = 2.0
    lost: float = 0.3
    sure: float = 2.5
    ranks: float = 1.0
    scattered: float = 0.25
    known: int = 3
    uniform: int = 60
    near: int = 60
    parents: int = 3
    latest: int = 200


def make(study: object) -> Hedge:
    """Make the policy; it has no options."""
    return Hedge(Settings(), Hedging())


@dataclass(frozen=True)
class Held:
    """What the memo keeps.

    Attributes:
        open: numbers of the trials that are held now.
        drawn: numbers of all that were ever started to be held.
        odds: log odds that held trials have gained.
        theta: log hyperparameters of the surrogate that has seen held trials only.
        points: that they were fitted to.
    """

    open: tuple[int, ...] = ()
    drawn: tuple[int, ...] = ()
    odds: float = 0.0
    theta: tuple[float, ...] = ()
    points: int = 0

    @staticmethod
    def of(view: View) -> Held:
        """Read what ``plain`` gave."""
        plain = view.memo.get("held", {})
        numbers = tuple(plain.get("open", ())), tuple(plain.get("drawn", ()))
        return Held(*numbers, plain.get("odds", 0.0), tuple(plain.get("theta", ())), plain.get("points", 0))

    def plain(self) -> dict[str, Any]:
        """As the memo has it."""
        fitted = {"theta": list(self.theta), "points": self.points} if self.theta else {}
        return {"open": list(self.open), "drawn": list(self.drawn), "odds": self.odds, **fitted}


class Hedge(Policy):
    """Freeze-thaw for some decisions, one trial after another for the others."""

    def __init__(self, settings: Settings, hedging: Hedging) -> None:
        self._thaw, self._settings, self._hedging = FreezeThaw(settings), settings, hedging
        self._calibration = Calibration()
        self._weighed: tuple[list[int], float] = [], 0.0  # complete held trials, and what their ranks say

    def next(self, view: View) -> Turn:
        """Train on a held trial, or start one, in their share of the decisions; else what freeze-thaw says."""
        held = self._settled(view, Held.of(view))
        turn = self._of_held(view, held, None)
        return _noted(self._thaw.next(view) if turn is None else turn[0], view, held if turn is None else turn[1])

    def judge(self, view: View, number: int) -> Verdict:
        """Let the trial go on where it is its turn; leave a held one no other way than paused."""
        horizon = self._thaw.horizon(view)
        if view.trials[number].curve[-1][0] not in milestones(horizon):
            return Continue()
        held = self._settled(view, Held.of(view))
        if number in held.open and not immune(view.seed, number) and self._hopeless(view, number, set(held.drawn)):
            held = self._ended(view, held, number)
        turn = self._of_held(view, held, number)
        if turn is None:
            verdict = self._thaw.judge(view, number)
        elif isinstance(turn[0], Resume) and turn[0].number == number:
            return _noted(Continue(), view, held)
        else:
            verdict = self._thaw.leave(view, number)
        if isinstance(verdict, Prune) and number in held.open:
            verdict = Pause(verdict.memo)
        return _noted(verdict, view, held)

    def checks(self, horizon: int) -> Iterable[int]:
        """Steps in about equal ratios."""
        return self._thaw.checks(horizon)

    def _share(self, view: View, held: Held) -> float:
        """The share of the decisions that held trials have."""
        own, known = self._hedging, self._thaw.look(view)
        whole = _latest((n for n in reversed(held.drawn) if known[n].trial.state == "complete"), LIBRARY)
        if whole != self._weighed[0]:
            self._weighed = whole, evidence([known[n].curve for n in whole])
        return tilted(own.share, held.odds - own.ranks * self._weighed[1], own.least, own.most)

    def _of_held(self, view: View, held: Held, judged: int | None) -> tuple[Turn, Held] | None:
        """What held trials do with a free lane; None where it is not their turn."""
        if len(view.trials) < self._settings.starts:
            return None
        known, running = self._thaw.look(view), self._thaw.roster.running
        busy = sum(n in running for n in held.open if n != judged)
        draw = np.random.default_rng(derive_seed(view.seed, "hedge", self._thaw.points(view))).random()
        if busy + draw >= self._share(view, held) * view.lanes:
            return None
        for number in held.open:
            if number == judged or known[number].trial.state == "paused":
                return Resume(number), held
        if view.trials_left == 0:
            return None
        number = len(view.trials)
        point, held = self._drawn(view, held)
        return Start(point), replace(held, open=(*held.open, number), drawn=(*held.drawn, number))

    def _settled(self, view: View, held: Held) -> Held:
        """Without the trials that have ended, each of which moves the odds; or were never started."""
        known = self._thaw.look(view)
        there = len(known)
        if held.drawn and held.drawn[-1] >= there:
            held = replace(
                held, open=tuple(n for n in held.open if n < there), drawn=tuple(n for n in held.drawn if n < there)
            )
        for number in held.open:
            if known[number].trial.ended:
                held = self._ended(view, held, number)
        return held

    def _ended(self, view: View, held: Held, number: int) -> Held:
        """Hold a trial no longer, and see whose the best trial is."""
        self._thaw.look(view)
        best = self._thaw.roster.leader
        own = self._hedging
        moved = own.won if best == number else 0.0 if best in held.drawn else -own.lost
        odds = float(np.clip(held.odds + moved, -own.sure, own.sure))
        return replace(held, open=tuple(n for n in held.open if n != number), odds=odds)

    def _hopeless(self, view: View, number: int, drawn: Set[int]) -> bool:
        """Whether a forecast, as far as forecasts have been right here, leaves a trial no chance to become the best."""
        known, roster = self._thaw.look(view), self._thaw.roster
        own = known[number]
        if own.steps >= own.limit or not np.isfinite(own.curve).all():
            return False
        numbers = _latest((n for n in reversed(roster.complete) if n in drawn), 2 * LIBRARY)
        held = {n: known[n].curve for n in numbers}
        if not self._calibration.may_stop(len(held)):
            return False
        library = Library.of([known[n].curve for n in roster.complete[-LIBRARY:]], own.limit)
        seen = forecast(own.curve, own.limit, library, derive_seed(view.seed, number, own.steps))
        return self._calibration.hopeless(seen, roster.best_but(number), held, own.steps / own.limit) is not None

    def _drawn(self, view: View, held: Held) -> tuple[dict[str, Scalar] | None, Held]:
        """A recipe to hold; None where the space holds no other that can be found."""
        own, horizon = self._hedging, self._thaw.horizon(view)
        known = self._thaw.look(view)
        encoding = self._thaw.encoding(view)
        rng = np.random.default_rng(derive_seed(view.seed, "held", len(view.trials)))
        candidates = Candidates(view.space, encoding.units([view.prior])[0])
        units = candidates.uniform(rng, own.uniform)
        seen: Sequence[Known] = [known[n] for n in held.drawn[-own.latest :] if len(known[n].curve)]
        if rng.random() >= own.scattered and len(seen) >= own.known:
            parents = np.stack([k.unit for k in sorted(seen, key=lambda k: k.best)[: own.parents]])
            units = np.concatenate([units, candidates.near(rng, parents, own.near)])
            options = Options(
                encoding.rows(units), *(np.full(len(units), v) for v in (-1, horizon - 1.0, float(horizon)))
            )
            points = sum(len(k.curve) for k in seen)
            fit = not held.theta or points >= held.points * self._settings.growth
            with one_thread():
                model = Model(
                    curves_of(seen), None, encoding.groups, horizon, self._settings,
                    theta=None if fit else held.theta, start=held.theta,
                )  # fmt: skip
                units = units[np.argsort(-model.promise(options, rng, 1), kind="stable")]
            held = replace(held, theta=tuple(model.theta.tolist()), points=points) if fit else held
        tried = self._thaw.roster.keys
        drawn = (view.space.from_unit(u.tolist(), view.fixed) for u in units)
        return next((point for point in drawn if key_of(point) not in tried), None), held


def _latest(numbers: Iterable[int], count: int) -> list[int]:
    """Of numbers in descending order the first so many, ascending."""
    return list(islice(numbers, count))[::-1]


def _noted(answer: T, view: View, held: Held) -> T:
    """The answer with what both keep, where that has changed."""
    kept = {"held": held.plain()} if held.drawn else {}
    memo = {**view.memo, **(answer.memo or {}), **kept}
    return replace(answer, memo=None if memo == dict(view.memo) else memo)
