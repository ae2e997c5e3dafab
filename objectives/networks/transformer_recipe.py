"""The knobs of a transformer, as the objectives of language models take them.

Pure: no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from hpo.search.terms.errors import UserError
from hpo.search.terms.knobs import AT_LEAST_1, BELOW_1

PositionKind = Literal["learned", "rotary"]
Normalization = Literal["layer", "rms"]
Nonlinearity = Literal["gelu", "swiglu", "relu2"]
Start = Literal["torch", "gpt2"]
Parametrization = Literal["standard", "mup"]


@dataclass(frozen=True)
class TransformerRecipe:
    """What ``transformer`` builds: blocks of attention and two matrices, each behind a normalization, its input added.

    The inner width is 4 times the width, or 8/3 of it with ``swiglu``. ``init`` is ``torch``, as torch.nn.Linear and
    MultiheadAttention start, with embeddings that are normal with variance 1/width; or ``gpt2``, normal with deviation
    0.02, matrices that end a branch 0.02 / sqrt(2 depth) (Radford et al. 2019). A tied head (Press and Wolf 2017) has
    no bias. Dropout is that of the embeddings, and of each branch's outputs.
    """

    depth: Annotated[int, AT_LEAST_1] = 4
    """blocks."""
    heads: Annotated[int, AT_LEAST_1] = 4
    """of each attention; they divide the width."""
    width: Annotated[int, AT_LEAST_1] = 128
    """of the vectors between blocks."""
    positions: PositionKind = "learned"
    """learned vectors, or rotary (Su et al. 2021)."""
    normalization: Normalization = "layer"
    """layer normalization, or RMS (Zhang and Sennrich 2019)."""
    activation: Nonlinearity = "gelu"
    """GELU, SwiGLU (Shazeer 2020) at equal parameters, or squared ReLU (So et al. 2021)."""
    tied: bool = False
    """whether the output layer is the table of embeddings."""
    init: Start = "torch"
    """first weights as torch draws them, or as GPT-2."""
    dropout: Annotated[float, BELOW_1] = 0.0
    """share of each branch's outputs dropped in training."""
    parametrization: Parametrization = "standard"
    """mup keeps the best learning rate where width and depth change (Yang et al. 2022)."""
    base_width: Annotated[int, AT_LEAST_1] = 128
    """width at which mup is standard."""
    base_depth: Annotated[int, AT_LEAST_1] = 4
    """depth at which mup is standard."""
    checkpoint_activations: bool = False
    """compute activations again in the backward pass, which saves memory."""

    def __post_init__(self) -> None:
        if self.heads < 1 or self.width < 1:
            return  # told with the range
        if self.width % self.heads:
            raise UserError(
                f"heads: a width of {self.width} cannot be cut into {self.heads} heads: take a divisor of it"
            )
        size = self.width // self.heads
        if self.positions == "rotary" and size % 2:
            raise UserError(
                f"positions: rotary turns pairs of dimensions, and {self.heads} heads of a width of {self.width} have "
                f"{size} each: take another width or number of heads, or learned positions"
            )
