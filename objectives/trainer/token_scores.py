"""Scores of lanes whose samples have a target per token, summed piece by piece, so that no table of outputs is held."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

IGNORED = -1
"""Target of a token that has none: it is neither learnt nor scored."""

TOKENS = 8192
"""Most tokens of an evaluation call; fixed, so that bits do not depend on the other lanes."""

NUMBERS = 1 << 22
"""Most outputs of a lane in an evaluation call: 16 MiB."""


def rows_at_once(positions: int, classes: int, most: int | None) -> int:
    """Samples of an evaluation call."""
    rows = max(1, min(TOKENS, NUMBERS // classes) // positions)
    return min(rows, most or rows)


class TokenSums:
    """What the scores are made of, for each lane.

    Attributes:
        nats: summed cross-entropy [lanes], float64.
        hits: tokens whose likeliest class is right [lanes].
        tokens: targets that were scored.
    """

    def __init__(self, lanes: int, device: torch.device) -> None:
        self.nats = torch.zeros(lanes, dtype=torch.float64, device=device)
        self.hits = torch.zeros(lanes, dtype=torch.float64, device=device)
        self.tokens = 0

    def add(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in outputs [lanes, B, positions, classes] of targets [B, positions], ``IGNORED`` where there is none."""
        has = (targets.flatten() != IGNORED).nonzero().squeeze(1)
        kept = outputs.flatten(1, 2).index_select(1, has)
        self._take(kept, targets.flatten().index_select(0, has))

    def _take(self, outputs: Tensor, targets: Tensor) -> None:
        """Outputs [lanes, n, classes] of targets [n]."""
        own = outputs.gather(2, targets.expand(len(outputs), -1).unsqueeze(2)).squeeze(2)
        self.nats += (outputs.logsumexp(dim=2) - own).double().sum(dim=1)
        self.hits += (outputs.argmax(dim=2) == targets).sum(dim=1)
        self.tokens += len(targets)

    def scores(self) -> list[dict[str, float]]:
        """``loss``, mean nats of a token, and ``accuracy`` of each lane."""
        count = max(1, self.tokens)
        pairs = zip((self.nats / count).tolist(), (self.hits / count).tolist(), strict=True)
        return [{"loss": loss, "accuracy": accuracy} for loss, accuracy in pairs]


class ClassSums(TokenSums):
    """The same with what is counted by class."""

    def __init__(self, lanes: int, classes: int, device: torch.device) -> None:
        super().__init__(lanes, device)
        self._right = torch.zeros(lanes, classes, dtype=torch.float64, device=device)
        self._chosen, self._true = self._right.clone(), self._right[0].clone()

    def _take(self, outputs: Tensor, targets: Tensor) -> None:
        super()._take(outputs, targets)
        lanes, classes = self._right.shape
        chosen = outputs.argmax(dim=2)
        cells = torch.arange(0, lanes * classes, classes, device=targets.device)[:, None] + chosen
        for table, counted in ((self._right, cells[chosen == targets]), (self._chosen, cells.flatten())):
            table += torch.bincount(counted, minlength=lanes * classes).view(lanes, classes)
        self._true += torch.bincount(targets, minlength=classes)

    def scores(self) -> list[dict[str, float]]:
        """With ``balanced_accuracy``, mean recall of the classes present, and ``f1_macro``."""
        recall = (self._right / self._true.clamp(min=1)).sum(dim=1) / max(1, int((self._true > 0).sum()))
        seen = ((self._true + self._chosen) > 0).sum(dim=1).clamp(min=1)
        f1 = (2 * self._right / (self._true + self._chosen).clamp(min=1)).sum(dim=1) / seen
        more = zip(super().scores(), recall.tolist(), f1.tolist(), strict=True)
        return [{**own, "balanced_accuracy": one, "f1_macro": other} for own, one, other in more]


def score_tokens(
    forward: Callable[[Tensor], Tensor], inputs: Tensor, targets: Tensor, sums: TokenSums, rows: int
) -> None:
    """Run samples [n, ...] through a forward pass of all lanes, ``rows`` at a time; add up scores of [n, positions]."""
    lanes = len(sums.nats)
    for piece, wanted in zip(torch.split(inputs, rows), torch.split(targets, rows), strict=True):
        sums.add(forward(piece.unsqueeze(0).expand(lanes, *piece.shape)), wanted)
