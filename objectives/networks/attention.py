"""What attention sees and how it knows places: within a document, and the same for all layers of a forward pass.

Where a row holds several documents, a position sees those of its own document only, and positions are counted from the
document's start; restarted positions alone would still let a document see the others. Padding, whose number is -1,
counts as a document of its own, so that it is never seen and its own outputs are finite.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hpo.objectives.networks.layers import Flow

ROTARY_BASE = 10_000.0


def places(flow: Flow) -> Tensor | None:
    """Place of each position in its document, int64 [K, B, T]; None where a row is one document."""
    documents = flow.documents
    return None if documents is None else flow.once("places", lambda: _places(documents))


def _places(documents: Tensor) -> Tensor:
    every = torch.arange(documents.shape[-1], device=documents.device)
    begins = torch.ones_like(documents, dtype=torch.bool)
    begins[..., 1:] = documents[..., 1:] != documents[..., :-1]
    return every - (every * begins).cummax(dim=-1).values


def visible(flow: Flow, causal: bool) -> Tensor | None:
    """Which positions see which, bool [K * B, 1, T, T]; None where a row is one document."""
    documents = flow.documents
    return None if documents is None else flow.once(("visible", causal), lambda: _visible(documents, causal))


def _visible(documents: Tensor, causal: bool) -> Tensor:
    rows = documents.flatten(0, 1)
    same = rows.unsqueeze(2) == rows.unsqueeze(1)
    return (same.tril_() if causal else same).unsqueeze(1)


def turns(flow: Flow, x: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines of rotary positions for x [K, B, T, width] and heads of an even size (Su et al. 2021, eq. 34).

    Pair i of a head's dimensions, out of size / 2, turns by 10000^(-2i / size) per position.

    Returns:
        Two tensors [T, 1, 1, size / 2], or [K * B, T, 1, 1, size / 2] where rows hold documents.
    """
    kind = torch.promote_types(x.dtype, torch.float32)

    def angles() -> Tensor:
        speeds = ROTARY_BASE ** (-torch.arange(0, size, 2, device=x.device, dtype=kind) / size)
        found = places(flow)
        at = torch.arange(x.shape[2], device=x.device) if found is None else found.flatten(0, 1)
        return (at.to(kind).unsqueeze(-1) * speeds).unsqueeze(-2).unsqueeze(-2)

    def once(name: str) -> Tensor:
        turn = {"cos": torch.cos, "sin": torch.sin}[name]
        return flow.once((name, size), lambda: turn(flow.once(("angles", size), angles)))

    return once("cos"), once("sin")


def rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn queries and keys [rows, T, ..., heads, size]; dimension i of each half make a pair (GPT-NeoX, Llama)."""
    first, second = x.chunk(2, dim=-1)
    cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
