"""How weights start."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

Init = Literal["torch", "xavier", "he", "orthogonal", "gpt2"]

GPT2_DEVIATION = 0.02


def initialize(
    shape: tuple[int, ...], fan_in: int, init: Init, gain: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw a weight [out, in, ...] and its bias [out].

    ``torch``: both uniform in +-1/sqrt(fan_in), the default of torch.nn.Linear and Conv2d. Otherwise the bias is 0
    and the weight is ``xavier``: uniform, variance 2/(fan_in + fan_out) (Glorot and Bengio 2010); ``he``: normal,
    variance 2/fan_in (He et al. 2015); ``orthogonal``: a random rotation, rows or columns orthonormal (Saxe et al.
    2014); ``gpt2``: normal, deviation 0.02 whatever the size (Radford et al. 2019). ``gain`` multiplies the weight.
    """
    weight, bias = torch.empty(shape), torch.zeros(shape[0])
    if init == "torch":
        bound = 1 / math.sqrt(fan_in)
        weight.uniform_(-bound, bound, generator=generator)
        bias.uniform_(-bound, bound, generator=generator)
    elif init == "xavier":
        torch.nn.init.xavier_uniform_(weight, generator=generator)
    elif init == "he":
        torch.nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
    elif init == "gpt2":
        weight.normal_(0, GPT2_DEVIATION, generator=generator)
    else:
        torch.nn.init.orthogonal_(weight, generator=generator)
    return (weight.mul_(gain) if gain != 1 else weight), bias
