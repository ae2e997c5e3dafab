"""Layers for sequences: symbols [K, B, positions] become vectors [K, B, positions, width].

Rows shorter than the model's context are taken as they are. Rows that hold several documents, or padding, come with
document numbers: see ``attention``. There is no dropout of attention weights, whose masks would be as large as heads x
positions^2; put ``Dropout`` after ``Attention``.

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

from hpo.objectives.networks.attention import places, rotated, turns, visible
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
        """Look up; the table is kept for ``TiedLinear``."""
        flow.kept[_TABLE] = tables = next(values)
        return _look_up(tables, x)

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
        """Add; positions are counted within each document."""
        table, at = next(values), places(flow)
        return x + (table[:, : x.shape[2]].unsqueeze(1) if at is None else _look_up(table, at))


@dataclass(frozen=True)
class Attention(Layer):
    """Multi-head self-attention (Vaswani et al. 2017), named and drawn as ``torch.nn.MultiheadAttention``.

    Attributes:
        heads: a divisor of the width.
        causal: whether a position sees only itself and those before it.
        init: distribution of the first weights of both projections.
        gain: multiplies the output projection's first weights; GPT-2 has 1/sqrt(residual layers).
        into_gain: multiplies the first weights of the projection to queries, keys and values.
        bias: whether both projections have one.
        rotary: whether queries and keys are turned by their positions (Su et al. 2021), the halves of a head's
            dimensions being paired, as in GPT-NeoX and Llama.
        scale: multiplies the products of queries and keys; None is 1/sqrt(head size).
    """

    heads: int = 4
    causal: bool = False
    init: Init = "torch"
    gain: float = 1.0
    into_gain: float = 1.0
    bias: bool = True
    rotary: bool = False
    scale: float | None = None

    def parameters(self, shape: Shape) -> tuple[Parameter, ...]:
        """Weights [in, out] and biases of the projection to queries, keys and values, and of the output's.

        Raises:
            UserError: the heads do not divide the width, or rotary positions meet heads of an odd size.
        """
        width = shape[-1]
        if width % self.heads:
            raise UserError(f"Attention: a width of {width} cannot be cut into {self.heads} heads")
        if self.rotary and width // self.heads % 2:
            raise UserError(
                f"Attention: rotary positions turn pairs of dimensions, and {self.heads} heads of a width of {width} "
                f"have {width // self.heads} each: take another width or number of heads, or learned positions"
            )
        return tuple(
            parameter
            for parameter in (
                Parameter("in_proj_weight", (width, 3 * width), matrix=True, transposed=True),
                Parameter("in_proj_bias", (3 * width,), matrix=False),
                Parameter("out_proj.weight", (width, width), matrix=True, transposed=True),
                Parameter("out_proj.bias", (width,), matrix=False),
            )
            if self.bias or parameter.matrix
        )

    def initial(self, shape: Shape, generator: torch.Generator) -> list[Tensor]:
        """Draw [out, in] and transpose; biases are 0. ``torch`` is xavier for the first projection."""
        width = shape[-1]
        first = "xavier" if self.init == "torch" else self.init
        into, _ = initialize((3 * width, width), width, first, self.into_gain, generator)
        out, _ = initialize((width, width), width, self.init, self.gain, generator)
        weights = into.t().contiguous(), out.t().contiguous()
        return [weights[0], torch.zeros(3 * width), weights[1], torch.zeros(width)] if self.bias else list(weights)

    def forward(self, values: Iterator[Tensor], x: Tensor, flow: Flow) -> Tensor:
        """Attend in one kernel, to which lanes are more samples."""
        lanes, count, positions, width = x.shape
        mixed = self._project(values, x.flatten(1, 2))
        parts = mixed.view(lanes * count, positions, 3, self.heads, width // self.heads)
        if self.rotary:
            query, key = rotated(parts[:, :, :2], *turns(flow, x, width // self.heads)).unbind(2)
            value = parts[:, :, 2]
        else:
            query, key, value = parts.unbind(2)
        mask, (query, key, value) = visible(flow, self.causal), (part.transpose(1, 2) for part in (query, key, value))
        causal = self.causal and mask is None
        if flow.seen is not None:
            flow.seen.attention[flow.seen.place] = self._weights(query, key, mask).view(
                lanes, count, self.heads, positions, positions
            )
        y = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal, scale=self.scale)
        return self._project(values, y.transpose(1, 2).reshape(lanes, -1, width)).view(x.shape)

    def _weights(self, query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
        """What the kernel multiplies the values by, [rows, heads, T, T]."""
        scale = query.shape[-1] ** -0.5 if self.scale is None else self.scale
        products = query @ key.transpose(2, 3) * scale
        if mask is None and self.causal:
            mask = torch.ones(products.shape[2:], dtype=torch.bool, device=query.device).tril_()
        return (products if mask is None else products.masked_fill(~mask, -torch.inf)).softmax(dim=-1)

    def _project(self, values: Iterator[Tensor], x: Tensor) -> Tensor:
        weight = next(values)
        return torch.baddbmm(next(values).unsqueeze(1), x, weight) if self.bias else torch.bmm(x, weight)


@dataclass(frozen=True)
class MeanPool(Layer):
    """Average over the positions, so that a sequence has one vector."""

    def shape(self, shape: Shape) -> Shape:
        """Drop the positions."""
        return shape[-1:]

    def forward(self, values: Iterator[Tensor], x: Tensor, flow: Flow) -> Tensor:
        """Average; padding does not count."""
        if flow.documents is None:
            return x.mean(dim=-2)
        real = (flow.documents >= 0).unsqueeze(-1)
        return (x * real).sum(dim=-2) / real.sum(dim=-2).clamp(min=1)


@dataclass(frozen=True)
class TiedLinear(Layer):
    """A last layer without weights of its own: it reads the table of ``Embedding`` (Press and Wolf 2017).

    The first rows of the table are the outputs' where the data has more symbols than classes.

    Attributes:
        width: number of outputs; None takes as many as the data needs.
        scale: multiplies the input, as the readout of muP does (see ``transformer``).
    """

    width: int | None = None
    scale: float = 1.0

    def sized(self, outputs: int, symbols: int) -> Layer:
        """Take the number of outputs as width where none is given.

        Raises:
            UserError: there are more outputs than symbols.
        """
        if outputs > symbols:
            raise UserError(f"tied embeddings have a row for each of {symbols} symbols, not for {outputs} classes")
        return self if self.width is not None else replace(self, width=outputs)

    def shape(self, shape: Shape) -> Shape:
        """Replace the last dimension."""
        assert self.width is not None
        return (*shape[:-1], self.width)

    def forward(self, values: Iterator[Tensor], x: Tensor, flow: Flow) -> Tensor:
        """Multiply by the table's rows."""
        table = flow.kept[_TABLE]
        if self.scale != 1:
            x = x * self.scale
        y = torch.bmm(x.flatten(1, -2), table[:, : self.width].transpose(1, 2))
        return y.view(*x.shape[:-1], y.shape[-1])


_TABLE = "embedding"


def _look_up(tables: Tensor, at: Tensor) -> Tensor:
    """Rows of all lanes' tables [K, rows, width], taken as one, each lane in its own part of it."""
    rows = tables.shape[1]
    starts = torch.arange(0, len(at) * rows, rows, device=at.device)
    return F.embedding(at + starts.view(-1, *[1] * (at.dim() - 1)), tables.flatten(0, 1))


def _table(shape: Shape, gain: float, generator: torch.Generator) -> Tensor:
    return torch.empty(shape).normal_(0, gain / math.sqrt(shape[-1]), generator=generator)
