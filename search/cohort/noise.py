"""Dropout masks, drawn lane by lane from each lane's own stream.

Masks are drawn as 16-bit numbers, four from each 64-bit draw, many ticks at a time: several times cheaper than one
uniform number per activation, at a resolution of the rate of 1/65536.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import torch
from torch import Tensor

from hpo.search.cohort.network import Shape
from hpo.search.cohort.order import generator

_CHUNK = 1 << 16  # masks drawn ahead per lane, so that they still fit the cache


class Masks:
    """Masks of all lanes for one epoch, tick by tick.

    Ticks must be asked for in order. How many are drawn ahead depends on the shapes only, never on the other lanes.
    """

    def __init__(
        self,
        seeds: Sequence[tuple[int, int]],
        rates: Sequence[Sequence[float]],
        sites: Sequence[Shape],
        micro: int,
        device: torch.device,
    ) -> None:
        """Open the streams of one epoch.

        Args:
            seeds: (seed, epoch) of each lane.
            rates: each lane's rate at each site.
            sites: shape per sample of each site.
            micro: samples per tick.
            device: where masks are used.
        """
        self._sizes = [prod(site) for site in sites]
        self._sites = sites
        self._micro = micro
        self._device = device
        self._ahead = max(1, _CHUNK // (micro * sum(self._sizes)))
        self._streams = [
            generator(seed, "dropout", epoch).bit_generator if any(own) else None
            for (seed, epoch), own in zip(seeds, rates, strict=True)
        ]
        table = torch.tensor([list(own) for own in rates], dtype=torch.float64)
        self._cuts = (table * 65536 - 32768).round().clamp(max=32767).to(torch.int16).to(device)
        self._scales = (1 / (1 - table)).float().to(device)
        self._chunk = torch.empty(0)

    def at(self, tick: int, lanes: int) -> list[Tensor]:
        """Masks [lanes, micro, *site] of a tick: 0 where dropped, else 1/(1 - rate)."""
        if tick % self._ahead == 0:
            self._draw(lanes)
        bits = torch.split_with_sizes(self._chunk[:lanes, tick % self._ahead], self._sizes, dim=2)
        masks = []
        for at, site in enumerate(self._sites):
            kept = bits[at] >= self._cuts[:lanes, at, None, None]
            masks.append((kept * self._scales[:lanes, at, None, None]).view(lanes, self._micro, *site))
        return masks

    def _draw(self, lanes: int) -> None:
        shape = (self._ahead, self._micro, sum(self._sizes))
        words = -(-prod(shape) // 4)
        drawn = np.zeros((lanes, words), dtype=np.uint64)
        for lane, stream in enumerate(self._streams[:lanes]):
            if stream is not None:
                drawn[lane] = stream.random_raw(words)
        bits = torch.from_numpy(drawn.view(np.int16)[:, : prod(shape)])
        self._chunk = bits.view(lanes, *shape).to(self._device)
