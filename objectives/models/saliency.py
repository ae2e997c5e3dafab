"""Which pixels of an image a network's answer follows from, and what its first convolution makes of them.

Each pixel's part is its integrated gradient (see ``gradients``), summed over channels. Whether these parts mean
anything is measured: the pixels with the largest are hidden, and as many at random (deletion; Petsiuk et al. 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F

from hpo.objectives.models.gradients import integrated, saying
from hpo.objectives.models.network import NetworkModel
from hpo.search.terms.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = 200
"""Images that are looked at, the first ones."""
SHOWN = 4
"""Images that are shown of those with the smallest loss, and as many of those with the largest."""
SIDE = 32
"""Pixels of a map on a side at most; larger ones are averaged."""
CHANNELS = 16
"""Feature maps that are shown at most."""
HIDDEN = 0.1
"""Share of the pixels that are hidden."""

Grid = tuple[tuple[float, ...], ...]
"""[height][width], four digits."""


@dataclass(frozen=True)
class Picture:
    """One image.

    Attributes:
        row: its place among those looked at.
        truth, predicted: labels or values.
        output: what the network says: log odds of the class predicted, or the value in the target's units.
        pixels: mean over channels.
        saliency: what each pixel adds to ``output``, against an image that is the mean of all.
        features: what the channels of the first convolution give for it, before the nonlinearity; none where the
            network has no convolution.
    """

    row: int
    truth: Any
    predicted: Any
    output: float
    pixels: Grid
    saliency: Grid
    features: tuple[Grid, ...]


@dataclass(frozen=True)
class ImageExplanation:
    """Of a network on some images.

    Attributes:
        rows: how many.
        classes: whether it tells classes apart; else it predicts values.
        average: mean absolute saliency of each pixel.
        hidden: how many pixels of each image were hidden.
        moved: mean absolute change of the output where those with the largest saliency were.
        moved_at_random: the same where as many at random were.
        pictures: those shown, the best understood first, then the worst.
    """

    kind: ClassVar[str] = "images"
    rows: int
    classes: bool
    average: Grid
    hidden: int
    moved: float
    moved_at_random: float
    pictures: tuple[Picture, ...]

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"kind": self.kind, **asdict(self)}


def explain_images(model: NetworkModel, X: Any, targets: NDArray[Any], seed: int = 0) -> ImageExplanation:
    """Measure what the pixels of images add.

    Args:
        model: a network whose rows are images.
        X: held-out rows as ``Model.rows`` gives them.
        targets: class numbers or values [n].
        seed: of the pixels that are hidden at random.

    Raises:
        DataError: there are no rows.
    """
    if not len(targets):
        raise DataError("there are no images to explain the model with")
    X, targets = X[:ROWS], targets[:ROWS]
    shape = model.schema.image
    assert shape is not None
    inputs = model.inputs(X)
    found = integrated(model.predictor, inputs)
    parts = torch.from_numpy(_as_images(model, found.values).sum(axis=1))
    pixels = torch.from_numpy(np.asarray(X, dtype=np.float64).reshape(len(X), *shape).mean(axis=1))
    predicted = model.numbers(X)
    count = max(1, round(HIDDEN * parts[0].numel()))
    largest = parts.flatten(1).abs().argsort(dim=1, descending=True)[:, :count]
    random = np.random.default_rng(seed)
    drawn = torch.from_numpy(random.random(parts.flatten(1).shape).argsort(axis=1)[:, :count])
    pictures = tuple(
        Picture(
            row, _plain(model.labels(targets[row : row + 1])[0]), _plain(model.labels(predicted[row : row + 1])[0]),
            float(found.outputs[row]), _grid(pixels[row]), _grid(parts[row]),
            tuple(_grid(each) for each in _features(model, inputs[row : row + 1])),
        )
        for row in _chosen(_losses(model, X, targets))
    )  # fmt: skip
    return ImageExplanation(
        len(X), bool(model.classes), _grid(parts.abs().mean(dim=0)), count,
        _moved(model, inputs, largest), _moved(model, inputs, drawn), pictures,
    )  # fmt: skip


def _as_images(model: NetworkModel, values: NDArray[Any]) -> NDArray[Any]:
    """What prepared inputs are given, [n, channels, height, width]; pixels that are no input are given nothing."""
    assert model.preparation is not None
    shape = model.schema.image
    assert shape is not None
    flat = values.reshape(len(values), -1)
    if flat.shape[1] == np.prod(shape):
        return flat.reshape(len(flat), *shape)
    made = np.zeros((len(flat), len(model.schema.features)), flat.dtype)
    at = {name: place for place, name in enumerate(model.schema.features)}
    for place, source in enumerate(model.preparation.sources):
        made[:, at[source]] += flat[:, place]
    return made.reshape(len(flat), *shape)


def _losses(model: NetworkModel, X: Any, targets: NDArray[Any]) -> NDArray[Any]:
    """Of each image: what its true class lacks in probability, or the distance of the value."""
    if not model.classes:
        far: NDArray[Any] = np.abs(model.numbers(X) - targets)
        return far
    probabilities = model.probabilities(X)
    assert probabilities is not None
    lacking: NDArray[Any] = 1 - probabilities[np.arange(len(targets)), targets]
    return lacking


def _chosen(losses: NDArray[Any]) -> list[int]:
    order = np.argsort(losses, kind="stable").tolist()
    return list(dict.fromkeys([*order[:SHOWN], *order[: -SHOWN - 1 : -1]]))


def _moved(model: NetworkModel, inputs: torch.Tensor, hidden: torch.Tensor) -> float:
    """How far the output moves, on average, where pixels [n, count] are those of the mean image."""
    said = saying(model.predictor, inputs)
    changed = inputs.flatten(2) if inputs.dim() > 2 else inputs.unsqueeze(1)
    changed = changed.scatter(2, hidden.unsqueeze(1).expand(-1, changed.shape[1], -1), 0.0)
    with torch.no_grad():
        return float((said(changed.view(inputs.shape)) - said(inputs)).abs().mean())


def _features(model: NetworkModel, inputs: torch.Tensor) -> Sequence[torch.Tensor]:
    """What the first convolution gives for one image, [channels, height, width]."""
    used = model.predictor
    used.network.mode(training=False)
    with torch.no_grad():
        seen = used.network.look(used.network.views(used.weights.unsqueeze(0)), inputs.unsqueeze(0))
    first = next((step.output[0, 0] for step in seen.ends if step.kind == "Conv2d"), None)
    return () if first is None or first.dim() != 3 else first[:CHANNELS].unbind()


def _grid(values: torch.Tensor) -> Grid:
    """A map [height, width], made smaller where it is large."""
    height, width = (min(SIDE, side) for side in values.shape)
    small = F.adaptive_avg_pool2d(values[None].float(), (height, width))[0]
    return tuple(tuple(float(f"{value:.4g}") for value in row) for row in small.tolist())


def _plain(label: Any) -> Any:
    return label.item() if hasattr(label, "item") else label
