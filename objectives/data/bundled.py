"""The data sets that come with scikit-learn: digits, breast_cancer, wine, iris (classes), diabetes (regression)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpo.objectives.data.dataset import Source
from hpo.objectives.data.options import text_digest

NAMES = ("breast_cancer", "diabetes", "digits", "iris", "wine")

DIGITS_PEAK = 16.0
"""Brightest value of a pixel of digits; pixels are divided by it."""


def digest(options: Mapping[str, Any]) -> str:
    """Digest of the name and of the library's version."""
    from importlib.metadata import version

    return text_digest("bundled", options["name"], version("scikit-learn"))


def read(options: Mapping[str, Any]) -> Source:
    """Load one by name; digits become images [1, 8, 8] with pixels in [0, 1]."""
    from sklearn import datasets

    name = options["name"]
    bunch = getattr(datasets, f"load_{name}")()
    image = name == "digits"
    return Source(
        name=name,
        X=bunch.data / DIGITS_PEAK if image else bunch.data,
        y=bunch.target,
        target="digit" if image else "target",
        features=tuple(str(feature) for feature in bunch.feature_names),
        task="regression" if name == "diabetes" else "classification",
        classes=tuple(str(label) for label in getattr(bunch, "target_names", ())),
        image=(1, 8, 8) if image else None,
    )
