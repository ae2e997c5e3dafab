"""Preparation for a model, fitted on training rows alone.

Numbers: missing values become the training median, with a 0/1 column that says so, then mean 0 and deviation 1.
Categories: one 0/1 column each; rare ones share a column, unseen ones are all zeros. Texts: see ``words``. Images: mean
0 and deviation 1 per channel. Targets of a regression are standardised, the inverse is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from hpo.objectives.data.dataset import Dataset, Part
from hpo.objectives.data.preparation import TEXT, Preparation, by_channel
from hpo.objectives.data.words import Words

MOST_CATEGORIES = 64
"""0/1 columns per category column; the rarest categories beyond share one."""

RARE = 3
"""Categories with fewer training rows than this share one column."""


def preprocessor(dataset: Dataset, words: Words, *, nonnegative: bool = False, sparse: bool = False) -> Any:
    """Unfitted scikit-learn transformer for a data set's rows.

    Pixels pass unchanged.

    Args:
        dataset: whose rows.
        words: what becomes of its texts.
        nonnegative: numbers are scaled to [0, 1], for estimators such as MultinomialNB.
        sparse: where there are texts, rows become a sparse matrix.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, StandardScaler

    if dataset.image is not None:
        return FunctionTransformer()

    def numbers() -> Any:
        impute = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
        return Pipeline([("impute", impute), ("scale", MinMaxScaler(clip=True) if nonnegative else StandardScaler())])

    if not dataset.columns:
        return numbers()
    categories = OneHotEncoder(
        handle_unknown="ignore", sparse_output=False, min_frequency=RARE, max_categories=MOST_CATEGORIES
    )
    named, texts = ([column.name for column in dataset.columns if column.kind == kind] for kind in ("category", "text"))
    return ColumnTransformer(
        [
            ("numbers", numbers(), [name for name in dataset.features if name not in (*named, *texts)]),
            ("categories", categories, named),
            *((f"{TEXT}{name}", words.vectorizer(), name) for name in texts),
        ],
        sparse_threshold=1.0 if sparse and texts else 0.0,
        verbose_feature_names_out=False,
    )


@dataclass(frozen=True, eq=False)
class Arrays:
    """A prepared data set.

    Attributes:
        dataset: what was prepared.
        names: names of the prepared features; empty for images.
        y_mean, y_scale: of the training targets of a regression; 0 and 1 otherwise.
        preparation: of the inputs.
    """

    dataset: Dataset
    names: tuple[str, ...]
    y_mean: float
    y_scale: float
    preparation: Preparation

    @cached_property
    def train(self) -> Part:
        """Training part; see ``of``."""
        return self.of(self.dataset.train)

    @cached_property
    def validation(self) -> Part:
        """Validation part; see ``of``."""
        return self.of(self.dataset.validation)

    @cached_property
    def test(self) -> Part:
        """Test part; see ``of``. Prepared when first asked for."""
        return self.of(self.dataset.test)

    def of(self, part: Part) -> Part:
        """Prepare rows: X float32 [rows, features] or [rows, channels, height, width], y int64 or float32."""
        import numpy as np

        y = (
            part.y
            if self.dataset.task == "classification"
            else ((part.y - self.y_mean) / self.y_scale).astype(np.float32)
        )
        return Part(self.preparation.transform(part.X), y, part.rows, part.groups)


@lru_cache(maxsize=8)
def prepared(dataset: Dataset, words: Words) -> Arrays:
    """Fit the preparation on the training part."""
    y_mean, y_scale = 0.0, 1.0
    if dataset.task == "regression":
        y_mean, y_scale = float(dataset.train.y.mean()), float(dataset.train.y.std())
    if dataset.image is not None:
        fitted = by_channel(dataset.train.X, dataset.features, dataset.image)
        return Arrays(dataset, (), y_mean, y_scale, fitted)
    transformer = preprocessor(dataset, words).fit(dataset.train.X)
    fitted = Preparation.of(transformer, dataset.columns, dataset.features, words, single=True)
    if any(column.kind == "text" for column in dataset.columns):
        names = fitted.sources  # cells of a hash have no names, and n-grams may be those of several columns
    else:
        names = tuple(map(str, transformer.get_feature_names_out(None if dataset.columns else list(dataset.features))))
    return Arrays(dataset, names, y_mean, y_scale, fitted)
