"""Recorded learning curves as tables that a search can be replayed on.

Two layouts of ``.npz`` are read: LCBench (``datasets``, ``hp_names``, ``configs``, ``val_cross_entropy``) and TaskSet
(``tasks``, ``hp_names``, ``configs``, ``valid_loss``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpo.search.terms.domain import Domain, Float, Int, Scalar
from hpo.search.terms.space import Parameter, Space

Array = NDArray[np.float64]

_RATIO = 15  # a knob whose range is narrower than this is not searched on a log scale
_DECADES = 1000.0


@dataclass(frozen=True)
class Table:
    """One data set: every configuration's curve of a loss.

    Attributes:
        name: of the data set or task.
        space: what was varied.
        units: places of the configurations in the unit cube, [configurations, knobs].
        curves: [configurations, steps], smaller is better; NaN where training diverged.
        truth: of made curves, the same without the noise of validation; a value seen is worth what it is in truth, and
            a configuration its lowest.
    """

    name: str
    space: Space
    units: Array
    curves: Array
    truth: Array | None = None

    @property
    def horizon(self) -> int:
        """Steps of a complete curve."""
        return self.curves.shape[1]

    def regret(self, value: float) -> float:
        """Where a loss lies between the best (0) and the median (1) final loss of the table; cut off at both."""
        best, median = self._scale
        return min(1.0, max(0.0, (self._worth(value) - best) / (median - best)))

    @cached_property
    def _scale(self) -> tuple[float, float]:
        last = self.curves[:, -1] if self.truth is None else self.truth.min(axis=1)
        final = np.where(np.isfinite(last), last, np.inf)
        return float(final.min()), float(np.median(final))

    @cached_property
    def _truths(self) -> dict[float, float]:
        """What each value is in truth; noise makes every value another one."""
        if self.truth is None:
            return {}
        worth = np.minimum.accumulate(self.truth, axis=1)
        return dict(zip(self.curves.ravel().tolist(), worth.ravel().tolist(), strict=True))

    def _worth(self, value: float) -> float:
        return self._truths.get(value, value)

    def nearest(self, point: Mapping[str, Scalar], taken: set[int]) -> int:
        """The nearest configuration that is not taken."""
        place = np.array([parameter.domain.to_unit(point[parameter.name]) for parameter in self.space])
        distance = ((self.units - place) ** 2).sum(axis=1)
        distance[list(taken)] = np.inf
        return int(distance.argmin())


def load(path: Path, *, careful: bool = False) -> list[Table]:
    """Read every data set of a file; ``careful`` gives a log scale to every range of three decades, as users should."""
    with np.load(path) as file:
        names = [str(name) for name in file["hp_names"]]
        configs = file["configs"]
        if "val_cross_entropy" in file:
            titles, curves = file["datasets"], file["val_cross_entropy"][:, :, 1:51]  # 0 is untrained, 51 a repeat
        else:
            titles, curves = file["tasks"], file["valid_loss"][:, :, 1:]
    space = Space(tuple(Parameter(name, _domain(configs[:, i], careful=careful)) for i, name in enumerate(names)))
    units = np.stack([_units(parameter.domain, configs[:, i]) for i, parameter in enumerate(space)], axis=1)
    return [
        Table(str(title), space, units, data.astype(np.float64)) for title, data in zip(titles, curves, strict=True)
    ]


def _domain(values: Array, *, careful: bool) -> Domain:
    """The range that the values were drawn from; log where they spread more evenly on a log scale."""
    low, high = float(values.min()), float(values.max())
    whole = bool((values == np.round(values)).all())
    log = low > 0 and high / low > _RATIO and _uneven(np.log(values)) < _uneven(values)
    log |= careful and low > 0 and high / low >= _DECADES
    return Int(int(low), int(high), log) if whole else Float(low, high, log)


def _uneven(values: Array) -> float:
    """How far the values' median is from the middle of their range, in ranges."""
    return float(abs(np.median(values) - (values.min() + values.max()) / 2) / np.ptp(values))


def _units(domain: Domain, values: Array) -> Array:
    cast = int if isinstance(domain, Int) else float
    return np.array([domain.to_unit(cast(value)) for value in values])
