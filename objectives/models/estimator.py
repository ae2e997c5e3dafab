"""A scikit-learn pipeline out of a skops file: of types of scikit-learn, numpy and the boosters; others are refused."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.objectives.data.preparation import Preparation
from hpo.objectives.data.schema import Schema
from hpo.objectives.estimators.curves import quiet
from hpo.objectives.estimators.model import probabilities_of, said
from hpo.objectives.estimators.source import BOOSTERS
from hpo.objectives.models.base import Model
from hpo.search.terms.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TRUSTED = ("sklearn.", "numpy.", "scipy.", *(f"{package}." for package in sorted({*BOOSTERS.values()})))
_PLAIN = ("collections.OrderedDict",)


class EstimatorModel(Model):
    """See ``Model``."""

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Load the pipeline.

        Raises:
            UserError: it is missing, damaged, of another version of scikit-learn, or holds types of other packages.
            DataError: the preparation contradicts itself.
        """
        preparation = Preparation.from_plain(about["preparation"])
        schema = Schema.from_plain(about["schema"], preparation.columns, preparation.features)
        super().__init__(schema, preparation, about)
        steps = _pipeline(folder / "model.skops", str(about.get("scikit-learn")))
        self._prepare, self._estimator = steps["prepare"], steps["model"]

    def numbers(self, X: Any) -> NDArray[Any]:
        """See ``Model``."""
        X = self._prepare.transform(X)
        with quiet():
            if self.cut is not None:
                return self.decided(probabilities_of(self._estimator, X, len(self.classes)))
            found: NDArray[Any] = self._estimator.predict(X)
        return found if self.classes else found.reshape(len(found))

    def probabilities(self, X: Any) -> NDArray[Any] | None:
        """See ``Model``."""
        with quiet():
            return probabilities_of(self._estimator, self._prepare.transform(X), len(self.classes))

    def scores(self, X: Any, targets: NDArray[Any]) -> dict[str, Any]:
        """See ``Model``."""
        found = said(self._estimator, self._prepare.transform(X), targets, len(self.classes))
        return self.judge.report(found, self.cut)


def _pipeline(path: Path, version: str) -> Mapping[str, Any]:
    import skops.io
    from sklearn import __version__

    try:
        types = skops.io.get_untrusted_types(file=path)
        foreign = [name for name in types if not name.startswith(_TRUSTED) and name not in _PLAIN]
        if foreign:
            raise UserError(
                f"{path} holds {', '.join(foreign[:5])}, which are not scikit-learn's: load it with skops.io.load, "
                "and name what you trust"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("error" if version != __version__ else "ignore")
            steps: Mapping[str, Any] = skops.io.load(path, trusted=types).named_steps
    except UserError:
        raise
    except Exception as error:  # whatever a damaged or older file makes of it
        why = " ".join(str(error).split())[:200]
        other = f" (saved by scikit-learn {version}, this is {__version__})" if version != __version__ else ""
        raise UserError(f"{path} cannot be loaded{other}: {why}; train it again with hpo train") from None
    return steps
