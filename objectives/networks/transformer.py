"""Transformers with pre-normalized blocks, for predicting the next token or masked ones, and their muP form.

muP (Yang et al. 2022, Tensor Programs V, table 8, Adam's rules) makes the best learning rate found at one width hold at
others; depth-muP (Yang et al. 2023, Tensor Programs VI) does so for depths. With m = width / base_width and
l = depth / base_depth, beside ``standard``:

- first weights of embeddings, positions and the head have the variance of the base width, hidden ones 1/m of it;
- hidden matrices have 1/m of the learning rate, other parameters all of it. Muon's steps have a spectral norm that
  follows the matrix's shape, which is what muP asks for (Yang, Simon and Bernstein 2023, arXiv 2310.17813, condition
  1), so under Muon hidden matrices have all of it too;
- the head's inputs are divided by m, as by ``MuReadout`` of the package mup;
- products of queries and keys are divided by the head's size instead of its root, times a constant such that both agree
  at the base width; the number of heads is that of the base;
- branches of blocks are multiplied by 1/sqrt(l), and so is the learning rate of all that is in them;
- decoupled weight decay goes by the recipe's learning rate: the time in which it forgets, in steps, is the same at
  every width and depth (Wang and Aitchison 2024, arXiv 2405.13698; the package mup multiplies decay by m likewise).

At the base width and depth it is ``standard`` to the last bit.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

from hpo.objectives.networks.blocks import Block, RMSNorm, SwiGLU, swiglu_width
from hpo.objectives.networks.initialization import GPT2_DEVIATION
from hpo.objectives.networks.layers import Activation, Dropout, Layer, LayerNorm, Linear, Residual, Sequential
from hpo.objectives.networks.sequence import Attention, Embedding, Positions, TiedLinear
from hpo.search.terms.errors import UserError

PositionKind = Literal["learned", "rotary"]
Normalization = Literal["layer", "rms"]
Nonlinearity = Literal["gelu", "swiglu", "relu2"]
Start = Literal["torch", "gpt2"]
Parametrization = Literal["standard", "mup"]


def transformer(
    *,
    depth: int = 4,
    heads: int = 4,
    width: int = 128,
    causal: bool = True,
    positions: PositionKind = "learned",
    normalization: Normalization = "layer",
    activation: Nonlinearity = "gelu",
    tied: bool = False,
    bias: bool = True,
    init: Start = "torch",
    dropout: float = 0.0,
    parametrization: Parametrization = "standard",
    base_width: int = 128,
    base_depth: int = 4,
    checkpoint_activations: bool = False,
) -> Sequential:
    """Symbols [K, B, T] to outputs [K, B, T, classes], as many classes as the data has.

    Args:
        depth: blocks, each attention and a layer of two matrices, both behind a normalization, their input added.
        heads: a divisor of the width.
        width: of the vectors between blocks; the inner width is 4 times that, or 8/3 with ``swiglu``.
        causal: whether a position sees only itself and those before it.
        positions: ``learned`` vectors added to the embeddings, or ``rotary`` (Su et al. 2021) in every attention.
        normalization: ``layer`` (Ba et al. 2016) or ``rms`` (Zhang and Sennrich 2019).
        activation: ``gelu``, ``swiglu`` (Shazeer 2020) or ``relu2``, the squared ReLU (So et al. 2021).
        tied: whether the head reads the table of the embeddings (Press and Wolf 2017); it has no bias then.
        bias: whether linear maps and layer normalizations have one.
        init: ``torch`` as torch.nn.Linear and MultiheadAttention start, embeddings normal with variance 1/width;
            ``gpt2`` normal with deviation 0.02, matrices that end a branch 0.02 / sqrt(2 depth) (Radford et al. 2019).
        dropout: rate, of the embeddings and of each branch's outputs.
        parametrization: ``standard``, or ``mup``: see above.
        base_width: width at which ``mup`` equals ``standard``.
        base_depth: depth at which it does.
        checkpoint_activations: whether blocks compute their activations again in the backward pass.

    Raises:
        UserError: the heads do not divide the width, rotary positions with heads of an odd size, or a size below 1.
    """
    _check(
        {"depth": depth, "heads": heads, "width": width, "base_width": base_width, "base_depth": base_depth},
        {
            "positions": (positions, PositionKind),
            "normalization": (normalization, Normalization),
            "activation": (activation, Nonlinearity),
            "init": (init, Start),
            "parametrization": (parametrization, Parametrization),
        },
    )
    if width % heads:
        raise UserError(f"heads: a width of {width} cannot be cut into {heads} heads: take a divisor of it")
    size = width // heads
    if positions == "rotary" and size % 2:
        raise UserError(
            f"positions: rotary turns pairs of dimensions, and {heads} heads of a width of {width} have {size} each: "
            "take another width or number of heads, or learned positions"
        )
    mup = parametrization == "mup"
    m, deep = (width / base_width, depth / base_depth) if mup else (1.0, 1.0)
    gpt2 = init == "gpt2"
    table = GPT2_DEVIATION * math.sqrt(width) if gpt2 else math.sqrt(m)
    hidden = 1 / math.sqrt(m) if gpt2 else 1.0
    last = hidden / math.sqrt(2 * (base_depth if mup else depth)) if gpt2 else 1.0
    start_bias = 1.0 if gpt2 else math.sqrt(m)

    def norm() -> Layer:
        return LayerNorm(bias=bias, fused=True) if normalization == "layer" else RMSNorm()

    def linear(to: int, gain: float) -> Linear:
        return Linear(to, bias, init, gain, start_bias)

    attention = Attention(
        heads,
        causal,
        init,
        last,
        hidden,
        bias,
        rotary=positions == "rotary",
        scale=None if m == 1 else math.sqrt(base_width / heads) / size,
    )
    inner = swiglu_width(width) if activation == "swiglu" else 4 * width
    unit: tuple[Layer, ...] = (linear(inner, hidden), Activation(activation))
    if activation == "swiglu":
        unit = (linear(2 * inner, hidden), SwiGLU())
    branches = ((norm(), attention), (norm(), *unit, linear(width, last)))
    block = Block(
        tuple(Residual((*branch, Dropout(dropout)), 1 / math.sqrt(deep)) for branch in branches),
        rate=1 / math.sqrt(deep),
        matrix_rate=1 / m,
        steady_decay=mup,
        recompute=checkpoint_activations,
    )
    head = TiedLinear(scale=1 / m) if tied else Linear(None, bias, init, start_bias, start_bias, 1 / m)
    added = (Positions(table),) if positions == "learned" else ()
    layers = (Embedding(width, table), *added, Dropout(dropout), *(block,) * depth, norm(), head)
    return Sequential(layers, parametrization)


def _check(sizes: dict[str, int], words: dict[str, tuple[str, object]]) -> None:
    for name, value in sizes.items():
        if value < 1:
            raise UserError(f"{name} must be at least 1, got {value}")
    for name, (word, options) in words.items():
        if word not in get_args(options):
            raise UserError(f"{name}: {word!r} is not one of {', '.join(get_args(options))}")
