"""Layers for sequences: symbols [K, B, positions] become vectors [K, B, positions, width].

All sequences of a data set are equally long; nothing masks padding. There is no dropout of attention weights, whose
masks would be as large as heads x positions^2; put ``Dropout`` after ``Attention``.

Embedding tables count neither as matrices for weight decay nor for L1: a symbol's row gets a gradient only where the
symbol occurs, so decay shrinks the rare ones, and small embeddings make large gradients behind the first
normalization (Takase et al. 2024, arXiv 2312.16903; measured in section 3.4.2 of OLMo 2, arXiv 2501.00656).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from hpo.objectives.networks.initialization import Init, initialize
from hpo.objectives.networks.layers import Flow, Layer
from hpo.objectives.networks.network import Parameter, Shape
from hpo.search.terms.errors import UserError


@dataclass(frozen=True)
class Embedding(Layer):
    """Look up a vector for each symbol in the lane's own table, as ``torch.nn.Embedding``.

    Attributes:
        width: length of the vectors.
        gain: multiplies the first table, which is normal with variance 1/width: vectors of length 1 about (torch has
            variance 1, GPT-2 0.02^2).
        symbols: rows of the table; None takes what the data has.
    """

    width: int
    gain: float = 1.0
    symbols: int | None = None

    def sized(self, outputs: int, symbols: int) -> Layer:
        """Take as many rows as there are symbols, unless it is told.

        Raises:
            UserError: the inputs are no symbols, or more than the table has.
        """
        if not symbols:
            raise UserError(
                "Embedding needs inputs that are whole numbers from 0, such as token ids; bytes (uint8) are taken for "
                "pixels, so give int64"
            )
        if self.symbols is not None and self.symbols < symbols:
            raise UserError(f"Embedding has {self.symbols} symbols, and the data has {symbols}")
        return self if self.symbols is not None else replace(self, symbols=symbols)

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """Table [symbols, width]."""
        return (Parameter("weight", (self._rows, self.width), matrix=False),)

    def shape(self, shape: Shape) -> Shape:
        """Add a last dimension."""
        return (*shape, self.width)

    def initial(self, shape: Shape, generator: torch.Generator) -> list[Tensor]:
        """Draw."""
        return [_table((self._rows, self.width), self.gain, generator)]

    def forward(self, values: Iterator[Tensor], x: Tensor, flow: Flow) -> Tensor:
        """Look up in all lanes' tables as one, each lane in its own part of it."""
        tables = next(values)
        starts = torch.arange(0, len(x) * self._rows, self._rows, device=x.device)
        return F.embedding(x + starts.view(-1, *[1] * (x.dim() - 1)), tables.flatten(0, 1))

    @property
    def _rows(self) -> int:
        assert self.symbols is not None
        return self.symbols


@dataclass(frozen=True)
class Positions(Layer):
    """Add a learned vector for each position (Radford et al. 2018); named and drawn as an embedding."""

    gain: float = 1.0

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """Table [positions, width]."""
        return (Parameter("weight", shape, matrix=False),)

    def initial(self, shape: Shape, generator: torch.Generator) -> list[Tensor]:
        """Draw."""
        return [_table(shape, self.gain, generator)]

    def forward(self, values: Iterator[Tensor], x: Tensor, flow: Flow) -> Tensor:
        """Add."""
        return x + next(values).unsqueeze(1)


@dataclass(frozen=True)
class Attention(Layer):
    """Multi-head self-attention (Vaswani et al. 2017), named and drawn as ``torch.nn.MultiheadAttention``.

    Attributes:
        heads: a divisor of the width.
        causal: whether a position sees only itself and those before it.
        init: distribution of the first weights of both projections.
        gain: multiplies the output projection's first weights; GPT-2 has 1/sqrt(residual layers).
    """

    heads: int = 4
    causal: bool = False
    init: Init = "torch"
    gain: float = 1.0

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """Weights [in, out] and biases of the projection to queries, keys and values, and of the output's.

        Raises:
            UserError: the heads do not divide the width.
        """
        width = shape[-1]
        if width % self.heads:
            raise UserError(f"Attention: a width of {width} cannot be cut into {self.heads} heads")
        return (
            Parameter("in_proj_weight", (width, 3 * width), matrix=True, transposed=True),
            Parameter("in_proj_bias", (3 * width,), matrix=False),
            Parameter("out_proj.weight", (width, width), matrix=True, transposed=True),
            Parameter("out_proj.bias", (width,), matrix=False),
        )

    def initial(self, shape: Shape, generator: torch.Generator) -> list[Tensor]:
        """Draw [out, in] and transpose; biases are 0. ``torch`` is xavier for the first projection."""
        width = shape[-1]
        first = "xavier" if self.init == "torch" else self.init
        into, zeros = initialize((3 * width, width), width, first, 1.0, generator)
        out, _ = initialize((width, width), width, self.init, self.gain, generator)
        return [into.t().contiguous(), zeros, out.t().contiguous(), torch.zeros(width)]

    def forward(self, values: Iterator[Tensor], x: Tensor, flow: Flow) -> Tensor:
        """Attend in one kernel, to which lanes are more samples."""
        lanes, count, positions, width = x.shape
        into, into_bias, out, out_bias = (next(values) for _ in range(4))
        mixed = torch.baddbmm(into_bias.unsqueeze(1), x.flatten(1, 2), into)
        parts = mixed.view(lanes * count, positions, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind()
        y = F.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        return torch.baddbmm(out_bias.unsqueeze(1), y.transpose(1, 2).reshape(lanes, -1, width), out).view(x.shape)


@dataclass(frozen=True)
class MeanPool(Layer):
    """Average over the positions, so that a sequence has one vector."""

    def shape(self, shape: Shape) -> Shape:
        """Drop the positions."""
        return shape[-1:]

    def forward(self, values: Iterator[Tensor], x: Tensor, flow: Flow) -> Tensor:
        """Average."""
        return x.mean(dim=-2)


def _table(shape: Shape, gain: float, generator: torch.Generator) -> Tensor:
    return torch.empty(shape).normal_(0, gain / math.sqrt(shape[-1]), generator=generator)
