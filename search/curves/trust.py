"""How far a study's complete curves say that early points can be trusted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_STEPS = (1, 3, 9)
_ORDERED, _CHANCE = 0.8, 0.5  # share of the pairs ordered alike where early points can be trusted, and where not
_PRIOR = (3.0, 4.0)  # pairs ordered alike, of pairs, that are taken as seen before any


def evidence(complete: Sequence[Array]) -> float:
    """Log odds, from complete curves, that early ranks are those at the end: averaged over steps 1, 3 and 9.

    Steps in the later half say nothing of that. Of pairs of curves 0.8 are ordered alike where they are, a half where
    they are not; n curves count as n - 1 pairs.
    """
    if len(complete) < 2:
        return 0.0
    longest = max(curve[-1, 0] for curve in complete)
    early = [step for step in _STEPS if 2 * step <= longest or step == 1]
    like = np.concatenate([_alike(complete, step / longest) for step in early])
    odds = like * np.log(_ORDERED / _CHANCE) + (1.0 - like) * np.log((1.0 - _ORDERED) / (1.0 - _CHANCE))
    return float((len(complete) - 1) * odds.mean())


def trust(complete: Sequence[Array], share: float) -> float:
    """How far values so far, after a share of the training, order complete curves as their ends do: 0 to 1.

    The share of the pairs that are ordered alike, with four more pairs of which three are.
    """
    alike = _alike(complete, share)
    return float((alike.sum() + _PRIOR[0]) / (alike.size + _PRIOR[1]))


def _alike(complete: Sequence[Array], share: float) -> Array:
    """For each pair of complete curves 1 where early values order it as the ends do, 0.5 where one does not, else 0."""
    early, late = np.empty(len(complete)), np.empty(len(complete))
    for i, curve in enumerate(complete):
        early[i] = curve[curve[:, 0] <= max(share * curve[-1, 0], 1.0), 1].min(initial=np.inf)
        late[i] = curve[:, 1].min()
    first, second = np.triu_indices(len(complete), 1)
    alike: Array = (1.0 + np.sign(early[first] - early[second]) * np.sign(late[first] - late[second])) / 2.0
    return alike
