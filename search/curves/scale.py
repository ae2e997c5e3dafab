"""The scale on which freeze-thaw sees a knob.

An even range over three decades or more is ambiguous. From 0.00005 to 0.1 nine of ten even draws lie above 0.01, and
yet whoever writes 0.00005 has small values in mind. The coordinate of such a knob is the mean of its places on the even
and on the logarithmic scale: of recipes spread evenly over it, half are spread evenly over the range and half over its
decades, and the surrogate resolves both.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hpo.search.terms.domain import Choice, Domain, spans_decades

Array = NDArray[np.float64]

_RESOLUTION = 1025
_WIDEST = 1e9  # ratio of the ends beyond which decades no longer count


def coordinate(domain: Domain, places: Array) -> Array:
    """Coordinates in [0, 1] of places in the range, which are in [0, 1] too; NaN stays NaN."""
    if isinstance(domain, Choice) or not spans_decades(domain):
        return places
    ratio = min(domain.high / domain.low, _WIDEST)
    mean: Array = (places + np.log1p(places * (ratio - 1.0)) / math.log(ratio)) / 2.0
    return mean


def place(domain: Domain, coordinates: Array) -> Array:
    """Places in the range of coordinates; the inverse of ``coordinate``, to about 1e-4."""
    if isinstance(domain, Choice) or not spans_decades(domain):
        return coordinates
    ratio = min(domain.high / domain.low, _WIDEST)
    places = np.expm1(np.linspace(0.0, 1.0, _RESOLUTION) * math.log(ratio)) / (ratio - 1.0)
    inverse: Array = np.interp(coordinates, coordinate(domain, places), places)
    return inverse
