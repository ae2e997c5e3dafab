"""What a study tells of batch size: gradient noise scale, learning rate by batch, and what accumulation costs. Pure.

The batch is the effective one in samples per optimizer step, ``effective_batch`` or ``batch_size *
accumulation_steps``; of a batch that grows it is the first. Whatever the trials cannot tell is None, "not identified"
in words, and never a number without its interval.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import Any, TypeGuard

from hpo.search.report import text
from hpo.search.report.plots import ACCUMULATIONS, BATCHES, EFFECTIVE, RATES
from hpo.search.report.study import StudyReport
from hpo.search.terms.trial import Trial

CAVEAT = (
    "the noise scale is a proxy of the critical batch size, averaged over training and so ruled by its early steps; "
    "branched training found it unreliable for language models (arXiv 2505.23971)"
)

_LEAST_BATCHES = 3
_LEAST_TRIALS = 3
_Z = 1.96
_SHOWN = 8


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """In words, with what the interval means.

        >>> str(Estimate(47.123, 40.0, 55.06))
        '47.1 (95 % interval 40 to 55.1)'
        """
        return f"{self.value:.3g} (95 % interval {self.low:.3g} to {self.high:.3g})"


@dataclass(frozen=True)
class Cut:
    """The samples of a step, and the micro-batches they are cut into: of what size at most, and how many.

    ``pieces`` is None where that is not known.
    """

    batch: int
    pieces: tuple[int, int] | None

    def __str__(self) -> str:
        """Micro-batches in words.

        >>> str(Cut(64, (16, 4))), str(Cut(100, (32, 4)))
        ('16 x 4', '32 x 3 + 4')
        """
        assert self.pieces is not None
        size, count = self.pieces
        rest = self.batch - size * (count - 1)
        return f"{size} x {count}" if rest == size else f"{size} x {count - 1} + {rest}"


@dataclass(frozen=True)
class BatchFacts:
    """What a study tells of batch size.

    Attributes:
        noise: gradient noise scale of the better half of the complete trials; None where it is not identified.
        scales: the same for each of those trials, by number.
        rates: the best learning rate found for each effective batch; batches tried too seldom are left out.
        exponent: e of the fit rate ~ batch ** e through ``rates``.
        same: what a step of each effective batch is cut into, where several ways that are searched are one point.
        slowdown: factor on the seconds per epoch for each doubling of the accumulation at an equal effective batch.
        rate: name of the learning rate; None where it is not searched.
    """

    noise: Estimate | None
    scales: Mapping[int, Estimate | None]
    rates: Mapping[int, float]
    exponent: Estimate | None
    same: Mapping[int, Sequence[Cut]]
    slowdown: Estimate | None
    rate: str | None


def noise_scale(measured: Iterable[Mapping[str, float]]) -> Estimate | None:
    """Gradient noise scale tr(S) / |G|^2 in samples: the ratio of averages (McCandlish et al. 2018, appendix A.1).

    Args:
        measured: metrics of runs, each with the averages ``gradient_variance`` and ``gradient_square`` and their
            standard errors ``gradient_variance_error`` and ``gradient_square_error``.

    Returns:
        None where the mean of ``gradient_square`` is not clearly above 0, so that the scale has no upper bound.
    """
    runs = [run for run in measured if _measured(run)]
    if not runs:
        return None
    variance, square = (math.fsum(run[f"gradient_{name}"] for run in runs) for name in ("variance", "square"))
    errors = [math.hypot(*(run[f"gradient_{name}_error"] for run in runs)) for name in ("variance", "square")]
    if variance <= 0 or square <= 0:
        return None
    value, relative = variance / square, _Z * math.hypot(errors[0] / variance, errors[1] / square)
    # 1 / value is close to normal, unlike value, whose denominator is the noisy part
    return Estimate(value, value / (1 + relative), value / (1 - relative)) if relative < 1 else None


def facts(found: StudyReport) -> BatchFacts | None:
    """Read a study; None where no batch is searched."""
    space, fixed = found.definition.get("space", {}), found.definition.get("fixed", {})
    size, steps = _named(BATCHES, [*space, *fixed]), _named(ACCUMULATIONS, [*space, *fixed])
    if not {size, steps, EFFECTIVE} & set(space):
        return None
    cuts = {trial.number: _cut({**fixed, **trial.point}, size, steps, trial.metrics) for trial in found.trials}
    ranked = [trial for trial in found.ranked() if cuts[trial.number]]
    measured = [trial for trial in found.ranked() if _measured(trial.metrics)]
    good = measured[: max(_LEAST_TRIALS, (len(measured) + 1) // 2)]
    rate = _named(RATES, space)
    batches = {number: cut.batch for number, cut in cuts.items() if cut}
    rates = _best_rates(found, ranked, batches, rate) if rate else {}
    exponent = None
    if len(rates) >= _LEAST_BATCHES:
        exponent = _slope([(math.log(batch), math.log(best), None) for batch, best in rates.items()])
    return BatchFacts(
        noise=noise_scale(trial.metrics for trial in good),
        scales={trial.number: noise_scale([trial.metrics]) for trial in good},
        rates=rates,
        exponent=exponent,
        same=_same(_searched(space, size, steps) or {cut for cut in cuts.values() if cut}),
        slowdown=_slowdown(found, cuts),
        rate=rate,
    )


def lines(found: StudyReport) -> list[str]:
    """The facts in words; empty where the study does not search batch size or accumulation."""
    known = facts(found)
    if known is None:
        return []
    told = [_noise_line(known)] + ([f"caveat: {CAVEAT}"] if known.noise is not None else [])
    knobs = {**found.definition.get("fixed", {}), **found.definition.get("space", {})}
    coupled = "" if knobs.get("coupling", "none") == "none" else ", less what coupling has taken out"
    if known.rate is not None:
        shown = "; ".join(f"{batch}: {text.short(best)}" for batch, best in known.rates.items())
        told.append(f"best {known.rate} by effective batch: {shown or 'none was tried often enough'}")
        if known.exponent is not None and known.exponent.low <= 0 and known.exponent.high >= 1:
            told.append(f"{known.rate} ~ batch ^ e: not identified; {known.exponent} has no and linear scaling in it")
        elif known.exponent is not None:
            told.append(
                f"{known.rate} ~ batch ^ {known.exponent}; "
                f"expected well below the noise scale are 0.5 for Adam, 1 for SGD{coupled}"
            )
        else:
            told.append(
                f"{known.rate} ~ batch ^ e: not identified; it takes {_LEAST_BATCHES} effective batches with a "
                f"complete trial among at least {_LEAST_TRIALS} that ended, and there are {len(known.rates)}"
            )
    if known.same:
        groups = [f"{batch} = {' = '.join(map(str, cuts))}" for batch, cuts in known.same.items()]
        more = f"; and {len(groups) - _SHOWN} more" if len(groups) > _SHOWN else ""
        told.append(f"one and the same point: {'; '.join(groups[:_SHOWN])}{more}")
        cost = "not identified; too few trials share an effective batch"
        if known.slowdown is not None:
            cost = f"x {known.slowdown} for each doubling at an equal effective batch; lanes of a cohort share it"
        told.append(f"seconds per epoch under accumulation: {cost}")
    return told


def _noise_line(known: BatchFacts) -> str:
    if not known.scales:
        return "gradient noise scale: not measured; it takes complete trials whose steps have several micro-batches"
    if known.noise is None:
        return "gradient noise scale: not identified; the gradient is not clearly above its noise"
    each = [scale.value for scale in known.scales.values() if scale is not None]
    single = f", {min(each):.3g} to {max(each):.3g} in single ones" if len(each) > 1 else ""
    trials = f"{len(known.scales)} good trial{'s' if len(known.scales) > 1 else ''}"
    return f"gradient noise scale: {known.noise} samples, over {trials}{single}"


def _measured(metrics: Mapping[str, float]) -> bool:
    return "gradient_square_error" in metrics and "gradient_variance_error" in metrics


def _best_rates(found: StudyReport, ranked: Sequence[Trial], batches: Mapping[int, int], rate: str) -> dict[int, float]:
    """Rate of the best complete trial of each effective batch at which enough trials have ended, smallest first."""
    ended: dict[int, int] = defaultdict(int)
    for trial in found.trials:
        if trial.number in batches and trial.state in ("complete", "pruned"):
            ended[batches[trial.number]] += 1
    best: dict[int, float] = {}
    for trial in ranked:
        batch = batches[trial.number]
        if ended[batch] >= _LEAST_TRIALS and trial.point.get(rate, 0) > 0:
            best.setdefault(batch, float(trial.point[rate]))
    return dict(sorted(best.items()))


def _slowdown(found: StudyReport, cuts: Mapping[int, Cut | None]) -> Estimate | None:
    """Fit of seconds per epoch on accumulation within effective batches, over the medians of each factorization."""
    costs: dict[Cut, list[float]] = defaultdict(list)
    for trial in found.trials:
        cut = cuts[trial.number]
        if cut and cut.pieces and trial.curve and trial.seconds > 0:
            costs[cut].append(trial.seconds / len(trial.curve))
    points = [
        (math.log2(cut.pieces[1]), math.log2(median(seconds)), cut.batch)
        for cut, seconds in costs.items()
        if cut.pieces
    ]
    fitted = _slope(points)
    return fitted and Estimate(2**fitted.value, 2**fitted.low, 2**fitted.high)


def _slope(points: Iterable[tuple[float, float, Hashable]]) -> Estimate | None:
    """Least squares of y on x with an intercept for each group, and Student's t interval.

    Args:
        points: (x, y, group).

    Returns:
        None where x does not vary within groups, or nothing is left to tell the spread from.
    """
    groups: dict[Hashable, list[tuple[float, float]]] = defaultdict(list)
    for x, y, group in points:
        groups[group].append((x, y))
    centred = []
    for members in groups.values():
        middle = [math.fsum(axis) / len(members) for axis in zip(*members, strict=True)]
        centred += [(x - middle[0], y - middle[1]) for x, y in members]
    spread = math.fsum(x * x for x, _ in centred)
    freedom = len(centred) - len(groups) - 1
    if freedom < 1 or spread < 1e-12:
        return None
    from scipy.special import stdtrit

    slope = math.fsum(x * y for x, y in centred) / spread
    left = math.fsum((y - slope * x) ** 2 for x, y in centred) / freedom
    half = float(stdtrit(freedom, 0.975)) * math.sqrt(left / spread)
    return Estimate(slope, slope - half, slope + half)


def _same(cuts: Iterable[Cut]) -> dict[int, list[Cut]]:
    """What each effective batch is cut into, of those that are cut in several ways."""
    groups: dict[int, list[Cut]] = defaultdict(list)
    for cut in sorted((cut for cut in cuts if cut.pieces), key=lambda cut: cut.pieces or ()):
        groups[cut.batch].append(cut)
    return {batch: groups[batch] for batch in sorted(groups) if len(groups[batch]) > 1}


def _searched(space: Mapping[str, Any], size: str | None, steps: str | None) -> set[Cut]:
    """All factorizations in the space where two of the factors are choices; empty otherwise."""
    searched = [name for name in (size, steps, EFFECTIVE) if name is not None and name in space]
    if len(searched) < 2 or any(space[name]["when"] for name in searched):
        return set()
    values = [space[name]["domain"].get("values", ()) for name in searched]
    cuts = {_cut(dict(zip(searched, chosen, strict=True)), size, steps, {}) for chosen in product(*values)}
    return {cut for cut in cuts if cut is not None}


def _cut(recipe: Mapping[str, Any], size: str | None, steps: str | None, measured: Mapping[str, float]) -> Cut | None:
    """The step of a recipe; None where the samples in it are left to the objective.

    The size of a micro-batch that was left to the trainer is among the metrics.
    """
    found = int(measured["micro_batch"]) if "micro_batch" in measured else recipe.get(size) if size else None
    accumulated, batch = recipe.get(steps, 1) if steps else 1, recipe.get(EFFECTIVE, 0)
    if _counts(batch):
        if not _counts(found):
            return Cut(batch, None)
        least = min(found, batch)
        return Cut(batch, (least, -(-batch // least)))
    return Cut(found * accumulated, (found, accumulated)) if _counts(found) and _counts(accumulated) else None


def _counts(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _named(known: Iterable[str], present: Iterable[str]) -> str | None:
    names = set(present)
    return next((name for name in known if name in names), None)
