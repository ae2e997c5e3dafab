"""Recorded learning curves as tables that a search can be replayed on.

Two layouts of ``.npz`` are read: LCBench (``datasets``, ``hp_names``, ``configs``, ``val_cross_entropy``) and TaskSet
(``tasks``, ``hp_names``, ``configs``, ``valid_loss``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpo.search.terms.domain import Domain, Float, Int, Scalar
from hpo.search.terms.space import Parameter, Space

Array = NDArray[np.float64]

_RATIO = 15  # a knob whose range is narrower than this is not searched on a log scale


@dataclass(frozen=True)
class Table:
    """One data set: every configuration's curve of a loss.

    Attributes:
        name: of the data set or task.
        space: what was varied.
        units: places of the configurations in the unit cube, [configurations, knobs].
        curves: [configurations, steps], smaller is better; NaN where training diverged.
    """

    name: str
    space: Space
    units: Array
    curves: Array

    @property
    def horizon(self) -> int:
        """Steps of a complete curve."""
        return self.curves.shape[1]

    def regret(self, value: float) -> float:
        """Where a loss lies between the best (0) and the median (1) final loss of the table; cut off at both."""
        final = np.where(np.isfinite(self.curves[:, -1]), self.curves[:, -1], np.inf)
        best, median = float(final.min()), float(np.median(final))
        return min(1.0, max(0.0, (value - best) / (median - best)))

    def nearest(self, point: Mapping[str, Scalar], taken: set[int]) -> int:
        """The nearest configuration that is not taken."""
        place = np.array([parameter.domain.to_unit(point[parameter.name]) for parameter in self.space])
        distance = ((self.units - place) ** 2).sum(axis=1)
        distance[list(taken)] = np.inf
        return int(distance.argmin())


def load(path: Path) -> list[Table]:
    """Read every data set of a file."""
    with np.load(path) as file:
        names = [str(name) for name in file["hp_names"]]
        configs = file["configs"]
        if "val_cross_entropy" in file:
            titles, curves = file["datasets"], file["val_cross_entropy"][:, :, 1:51]  # 0 is untrained, 51 a repeat
        else:
            titles, curves = file["tasks"], file["valid_loss"][:, :, 1:]
    space = Space(tuple(Parameter(name, _domain(configs[:, i])) for i, name in enumerate(names)))
    units = np.stack([_units(parameter.domain, configs[:, i]) for i, parameter in enumerate(space)], axis=1)
    return [
        Table(str(title), space, units, data.astype(np.float64)) for title, data in zip(titles, curves, strict=True)
    ]


def _domain(values: Array) -> Domain:
    """The range that the values were drawn from; log where they spread more evenly on a log scale."""
    low, high = float(values.min()), float(values.max())
    whole = bool((values == np.round(values)).all())
    log = low > 0 and high / low > _RATIO and _uneven(np.log(values)) < _uneven(values)
    return Int(int(low), int(high), log) if whole else Float(low, high, log)


def _uneven(values: Array) -> float:
    """How far the values' median is from the middle of their range, in ranges."""
    return float(abs(np.median(values) - (values.min() + values.max()) / 2) / np.ptp(values))


def _units(domain: Domain, values: Array) -> Array:
    cast = int if isinstance(domain, Int) else float
    return np.array([domain.to_unit(cast(value)) for value in values])
