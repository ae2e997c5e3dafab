"""Let another pruner stop most trials, and hold some on that only a calibrated forecast may stop.

What it does: asks the pruner ``of`` for most trials. A few are held: whatever early points say, they go on until they
are complete or a forecast leaves them a chance below 5 % to become the best by their end, and one in five goes on
regardless. The chance is what the study's own forecasts have been worth, so about five held trials are complete before
the first is stopped, and where curves end lower than forecast none is. Held trials have a share of the steps: three
quarters at first, more where the best complete trial is one of them or where early values order them otherwise than
their ends do (at steps 1, 3 and 9), less where not; from 0.25 to 0.9. As they are long, that is at first about one
trial in four of 20 steps, in eight of 50; which ones is settled before they start. The first eight are not held.
When to use it: the default, of successive halving. Nobody knows beforehand how far early points can be trusted, and a
pruner that trusts them never sees what it has stopped.
Options: ``of`` = none, stops the trials that are not held; ``share`` = 0.75, of the steps for held trials at first.
Cost: that of ``of``, and 1 ms for a forecast at some ten steps of a held trial.
Reference: docs/search.md.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpo.search.contracts.policy import Continue, Prune, View
from hpo.search.contracts.pruner import PRUNER, Answer, Pruner, PrunerContext
from hpo.search.curves.shapes import milestones
from hpo.search.curves.single import LIBRARY, Library, forecast
from hpo.search.curves.trust import Calibration, evidence, immune, tilted
from hpo.search.pruners.common.stopper import Curve, Stopper, Watched, forecast_from, worth_of
from hpo.search.terms.errors import UserError
from hpo.search.terms.knobs import INSIDE_1
from hpo.search.terms.lot import lot
from hpo.search.terms.recipe import derive_seed
from hpo.search.terms.trial import Trial

Array = NDArray[np.float64]
Memo: TypeAlias = "Mapping[str, Any]"

REQUIRES = ("one goal",)

# Chosen on the even halves of benchmarks/groups.py, as those of search/policies/hedge.py.
_LEAST, _MOST = 0.25, 0.9  # share of the steps that held trials ever have
_WON = 1.5  # log odds of the share that are gained where the best complete trial is a held one
_LOST = 0.2  # lost for each complete held trial where it is not
_RANKS = 0.7  # weight of what the ranks of complete held trials say, in log odds
_SURE = 2.0  # all that moves the share adds up to at most so much
_SHORT, _GUESSED = 2.5, 4  # steps that a trial which is not held has, taken as seen in so many trials
_CHECKS = 3.0  # forecasts for each doubling of the steps
_UNKNOWN = 20  # steps of a complete trial that are assumed where nobody says how many it has
_RATIO = 1.1  # parts are rounded to powers of it, so that few changes are to be kept
_PARTS = "parts"  # what is kept: [first trial, part of the trials], in order


def make(context: PrunerContext, *, of: Pruner | None = None, share: Annotated[float, INSIDE_1] = 0.75) -> Pruner:
    """Make the pruner.

    Raises:
        UserError: the share is out of range.
    """
    if not 0 < share < 1:
        raise UserError(f"share is between 0 and 1, got {share:g}")
    return _Hedged(context, of, share)


@dataclass
class _Seen:
    """What is known of a study.

    Attributes:
        whole: complete curves of finite values by trial.
        numbers: of these trials, ascending.
        held: those of them that were held.
        best: what the best complete trial is worth, and its number.
        stopped: how many trials were stopped, and after how many steps in all.
        steps: of the complete ones in all.
        longest: last step of any trial.
    """

    whole: dict[int, Array] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    best: tuple[float, int] = (math.inf, -1)
    stopped: tuple[int, int] = (0, 0)
    steps: int = 0
    longest: int = 0


class _Hedged(Stopper):
    def __init__(self, context: PrunerContext, of: Pruner | None, share: float) -> None:
        super().__init__(context.horizon)
        self._of, self._share, self._seed = of, share, context.seed
        self._seen: Watched[_Seen] = Watched(_Seen, self._add)
        self._calibration = Calibration()
        self._weighed: tuple[list[int], float] = [], 0.0  # complete held trials, and what their ranks say

    def judge(self, view: View, number: int) -> Answer:
        """Ask the other pruner, and overrule it for a held trial; what has diverged is not held."""
        answer = self._of.judge(view, number) if self._of is not None else Continue()
        curve = view.trials[number].curve
        if not curve or not math.isfinite(curve[-1][1]):
            return answer
        share = self._share_now(view)
        if lot(number) >= _part_of(self._parts(view), number):
            answer = _told(answer, share)
        else:
            answer = super().judge(view, number)
        return replace(answer, memo=self._settled(view, share))

    def stop(self, view: View, trial: Trial, curve: Curve) -> Prune | None:
        """Stop a held trial where a forecast that has been right so far leaves it no chance."""
        seen, step = self._look(view), curve[-1][0]
        horizon, held = self.horizon_of(trial) or seen.longest, self._held(view)
        if step >= horizon or step not in milestones(horizon, _CHECKS) or immune(self._seed, trial.number):
            return None
        if not self._calibration.may_stop(len(held)):
            return None
        points, (best, owner) = forecast_from(trial, view), seen.best
        if owner == trial.number or not all(math.isfinite(value) for _, value in points):
            return None
        library = Library.of([seen.whole[n] for n in seen.numbers[-LIBRARY:]], horizon)
        foreseen = forecast(points, horizon, library, derive_seed(self._seed, trial.number, step))
        complete = {n: seen.whole[n] for n in self._held(view, 2 * LIBRARY)}
        chance = self._calibration.hopeless(foreseen, best, complete, step / horizon)
        if chance is None:
            return None
        share = self._share_now(view)
        return Prune(
            f"held on until step {step} of {horizon} whatever early points said; its chance to beat "
            f"{view.sign * best:.4g} is {chance:.1%}, as far as forecasts were right for {len(held)} complete trials",
            {"probability": chance, "incumbent": view.sign * best, "held": share},
        )

    def checks(self, horizon: int) -> Iterable[int]:
        """Those of the other pruner, and the steps at which held trials are forecast."""
        steps: list[int] = milestones(horizon, _CHECKS)[:-1].tolist()
        return sorted({*steps, *(self._of.checks(horizon) if self._of is not None else ())})

    def _share_now(self, view: View) -> float:
        """The share of the steps that held trials have."""
        seen, held = self._look(view), self._held(view)
        if held != self._weighed[0]:
            self._weighed = held, evidence([seen.whole[n] for n in held])
        best = seen.best[1]
        won = best >= 0 and lot(best) < _part_of(self._parts(view), best)
        moved = _WON if won else -_LOST * len(held)
        odds = min(max(moved - _RANKS * self._weighed[1], -_SURE), _SURE)
        return tilted(self._share, odds, min(_LEAST, self._share), max(_MOST, self._share))

    def _settled(self, view: View, share: float) -> Memo | None:
        """What is to be kept: the part of the trials from the next one on that will be held; None where it is that."""
        parts, part, number = self._parts(view), self._part(self._look(view), share), len(view.trials)
        if part == parts[-1][1]:
            return None
        before = parts[:-1] if parts[-1][0] == number else parts
        return {_PARTS: [*before, [number, part]]}

    def _parts(self, view: View) -> Sequence[Sequence[float]]:
        """For which trials, from which number on, which part of them is held."""
        kept: Sequence[Sequence[float]] = view.memo.get(PRUNER, {}).get(_PARTS, ())
        return kept or [[0, self._part(_Seen(), self._share)]]

    def _part(self, seen: _Seen, share: float) -> float:
        """The part of the trials that has this share of the steps."""
        trials, steps = seen.stopped
        short = (steps + _GUESSED * _SHORT) / (trials + _GUESSED)
        whole = self._horizon or max(seen.longest, _UNKNOWN)
        long = seen.steps / len(seen.numbers) if seen.numbers else whole
        part = share * short / (share * short + (1.0 - share) * long)
        return min(float(_RATIO ** round(math.log(part, _RATIO))), 1.0)

    def _held(self, view: View, count: int = LIBRARY) -> list[int]:
        """The latest complete trials that were held, whatever early points said of them, ascending."""
        return self._look(view).held[-count:]

    def _look(self, view: View) -> _Seen:
        return self._seen.look(view)

    def _add(self, seen: _Seen, trial: Trial, view: View) -> None:
        """Take in a trial that is new or has changed."""
        if not trial.curve:
            return
        last = trial.curve[-1][0]
        seen.longest = max(seen.longest, last)
        if trial.state == "pruned":
            seen.stopped = seen.stopped[0] + 1, seen.stopped[1] + last
        if trial.state != "complete":
            return  # nobody reads its whole curve at each of its points
        curve, worth = forecast_from(trial, view), worth_of(trial, view)
        if worth is not None and all(math.isfinite(value) for _, value in curve):
            seen.whole[trial.number] = np.array(curve, dtype=np.float64)
            bisect.insort(seen.numbers, trial.number)
            seen.steps += last
            if lot(trial.number) < _part_of(self._parts(view), trial.number):
                bisect.insort(seen.held, trial.number)
            seen.best = min(seen.best, (worth, trial.number))


def _part_of(parts: Sequence[Sequence[float]], number: int) -> float:
    """The part of the trials that was held when a trial started."""
    place = bisect.bisect_right(parts, float(number), key=lambda entry: entry[0])
    return parts[place - 1][1]


def _told(answer: Answer, share: float) -> Answer:
    """The other pruner's answer, with what share the trials have that it does not stop."""
    if isinstance(answer, Continue):
        return answer
    reason = f"{answer.reason}; {share:.0%} of the steps are for trials that early points do not stop"
    return Prune(reason, {**answer.evidence, "held": share})
