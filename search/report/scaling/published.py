"""Published laws of the best learning rate and batch of language models, with their sources, units and ranges. Pure.

N is the number of parameters without embeddings, D of tokens trained on, C = 6 N D the floating-point operations of the
run, L the loss in nats a token; a batch is in tokens an optimizer step. Laws disagree outside of the ranges they were
fitted in: they are something to compare with, not the truth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Published:
    """One law.

    Attributes:
        name: authors or name, and year.
        source: where it is published.
        quantity: what it gives: the learning ``rate`` of Adam or AdamW, the best ``batch``, or the ``critical`` batch
            beyond which more of it saves few steps.
        formula: as published.
        exponents: of N and D; empty for what is no power law of them.
        value: the law's value at (N, D, L); None where what it takes is unknown, or where it is known up to a factor.
        fitted: the range it was fitted in, in words.
        largest: the largest N of that range; None where it is not said.
    """

    name: str
    source: str
    quantity: Literal["rate", "batch", "critical"]
    formula: str
    fitted: str
    exponents: Mapping[str, float] = field(default_factory=dict)
    value: Callable[[float, float | None, float | None], float | None] = lambda n, d, loss: None
    largest: float | None = None


def power(
    coefficient: float, n: float = 0.0, d: float = 0.0
) -> Callable[[float, float | None, float | None], float | None]:
    """The law coefficient x N^n x D^d.

    >>> power(2.0, n=0.5)(100.0, None, None), power(2.0, d=0.5)(100.0, None, None)
    (20.0, None)
    """

    def value(parameters: float, tokens: float | None, loss: float | None) -> float | None:
        if tokens is None and d:
            return None
        return float(coefficient * parameters**n * (tokens or 1.0) ** d)

    return value


def of_compute(coefficient: float, c: float) -> Callable[[float, float | None, float | None], float | None]:
    """The law coefficient x C^c with C = 6 N D."""
    return power(coefficient * 6**c, c, c)


def _above_0(rate: float) -> float | None:
    return rate if rate > 0 else None


LAWS = (
    Published(
        "DeepSeek 2024", "arXiv 2401.02954, section 3.1", "rate", "0.3118 C^-0.1250",
        "C of 1e17 to 2e19, multi-step schedule; C there is FLOPs per token without embeddings x D",
        {"N": -0.125, "D": -0.125}, of_compute(0.3118, -0.125),
    ),
    Published(
        "Step Law 2025", "arXiv 2503.04715", "rate", "1.79 N^-0.713 D^0.307",
        "N of 60M to 1B, D of 2B to 100B, cosine to a fixed 1e-5", {"N": -0.713, "D": 0.307},
        power(1.79, -0.713, 0.307), 1e9,
    ),
    Published(
        "Porian 2024", "arXiv 2406.19146, as tabulated in arXiv 2503.04715", "rate", "3.7 N^-0.36",
        "N of 5M to 901M at D near 20 N, constant rate", {"N": -0.36}, power(3.7, -0.36), 901e6,
    ),
    Published(
        "Kaplan 2020", "arXiv 2001.08361, appendix D.6", "rate", "0.003239 - 0.0001395 ln N",
        "N up to 1.5B", value=lambda n, d, loss: _above_0(0.003239 - 0.0001395 * math.log(n)), largest=1.5e9,
    ),
    Published(
        "Bjorck 2024", "as tabulated in arXiv 2503.04715", "rate", "~ N^-0.23 D^-0.32",
        "its units differ, so its factor is left out", {"N": -0.23, "D": -0.32},
    ),
    Published(
        "DeepSeek 2024", "arXiv 2401.02954, section 3.1", "batch", "0.2920 C^0.3271",
        "C of 1e17 to 2e19, multi-step schedule; C there is FLOPs per token without embeddings x D",
        {"N": 0.3271, "D": 0.3271}, of_compute(0.2920, 0.3271),
    ),
    Published(
        "Step Law 2025", "arXiv 2503.04715", "batch", "0.58 D^0.571",
        "N of 60M to 1B, D of 2B to 100B", {"N": 0.0, "D": 0.571}, power(0.58, d=0.571), 1e9,
    ),
    Published(
        "Porian 2024", "arXiv 2406.19146, as tabulated in arXiv 2503.04715", "batch", "0.7576 N^0.703",
        "N of 5M to 901M at D near 20 N", {"N": 0.703}, power(0.7576, 0.703), 901e6,
    ),
    Published(
        "Power Lines 2025", "arXiv 2505.13738", "batch", "~ D^0.383",
        "N of 111M to 3.3B under muP, linear decay to zero; factor left out", {"N": 0.0, "D": 0.383}, largest=3.3e9,
    ),
    Published(
        "Power Lines 2025", "arXiv 2505.13738", "critical", "~ D^0.462",
        "N of 111M to 3.3B; factor left out", {"N": 0.0, "D": 0.462}, largest=3.3e9,
    ),
    Published(
        "Kaplan 2020", "arXiv 2001.08361, section 5.1", "critical", "2e8 L^-4.76", "N up to 1.5B",
        value=lambda n, d, loss: None if loss is None or loss <= 0 else 2e8 * loss**-4.76, largest=1.5e9,
    ),
)  # fmt: skip
"""All of them, with their published constants."""
