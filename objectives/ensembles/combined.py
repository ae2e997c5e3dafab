"""Several trained models as one: tested, scored and saved as a single trained model is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpo.objectives.data.judge import Judge
from hpo.objectives.data.scorers import Said
from hpo.objectives.ensembles.combinations import Combination
from hpo.search.contracts.predicted import PartName, Predicted
from hpo.search.terms.errors import UserError

MEMBERS = "members"
"""Folder of the members' own folders, called 0, 1, ..."""


class Combined:
    """A combination and its trained models.

    Attributes:
        combination: with as many members as there are models.
    """

    def __init__(self, combination: Mapping[str, Any], models: Sequence[Any]) -> None:
        """Put models together.

        Args:
            combination: as plain data.
            models: with ``predicted`` and ``save``, in its order.

        Raises:
            UserError: the models cannot be combined, or not in this way.
        """
        if not all(hasattr(model, "predicted") for model in models):
            raise UserError("the objective's models give no predictions that can be combined")
        self._models = list(models)
        self._validation = self._each("validation")
        self._judge = getattr(models[0], "judge", Judge())
        self.combination = Combination.read(combination, self._validation[0].classes)
        if len(self.combination.members) != len(models):
            raise UserError(f"a combination of {len(self.combination.members)} models, but there are {len(models)}")
        together = self.combination.of([one.values for one in self._validation])
        self._cut = self._judge.cut(self._validation[0].targets, together if together.ndim == 2 else None)

    @property
    def labels(self) -> tuple[Any, ...]:
        """Name of each class, where they are known."""
        return tuple(getattr(self._models[0], "labels", ()))

    def validated(self) -> Mapping[str, Any]:
        """Metrics on the validation part, on which the combination was fitted."""
        return self._scores(self._validation)

    def test(self) -> dict[str, Any]:
        """Metrics on the test part, with the confusion matrix [true, predicted] of classes."""
        return self._scores(self._each("test"))

    def evaluate(self, rows: Any) -> dict[str, Any]:
        """Metrics on other rows, as the members' ``evaluate`` takes them."""
        return self._scores(self._each(rows))

    def save(self, folder: Path) -> list[Path]:
        """Write every member into a folder of its own, and ``model.json``, which says how they are combined."""
        for place, model in enumerate(self._models):
            own = folder / MEMBERS / str(place)
            own.mkdir(parents=True)
            model.save(own)
        about = {
            "trained_by": "combination",
            "combination": self.combination.plain(),
            "judge": self._judge.plain(),
            "threshold": self._cut,
        }
        described = folder / "model.json"
        described.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        return [folder / MEMBERS, described]

    def _each(self, part: PartName | Any) -> list[Predicted]:
        return [model.predicted(part) for model in self._models]

    def _scores(self, each: Sequence[Predicted]) -> dict[str, Any]:
        said = Said.of(each[0].targets, self.combination.of([one.values for one in each]))
        return self._judge.report(said, self._cut)
