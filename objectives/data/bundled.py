"""The data sets that come with scikit-learn: digits, breast_cancer, wine, iris (classes), diabetes (regression).

Beside them stands ``stdlib``, which is text: it has a digest and no rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hpo.objectives.data import texts
from hpo.objectives.data.dataset import Source
from hpo.objectives.data.options import text_digest
from hpo.search.terms.errors import DataError

NAMES = ("breast_cancer", "diabetes", "digits", "iris", "wine")

DIGITS_PEAK = 16.0
"""Brightest value of a pixel of digits; pixels are divided by it."""


def digest(options: Mapping[str, Any]) -> str:
    """Digest of the name and of the library's version; of a text, of what it holds."""
    if options["name"] in texts.BUNDLED:
        return texts.digest(texts.texts(options["name"]))
    from importlib.metadata import version

    return text_digest("bundled", options["name"], version("scikit-learn"))


def read(options: Mapping[str, Any]) -> Source:
    """Load one by name; digits become images [1, 8, 8] with pixels in [0, 1].

    Raises:
        DataError: it is text.
    """
    name = options["name"]
    if name in texts.BUNDLED:
        raise DataError(texts.no_rows(name))
    if name == "digits":
        return _digits()
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    return Source(
        name=name,
        X=bunch.data,
        y=bunch.target,
        target="target",
        features=tuple(str(feature) for feature in bunch.feature_names),
        task="regression" if name == "diabetes" else "classification",
        classes=tuple(str(label) for label in getattr(bunch, "target_names", ())),
    )


def _digits() -> Source:
    """Digits, read from scikit-learn's file: importing scikit-learn for it takes longer than some searches of it."""
    import numpy as np

    package = find_spec("sklearn")
    folder = Path(package.origin).parent if package is not None and package.origin is not None else Path()
    path = folder / "datasets" / "data" / "digits.csv.gz"
    if path.is_file():
        table = np.loadtxt(path, delimiter=",")
        pixels, labels = table[:, :-1], table[:, -1].astype(int)
    else:
        from sklearn.datasets import load_digits

        pixels, labels = load_digits(return_X_y=True)
    return Source(
        name="digits",
        X=pixels / DIGITS_PEAK,
        y=labels,
        target="digit",
        features=tuple(f"pixel_{row}_{column}" for row in range(8) for column in range(8)),
        task="classification",
        classes=tuple(str(digit) for digit in range(10)),
        image=(1, 8, 8),
    )
