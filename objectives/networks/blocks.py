"""What transformer blocks are made of beside attention: normalization, gated units, and the block itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from hpo.objectives.networks.layers import Chain, Flow, Layer, lane_by_lane
from hpo.objectives.networks.network import Parameter, Shape


@dataclass(frozen=True)
class RMSNorm(Layer):
    """Divide each sample by the root mean square over its last dimension, with gain (Zhang and Sennrich 2019)."""

    epsilon: float = 1e-5

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """Gain per feature."""
        return (Parameter("weight", shape[-1:], matrix=False),)

    def initial(self, shape: Shape, generator: torch.Generator) -> list[Tensor]:
        """Gain 1."""
        return [torch.ones(shape[-1])]

    def forward(self, values: Iterator[Tensor], x: Tensor, flow: Flow) -> Tensor:
        """Normalize and scale, lane by lane."""
        return lane_by_lane(lambda x, gain: F.rms_norm(x, x.shape[-1:], gain, self.epsilon), x, next(values))


@dataclass(frozen=True)
class SwiGLU(Layer):
    """Half of the features gate the other half: silu(first) * second (Shazeer 2020, eq. 6).

    Behind one ``Linear`` that makes both halves, it is the paper's unit with both matrices fused.
    """

    def shape(self, shape: Shape) -> Shape:
        """Halve the last dimension."""
        return (*shape[:-1], shape[-1] // 2)

    def forward(self, values: Iterator[Tensor], x: Tensor, flow: Flow) -> Tensor:
        """Gate."""
        gate, up = x.chunk(2, dim=-1)
        return F.silu(gate) * up


def swiglu_width(width: int) -> int:
    """Inner width with which SwiGLU has as many weights as a layer of 4 x width: 8/3 width, to a multiple of 8."""
    return max(8, round(width / 3) * 8)


@dataclass(frozen=True)
class Block(Chain):
    """Layers that a network repeats; their matrices are its hidden ones.

    Attributes:
        rate: multiplies the learning rate of all its parameters.
        matrix_rate: multiplies that of its matrices too, except under Muon; see ``Parameter.entry_rate``.
        steady_decay: whether weight decay and L1 ignore both.
        recompute: whether the backward pass computes the activations inside again instead of keeping them (Chen et al.
            2016): a third more work, and memory for the block's input instead of all that is inside; the same bits.
    """

    rate: float = 1.0
    matrix_rate: float = 1.0
    steady_decay: bool = False
    recompute: bool = False

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """Those of the layers, with what the block says of them."""
        return tuple(
            replace(
                parameter,
                hidden=parameter.matrix,
                rate=parameter.rate * self.rate,
                entry_rate=parameter.entry_rate * (self.matrix_rate if parameter.matrix else 1.0),
                steady_decay=self.steady_decay,
            )
            for parameter in super().parameters(shape)
        )

    def forward(self, values: Iterator[Tensor], x: Tensor, flow: Flow) -> Tensor:
        """Run the layers; what they take is taken out first where they may run again."""
        if not self.recompute or not torch.is_grad_enabled():
            return super().forward(values, x, flow)
        run, shape = super().forward, tuple(x.shape[2:])
        own = list(islice(values, len(self.parameters(shape))))
        masks = None if flow.masks is None else list(islice(flow.masks, len(self.dropouts(shape))))
        found: Tensor = checkpoint(
            lambda x: run(iter(own), x, flow.part(masks)), x, use_reentrant=False, preserve_rng_state=False
        )
        return found
