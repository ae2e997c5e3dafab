"""What a study tells of batch size: gradient noise scale, learning rate by batch, and what accumulation costs. Pure.

The batch is the effective one, ``batch_size * accumulation_steps``, in samples per optimizer step. Whatever the trials
cannot tell is None, "not identified" in words, and never a number without its interval.
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
from hpo.search.report.plots import ACCUMULATIONS, BATCHES, RATES
from hpo.search.report.study import StudyReport, TrialReport

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
class BatchFacts:
    """What a study tells of batch size.

    Attributes:
        noise: gradient noise scale of the better half of the complete trials; None where it is not identified.
        scales: the same for each of those trials, by number.
        rates: the best learning rate found for each effective batch; batches tried too seldom are left out.
        exponent: e of the fit rate ~ batch ** e through ``rates``.
        same: searched (batch size, accumulation steps) by effective batch, where several are one and the same point.
        slowdown: factor on the seconds per epoch for each doubling of the accumulation at an equal effective batch.
        rate: name of the learning rate; None where it is not searched.
    """

    noise: Estimate | None
    scales: Mapping[int, Estimate | None]
    rates: Mapping[int, float]
    exponent: Estimate | None
    same: Mapping[int, Sequence[tuple[int, int]]]
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
    """Read a study; None where neither batch size nor accumulation is searched."""
    space, fixed = found.definition.get("space", {}), found.definition.get("fixed", {})
    size, steps = _named(BATCHES, [*space, *fixed]), _named(ACCUMULATIONS, [*space, *fixed])
    if size not in space and steps not in space:
        return None
    factors = {trial.number: _factors({**fixed, **trial.point}, size, steps) for trial in found.trials}
    ranked = [trial for trial in found.ranked() if factors[trial.number]]
    measured = [trial for trial in found.ranked() if _measured(trial.metrics)]
    good = measured[: max(_LEAST_TRIALS, (len(measured) + 1) // 2)]
    rate = _named(RATES, space)
    batches = {number: pair[0] * pair[1] for number, pair in factors.items() if pair}
    rates = _best_rates(found, ranked, batches, rate) if rate else {}
    exponent = None
    if len(rates) >= _LEAST_BATCHES:
        exponent = _slope([(math.log(batch), math.log(best), None) for batch, best in rates.items()])
    return BatchFacts(
        noise=noise_scale(trial.metrics for trial in good),
        scales={trial.number: noise_scale([trial.metrics]) for trial in good},
        rates=rates,
        exponent=exponent,
        same=_same(_searched(space, size, steps) or {pair for pair in factors.values() if pair}),
        slowdown=_slowdown(found, factors),
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
        groups = [f"{batch} = {' = '.join(f'{a} x {b}' for a, b in pairs)}" for batch, pairs in known.same.items()]
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


def _best_rates(
    found: StudyReport, ranked: Sequence[TrialReport], batches: Mapping[int, int], rate: str
) -> dict[int, float]:
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


def _slowdown(found: StudyReport, factors: Mapping[int, tuple[int, int] | None]) -> Estimate | None:
    """Fit of seconds per epoch on accumulation within effective batches, over the medians of each factorization."""
    costs: dict[tuple[int, int], list[float]] = defaultdict(list)
    for trial in found.trials:
        pair = factors[trial.number]
        if pair and trial.curve and trial.seconds > 0:
            costs[pair].append(trial.seconds / len(trial.curve))
    points = [(math.log2(pair[1]), math.log2(median(seconds)), pair[0] * pair[1]) for pair, seconds in costs.items()]
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
    from scipy.stats import t

    slope = math.fsum(x * y for x, y in centred) / spread
    left = math.fsum((y - slope * x) ** 2 for x, y in centred) / freedom
    half = float(t.ppf(0.975, freedom)) * math.sqrt(left / spread)
    return Estimate(slope, slope - half, slope + half)


def _same(pairs: Iterable[tuple[int, int]]) -> dict[int, list[tuple[int, int]]]:
    """Factorizations by their product, of those that have several."""
    groups: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for size, steps in sorted(pairs):
        groups[size * steps].append((size, steps))
    return {batch: groups[batch] for batch in sorted(groups) if len(groups[batch]) > 1}


def _searched(space: Mapping[str, Any], size: str | None, steps: str | None) -> set[tuple[int, int]]:
    """All factorizations in the space where both factors are choices; empty otherwise."""
    searched = [space[name] for name in (size, steps) if name is not None and name in space]
    if len(searched) < 2 or any(knob["when"] for knob in searched):
        return set()
    values = [knob["domain"].get("values", ()) for knob in searched]
    return {(a, b) for a, b in product(*values) if _counts(a) and _counts(b)}


def _factors(recipe: Mapping[str, Any], size: str | None, steps: str | None) -> tuple[int, int] | None:
    """Batch size and accumulation steps of a recipe; None where the batch size is left to the objective."""
    batch, accumulated = recipe.get(size) if size else None, recipe.get(steps, 1) if steps else 1
    return (batch, accumulated) if _counts(batch) and _counts(accumulated) else None


def _counts(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _named(known: Iterable[str], present: Iterable[str]) -> str | None:
    names = set(present)
    return next((name for name in known if name in names), None)
