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

from hpo.objectives.networks.network import Shape
from hpo.objectives.trainer.order import generator

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
        table = np.array([list(own) for own in rates])
        each = np.repeat(table, self._sizes, axis=1)[:, None, None, :]  # [lanes, 1, 1, features]
        self._cuts = np.clip(np.round(each * 65536) - 32768, -32768, 32767).astype(np.int16)
        self._scales = torch.from_numpy((1 / (1 - each[:, 0])).astype(np.float32)).to(device)
        self._chunk = torch.empty(0)

    def at(self, tick: int, lanes: int) -> list[Tensor]:
        """Masks [lanes, micro, *site] of a tick: 0 where dropped, else 1/(1 - rate)."""
        if tick % self._ahead == 0:
            self._draw(lanes)
        masks = torch.mul(self._chunk[:lanes, tick % self._ahead], self._scales[:lanes])
        parts = torch.split_with_sizes(masks, self._sizes, dim=2)
        return [part.view(lanes, self._micro, *site) for part, site in zip(parts, self._sites, strict=True)]

    def _draw(self, lanes: int) -> None:
        shape = (self._ahead, self._micro, sum(self._sizes))
        words = -(-prod(shape) // 4)
        drawn = np.zeros((lanes, words), dtype=np.uint64)
        for lane, stream in enumerate(self._streams[:lanes]):
            if stream is not None:
                drawn[lane] = stream.random_raw(words)
        bits = drawn.view(np.int16)[:, : prod(shape)].reshape(lanes, *shape)
        kept = bits >= self._cuts[:lanes]  # numpy compares 16-bit numbers several times faster than torch
        self._chunk = torch.from_numpy(kept.view(np.uint8)).to(self._device)
