"""A trial's lot: who searches a second time, for the trials that the first search is checked by."""

from __future__ import annotations

import math

_FIRST = 8
"""The first so many trials have no lot: what they come to early is cheap, and one that is trained to its end is not."""

_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


def lot(number: int) -> float:
    """A trial's place in 0 to 1, evenly spread over any trials in a row; of the first that has one it is 0.

    Whatever takes a share of the trials takes those whose lot is below it, so that two that take a share each share
    the smaller. 1 of the first eight.
    """
    return (number - _FIRST) * _GOLDEN % 1.0 if number >= _FIRST else 1.0
