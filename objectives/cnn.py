"""Small convolutional network on digits by default, or on any array of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from hpo.objectives.trainer.metrics import METRICS, NAMED
from hpo.search.terms.knobs import AT_LEAST_1, BELOW_1

if TYPE_CHECKING:
    from hpo.objectives.networks.layers import Sequential
    from hpo.objectives.trainer.tensors import Splits

__all__ = ["METRICS", "NAMED", "build", "data"]

DISCLAIMS = ("every metric",)  # no bundled set of images has a target of values
TRIED = ({"epochs": 2, "channels": 4, "depth": 1},)


def build(
    *,
    channels: Annotated[int, AT_LEAST_1] = 16,
    depth: Annotated[int, AT_LEAST_1] = 2,
    kernel: Annotated[int, AT_LEAST_1] = 3,
    activation: Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh"] = "relu",
    normalization: Literal["none", "group"] = "none",
    dropout: Annotated[float, BELOW_1] = 0.1,
    init: Literal["torch", "xavier", "he", "orthogonal"] = "torch",
) -> Sequential:
    """Stack ``depth`` blocks of two convolutions and a pooling that halves the image; channels double per block.

    Args:
        channels: channels of the first block.
        depth: blocks.
        kernel: width of the convolutions, odd.
        activation: nonlinearity after each convolution.
        normalization: of each convolution's output before the nonlinearity, in 4 groups of channels.
        dropout: share of the last block's outputs dropped in training (Srivastava et al. 2014).
        init: distribution of the first weights.
    """
    from hpo.objectives.networks.images import Conv2d, GroupNorm, MaxPool2d
    from hpo.objectives.networks.layers import Activation, Dropout, Flatten, Layer, Linear, Sequential
    from hpo.search.terms.errors import UserError

    if kernel % 2 == 0 or kernel < 1:
        raise UserError(f"kernel: {kernel} is not an odd number")
    if normalization == "group" and channels % 4:
        raise UserError(f"channels: {channels} is no multiple of 4, which normalization: group needs")
    layers: list[Layer] = []
    for block in range(depth):
        for _ in range(2):
            layers.append(Conv2d(channels * 2**block, kernel, init=init))
            if normalization == "group":
                layers.append(GroupNorm(4))
            layers.append(Activation(activation))
        layers.append(MaxPool2d())
    return Sequential((*layers, Flatten(), Dropout(dropout), Linear(init=init)))


def data(*, data: Any = None, split_seed: int = 0) -> Splits:
    """Load, split and prepare images; digits where the study names nothing.

    Raises:
        DataError: the data holds no images.
    """
    from hpo.objectives.trainer.splits import splits

    return splits("digits" if data is None else data, split_seed, images=True)
