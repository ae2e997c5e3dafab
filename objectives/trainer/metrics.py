"""Scores on a part of the data, for all lanes at a time; independent of the loss that is being minimized.

Objectives that the suite trains say by ``METRICS`` what their curves hold, so torch is not imported with this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from hpo.objectives.data.judge import JUDGED
from hpo.objectives.data.judge import NAMED as SCORED
from hpo.objectives.data.scores import CLASSIFICATION, REGRESSION

if TYPE_CHECKING:
    from torch import Tensor

METRICS = (
    "train_loss", "val_loss", "val_accuracy", "val_balanced_accuracy", "val_f1_macro", "val_rmse", "val_mae", "val_r2",
    # of the batch, where it is chosen by the suite or its micro-batches are accumulated
    "micro_batch", "effective_batch",
    "gradient_variance", "gradient_variance_error", "gradient_square", "gradient_square_error",
    *JUDGED,  # where the recipe has a threshold
)  # fmt: skip
"""Everything that a point of a curve may hold: ``score`` on the validation part, and what ``Lane.measured`` tells."""

NAMED = (*CLASSIFICATION, *REGRESSION, *SCORED)
"""What else it may hold, where ``scoring`` names it."""

ROWS = 512  # samples, or symbols, per evaluation call; fixed, so that bits do not depend on the other lanes


def predict(forward: Callable[[Tensor], Tensor], inputs: Tensor, lanes: int, most: int | None = None) -> Tensor:
    """Outputs [lanes, n, ..., outputs] of a forward pass that takes [lanes, B, ...], ``most`` samples at a time."""
    rows = ROWS if inputs.is_floating_point() else max(1, ROWS // inputs[0].numel())
    import torch

    split = torch.split(inputs, min(rows, most or rows))
    pieces = [forward(piece.unsqueeze(0).expand(lanes, *piece.shape)) for piece in split]
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=1)


def score(
    forward: Callable[[Tensor], Tensor],
    inputs: Tensor,
    targets: Tensor,
    *,
    classes: int,
    deviation: float,
    lanes: int,
    most: int | None,
    judged: Callable[[Tensor], Mapping[str, float]] | None = None,
) -> list[dict[str, float]]:
    """Scores of each lane on arrays; where each token has a target, tokens count as samples.

    Classification: ``loss`` (mean cross-entropy), ``accuracy``, ``balanced_accuracy`` (mean recall over the classes
    present), ``f1_macro`` (average over the classes present or predicted). Regression: ``loss`` (mean squared error
    of the standardized target), and ``rmse``, ``mae``, ``r2`` in the target's own units.

    Args:
        forward: maps inputs [lanes, B, ...] to outputs.
        inputs: [n, ...].
        targets: [n], or [n, positions] where each token has one.
        classes: how many; 0 for regression.
        deviation: of the target in its own units, by which it was standardized.
        lanes: how many.
        most: samples that the model is run on at a time at most; None for as many as is fast.
        judged: further metrics of a lane's outputs [n, outputs], in the place of those of the same name.
    """
    import torch

    if targets.dim() > 1:
        from hpo.objectives.trainer.token_scores import ClassSums, rows_at_once, score_tokens

        sums = ClassSums(lanes, classes, targets.device)
        score_tokens(forward, inputs, targets, sums, rows_at_once(targets.shape[1], classes, most))
        return sums.scores()
    outputs = predict(forward, inputs, lanes, most)
    columns = _classes(outputs, targets) if classes else _values(outputs, targets, deviation)
    names = list(columns)
    table = torch.stack([columns[name].double() for name in names], dim=1).tolist()
    found = [dict(zip(names, row, strict=True)) for row in table]
    return found if judged is None else [{**own, **judged(each)} for own, each in zip(found, outputs, strict=True)]


def _classes(outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
    import torch

    from hpo.objectives.trainer.losses import entropy

    lanes, _, classes = outputs.shape
    chosen = outputs.argmax(dim=2)
    starts = torch.arange(0, lanes * classes, classes, device=targets.device)[:, None]

    def count(cells: Tensor) -> Tensor:
        return torch.bincount(cells.flatten(), minlength=lanes * classes).view(lanes, classes).double()

    hits, predicted = count((starts + chosen)[chosen == targets]), count(starts + chosen)
    true = torch.bincount(targets, minlength=classes).double()
    recall = (hits / true.clamp(min=1)).sum(dim=1) / (true > 0).sum()
    seen = (true + predicted) > 0
    f1 = (2 * hits / (true + predicted).clamp(min=1)).sum(dim=1) / seen.sum(dim=1)
    return {
        "loss": entropy(outputs, targets),
        "accuracy": hits.sum(dim=1) / len(targets),
        "balanced_accuracy": recall,
        "f1_macro": f1,
    }


def _values(outputs: Tensor, targets: Tensor, deviation: float) -> dict[str, Tensor]:
    off = outputs.squeeze(2) - targets
    loss = off.square().mean(dim=1)
    spread = (targets - targets.mean()).square().mean().clamp(min=1e-12)
    return {
        "loss": loss,
        "rmse": loss.sqrt() * deviation,
        "mae": off.abs().mean(dim=1) * deviation,
        "r2": 1 - loss / spread,
    }
