"""What `hpo scale --json` prints. Pure."""

from __future__ import annotations

from typing import Any

from hpo.search.report.scaling.fit import Compared, Group, Scaling
from hpo.search.report.scaling.lines import sentence
from hpo.search.report.scaling.optimum import DRAWS, FREEDOM, Place
from hpo.search.report.scaling.powerlaw import Law, LossLaw, Told


def plain(found: Scaling) -> dict[str, Any]:
    """Everything as JSON-ready data."""
    runs = found.runs
    return {
        "studies": list(runs.studies),
        "goal": runs.goal,
        "rate": runs.rate,
        "batch_unit": runs.unit,
        "parameters_from": runs.origin,
        "left_out": dict(runs.left_out),
        "method": {"draws": DRAWS, "degree_in_rate": 3, "degrees_of_freedom_at_least": FREEDOM},
        "groups": [_plain_group(group) for group in found.groups],
        "published": [_plain_compared(row) for row in found.published],
        "notes": list(found.caveats),
        "in_short": sentence(found),
    }


def _plain_group(group: Group) -> dict[str, Any]:
    wanted = group.prediction
    return {
        "parametrization": group.parametrization,
        "at_batch": group.at_batch,
        "sizes": [
            {
                "parameters": size.at.n,
                "tokens": size.at.d,
                "batch_tried": list(size.batch) if size.batch else None,
                "knobs": dict(size.knobs),
                "trials": size.best.trials,
                "used": size.best.used,
                "rate": _plain_place(size.best.rate),
                "batch": _plain_place(size.best.batch),
                "value": _plain_told(size.value),
            }
            for size in group.sizes
        ],
        "rate_law": _plain_law(group.rate),
        "batch_law": _plain_law(group.batch),
        "loss_law": _plain_loss(group.loss),
        "drift": _plain_told(group.drift),
        "prediction": None
        if wanted is None
        else {
            "parameters": wanted.at.n,
            "tokens": wanted.at.d,
            "rate": _plain_told(wanted.rate),
            "batch": _plain_told(wanted.batch),
            "loss": _plain_told(wanted.loss),
            "times_the_largest": dict(wanted.times),
            "other_tokens_than_measured": wanted.off_path,
        },
    }


def _plain_told(told: Told | None) -> dict[str, Any] | None:
    return None if told is None else {"value": told.value, "low": told.low, "high": told.high}


def _plain_place(place: Place | None) -> dict[str, Any] | None:
    if place is None:
        return None
    known = place.estimate
    if known is None:
        return {"value": None, "why": place.why}
    return {"value": known.value, "low": known.low, "high": known.high}


def _plain_law(law: Law) -> dict[str, Any]:
    return {
        "exponents": {name: _plain_told(told) for name, told in law.exponents.items()},
        "coefficient": law.coefficient,
        "exact": law.exact,
        "scatter": law.scatter,
        "tokens_along_size": list(law.axes.path) if law.axes.path else None,
        "fixed": dict(law.axes.fixed),
        "largest_held_out": list(law.held_out) if law.held_out else None,
        "why": law.why,
    }


def _plain_loss(law: LossLaw) -> dict[str, Any]:
    powers = {name: _plain_told(told) for name, told in law.exponents.items()}
    return {"floor": _plain_told(law.floor), "exponents": powers, "why": law.why}


def _plain_compared(row: Compared) -> dict[str, Any]:
    law = row.law
    return {
        "law": law.name,
        "of": law.quantity,
        "formula": law.formula,
        "source": law.source,
        "fitted": law.fitted,
        "exponents": dict(law.exponents),
        "at_largest": row.here,
        "measured": row.measured,
        "at_wanted": row.there,
    }
