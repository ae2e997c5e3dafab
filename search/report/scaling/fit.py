"""From small to large: the best rate and batch of each size, the laws through them, and what they say of another size.

Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpo.search.report.scaling.cells import SAME, cells_of, counted, differing, middle
from hpo.search.report.scaling.optimum import Optimum, Place, optimum
from hpo.search.report.scaling.powerlaw import LEAST_SPAN, At, Law, LossLaw, Told, drift, loss_law, negative, power_law
from hpo.search.report.scaling.published import LAWS, Published
from hpo.search.report.scaling.runs import Run, Runs
from hpo.search.terms.errors import UserError

FAR = 10.0
"""Beyond this factor of the largest size a prediction is called a guess."""


@dataclass(frozen=True)
class SizeFacts:
    """What the runs of one size tell.

    Attributes:
        at: parameters, and tokens where they are known.
        batch: (smallest, largest) batch tried; None where unknown.
        knobs: what makes the size: knobs that are one value in it and differ between sizes.
        value: the goal's value at the best rate, by the fit.
    """

    at: At
    batch: tuple[float, float] | None
    knobs: Mapping[str, Any]
    best: Optimum
    value: Told | None


@dataclass(frozen=True)
class Prediction:
    """What the laws say of a size.

    Attributes:
        times: how many times the largest N and D measured it is; below 1 within what is measured.
        off_path: the law was measured for other numbers of tokens only.
    """

    at: At
    rate: Told | None
    batch: Told | None
    loss: Told | None
    times: Mapping[str, float]
    off_path: bool


@dataclass(frozen=True)
class Group:
    """The sizes of one parametrization, and what is fitted through them.

    Attributes:
        parametrization: ``standard`` or ``mup``; None where the objective has no such knob.
        at_batch: the batch at which best rates are given, where the best batch is not identified at each size.
        drift: factor between the largest and the smallest best rate; None with fewer than two of them.
    """

    parametrization: str | None
    sizes: tuple[SizeFacts, ...]
    at_batch: float | None
    rate: Law
    batch: Law
    loss: LossLaw
    drift: Told | None
    prediction: Prediction | None

    @property
    def identified(self) -> list[SizeFacts]:
        """Sizes with a best rate."""
        return [size for size in self.sizes if size.best.rate.estimate is not None]

    @property
    def largest(self) -> SizeFacts | None:
        """The largest size with a best rate."""
        return max(self.identified, key=lambda size: (size.at.n, size.at.d or 0.0), default=None)


@dataclass(frozen=True)
class Compared:
    """A published law at the largest size measured, beside what was measured there, and at the size wanted."""

    law: Published
    here: float | None
    measured: float | None
    there: float | None


@dataclass(frozen=True)
class Scaling:
    """All that `hpo scale` tells."""

    runs: Runs
    groups: tuple[Group, ...]
    published: tuple[Compared, ...]
    caveats: tuple[str, ...]


def scale(runs: Runs, size: float | None = None, tokens: float | None = None) -> Scaling:
    """Fit everything.

    Args:
        runs: what the studies hold.
        size: parameters of the model to predict for; None for no prediction unless ``tokens`` are given.
        tokens: that it will be trained on; None for those that go with the size in what was measured.

    Raises:
        UserError: all runs are of one size, or the size to predict for is not said in full.
    """
    cells = cells_of(runs.runs)
    kinds = sorted({kind for kind, _ in cells}, key=str)
    if all(sum(kind == mine for kind, _ in cells) == 1 for mine in kinds):
        ((_, at), *_) = cells
        raise UserError(
            f"all trials are of one size ({counted(at.n)} parameters"
            + (f", {counted(at.d)} tokens" if at.d else "")
            + "): run the study at other sizes too, such as: hpo run ... --set width=256 --name width-256"
        )
    names = differing(cells)
    groups = tuple(_group(kind, cells, names, runs.maximize, size, tokens) for kind in kinds)
    return Scaling(runs, groups, _compare(groups, runs), _caveats(runs, groups))


def _group(
    kind: str | None,
    cells: Mapping[tuple[str | None, At], Sequence[Run]],
    names: Sequence[str],
    maximize: bool,
    size: float | None,
    tokens: float | None,
) -> Group:
    mine = {at: runs for (of, at), runs in cells.items() if of == kind}
    best = {at: _best(runs, None) for at, runs in mine.items()}
    varied = [found.batch for found in best.values() if found.batch is not None]
    batches = dict(best)
    common = None
    if varied and any(place.estimate is None for place in varied):
        # best rates at different batches would not be one law
        common = middle([run.batch or 1.0 for runs in mine.values() for run in runs])
        best = {at: _best(runs, common) for at, runs in mine.items()}
    sizes = tuple(_facts(at, runs, best[at], batches[at].batch, names, maximize) for at, runs in mine.items())
    fitted = [one for one in sizes if one.best.rate.estimate is not None]
    law = _law([(one.at, one.best.rate) for one in fitted])
    by_batch = _law([(one.at, one.best.batch) for one in sizes if one.best.batch is not None])
    if maximize:
        loss = LossLaw(law.axes, None, {}, "it is of a loss, and the goal is to maximize")
    else:
        costs = [one.best.cost for one in fitted if one.best.cost is not None]
        values = [cost.estimate.value for cost in costs if cost.estimate is not None]
        loss = loss_law([one.at for one in fitted], values, [c.draws for c in costs if c.draws is not None])
    logs = [math.log(one.best.rate.estimate.value) for one in fitted if one.best.rate.estimate is not None]
    draws = [one.best.rate.draws for one in fitted if one.best.rate.draws is not None]
    drifted = drift(logs, draws) if len(logs) > 1 else None
    prediction = _predict(law, by_batch, loss, [one.at for one in sizes], size, tokens)
    return Group(kind, sizes, common, law, by_batch, loss, drifted, prediction)


def _best(runs: Sequence[Run], at_batch: float | None) -> Optimum:
    batches = [run.batch for run in runs if run.batch is not None]
    return optimum(
        np.array([run.rate for run in runs]),
        np.array(batches) if len(batches) == len(runs) else None,
        np.array([run.cost for run in runs]),
        at=at_batch,
    )


def _facts(
    at: At, runs: Sequence[Run], best: Optimum, batch: Place | None, names: Sequence[str], maximize: bool
) -> SizeFacts:
    batches = [run.batch for run in runs if run.batch is not None]
    knobs = {name: runs[0].recipe[name] for name in names if name in runs[0].recipe}
    value = None
    if best.cost is not None and best.cost.estimate is not None:
        told = best.cost.estimate
        value = Told(told.value, told.low, told.high)
        value = negative(value) if maximize else value
    span = (min(batches), max(batches)) if batches else None
    whole = Optimum(best.trials, best.used, best.rate, batch, best.cost)
    return SizeFacts(at, span, knobs, whole, value)


def _law(places: Sequence[tuple[At, Place]]) -> Law:
    told = [(at, place.estimate, place.draws) for at, place in places]
    known = [(at, math.log(e.value), draws) for at, e, draws in told if e is not None and draws is not None]
    return power_law([at for at, _, _ in known], [log for _, log, _ in known], [draws for _, _, draws in known])


def _predict(
    rate: Law, batch: Law, loss: LossLaw, places: Sequence[At], size: float | None, tokens: float | None
) -> Prediction | None:
    if size is None and tokens is None:
        return None
    if size is None:
        size = rate.axes.fixed.get("N")
        if size is None:
            raise UserError("how large is the model? add --size, such as: --size 20e6")
    d = tokens if tokens is not None else rate.axes.d_of(size)
    if d is None and "D" in rate.axes.terms:
        raise UserError("how many tokens will it train on? add --tokens, such as: --tokens 4e8")
    at = At(size, d)
    times = {"N": size / max(place.n for place in places)}
    counts = [place.d for place in places if place.d]
    if d is not None and counts:
        times["D"] = d / max(counts)
    told = rate.predict(at)
    return Prediction(at, told, batch.predict(at), loss.predict(at), times, told is not None and rate.off_path(at))


def compared_group(groups: Sequence[Group]) -> Group | None:
    """The sizes that published laws are compared with: laws are of the standard parametrization."""
    return next((one for one in groups if one.parametrization != "mup" and one.largest is not None), None)


def _compare(groups: Sequence[Group], runs: Runs) -> tuple[Compared, ...]:
    group = compared_group(groups)
    if group is None or group.largest is None:
        return ()
    largest, wanted = group.largest, group.prediction
    nats = runs.metric == "val_loss" and not runs.maximize
    loss = largest.value.value if nats and largest.value is not None else None
    rows = []
    for law in LAWS:
        if law.quantity != "rate" and runs.unit != "tokens":
            continue
        place = {"rate": largest.best.rate, "batch": largest.best.batch}.get(law.quantity)
        measured = place.estimate.value if place is not None and place.estimate is not None else None
        there = None
        if wanted is not None:
            later = wanted.loss.value if nats and wanted.loss is not None else None
            there = law.value(wanted.at.n, wanted.at.d, later)
        rows.append(Compared(law, law.value(largest.at.n, largest.at.d, loss), measured, there))
    return tuple(rows)


def _caveats(runs: Runs, groups: Sequence[Group]) -> tuple[str, ...]:
    told = [f"{name} is still being run" for name in runs.running]
    couplings = {str(run.recipe.get("coupling", "none")) for run in runs.runs} - {"none"}
    if couplings:
        told.append(f"{runs.rate} is meant before coupling {', '.join(sorted(couplings))} with the batch")
    for group in groups:
        spans = [size.batch for size in group.sizes if size.batch is not None]
        if not spans:
            continue
        if all(low == high for low, high in spans) and max(h for _, h in spans) > SAME * min(low for low, _ in spans):
            told.append("the batch differs between sizes, not within them: what it does to the rate is part of the law")
        if group.at_batch is not None:
            told.append(
                f"best rates are those at a batch of {counted(group.at_batch)} {runs.unit}: "
                "the best batch is not identified at every size"
            )
    if any("D" in group.rate.axes.fixed for group in groups) and any(len(g.sizes) > 1 for g in groups):
        told.append(f"tokens differ less than {LEAST_SPAN:g}-fold: what they do to the best rate is not identified")
    return tuple(dict.fromkeys(told))
