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
from typing import Any, get_args, get_type_hints

from hpo.objectives.networks.blocks import Block, RMSNorm, SwiGLU, swiglu_width
from hpo.objectives.networks.initialization import GPT2_DEVIATION
from hpo.objectives.networks.layers import Activation, Dropout, Layer, LayerNorm, Linear, Residual, Sequential
from hpo.objectives.networks.sequence import Attention, Embedding, Positions, TiedLinear
from hpo.objectives.networks.transformer_recipe import TransformerRecipe
from hpo.search.terms.errors import UserError


def transformer(*, causal: bool = True, bias: bool = True, **knobs: Any) -> Sequential:
    """Symbols [K, B, T] to outputs [K, B, T, classes], as many classes as the data has.

    Args:
        causal: whether a position sees only itself and those before it.
        bias: whether linear maps and layer normalizations have one.
        knobs: fields of ``TransformerRecipe``.

    Raises:
        UserError: the heads do not divide the width, rotary positions with heads of an odd size, or a size below 1.
    """
    own = TransformerRecipe(**knobs)
    _check(own)
    size = own.width // own.heads
    mup = own.parametrization == "mup"
    m, deep = (own.width / own.base_width, own.depth / own.base_depth) if mup else (1.0, 1.0)
    gpt2 = own.init == "gpt2"
    table = GPT2_DEVIATION * math.sqrt(own.width) if gpt2 else math.sqrt(m)
    hidden = 1 / math.sqrt(m) if gpt2 else 1.0
    last = hidden / math.sqrt(2 * (own.base_depth if mup else own.depth)) if gpt2 else 1.0
    start_bias = 1.0 if gpt2 else math.sqrt(m)

    def norm() -> Layer:
        return LayerNorm(bias=bias, fused=True) if own.normalization == "layer" else RMSNorm()

    def linear(to: int, gain: float) -> Linear:
        return Linear(to, bias, own.init, gain, start_bias)

    attention = Attention(
        own.heads,
        causal,
        own.init,
        last,
        hidden,
        bias,
        rotary=own.positions == "rotary",
        scale=None if m == 1 else math.sqrt(own.base_width / own.heads) / size,
    )
    inner = swiglu_width(own.width) if own.activation == "swiglu" else 4 * own.width
    unit: tuple[Layer, ...] = (linear(inner, hidden), Activation(own.activation))
    if own.activation == "swiglu":
        unit = (linear(2 * inner, hidden), SwiGLU())
    branches = ((norm(), attention), (norm(), *unit, linear(own.width, last)))
    block = Block(
        tuple(Residual((*branch, Dropout(own.dropout)), 1 / math.sqrt(deep)) for branch in branches),
        rate=1 / math.sqrt(deep),
        matrix_rate=1 / m,
        steady_decay=mup,
        recompute=own.checkpoint_activations,
    )
    head = TiedLinear(scale=1 / m) if own.tied else Linear(None, bias, own.init, start_bias, start_bias, 1 / m)
    added = (Positions(table),) if own.positions == "learned" else ()
    layers = (Embedding(own.width, table), *added, Dropout(own.dropout), *(block,) * own.depth, norm(), head)
    return Sequential(layers, own.parametrization)


def _check(recipe: TransformerRecipe) -> None:
    for name, hint in get_type_hints(TransformerRecipe).items():
        value, options = getattr(recipe, name), get_args(hint)
        if hint is int and value < 1:
            raise UserError(f"{name} must be at least 1, got {value}")
        if options and value not in options:
            raise UserError(f"{name}: {value!r} is not one of {', '.join(options)}")
