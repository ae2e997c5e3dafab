"""Hand the suite's data sets to the cohort trainer; shared by the objectives that it trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo.objectives.data import Words
    from hpo.objectives.trainer.tensors import Splits


def splits(spec: Any, split_seed: int, *, images: bool = False, words: Words | None = None) -> Splits:
    """Load, split and prepare a data set.

    Args:
        spec: name or ``{kind: options}``.
        split_seed: decides the split.
        images: whether samples must be images.
        words: what becomes of texts.

    Raises:
        DataError: it cannot be loaded, or holds no images where they are needed.
    """
    from hpo.objectives.data import Part, arrays, load
    from hpo.objectives.trainer.tensors import Splits
    from hpo.search.terms.errors import DataError

    dataset = load(spec, split_seed)
    if images and dataset.image is None:
        raise DataError(
            f"{dataset.name} holds no images: use mlp, or an npz file with an array [n, channels, height, width]"
        )
    prepared = arrays(dataset, words)

    def ready(part: Part) -> tuple[Any, Any]:
        return prepared.of(part).X, part.y

    return Splits(
        train=(prepared.train.X, dataset.train.y),
        validation=(prepared.validation.X, dataset.validation.y),
        test=lambda: ready(dataset.test),
        task=dataset.task,
        classes=len(dataset.classes),
        labels=dataset.classes,
        preprocessing={
            "data": spec,
            "split_seed": split_seed,
            "features": list(prepared.names),
            "schema": dataset.schema.plain(),
            "preparation": prepared.preparation.plain(),
        },
        prepare=ready,
        reported=True,
    )
