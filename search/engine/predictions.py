"""What the models of fresh runs predict on the validation part, kept until they are combined and afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.search.contracts.predicted import Predicted
from hpo.search.engine.checkpoints import predictions_of
from hpo.search.report import files
from hpo.search.store import Store
from hpo.search.terms.recipe import digest
from hpo.search.terms.study import Goal


class Predictions:
    """Predictions by recipe, seed included: in files beside the store, in memory where that keeps none.

    Attributes:
        goals: of the study, as it writes them, by which a run's model is chosen from its curve; empty where nothing is
            to be kept.
    """

    def __init__(self, folder: Path | None = None, goals: tuple[Goal, ...] = ()) -> None:
        self.goals = tuple(map(str, goals))
        self._folder = folder
        self._held: dict[str, Predicted] = {}

    @classmethod
    def beside(cls, store: Store, name: str, goals: tuple[Goal, ...]) -> Predictions:
        """Those of the study that holds the fresh runs."""
        return cls(predictions_of(store, name), goals)

    def keep(self, recipe: Mapping[str, Any], predicted: Predicted) -> None:
        """Keep what a run's model predicts, before the run's end is recorded.

        Raises:
            UserError, OutputError: it cannot be written.
        """
        key = digest(recipe)
        self._held[key] = predicted
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            files.write(self._folder / f"{key}.npz", predicted.packed(key))

    def of(self, recipe: Mapping[str, Any]) -> Predicted | None:
        """What is kept of a run; None where nothing is, or a file of it is gone or damaged."""
        key = digest(recipe)
        if key not in self._held and self._folder is not None:
            try:
                found = Predicted.read((self._folder / f"{key}.npz").read_bytes(), key)
            except OSError:
                return None
            if found is not None:
                self._held[key] = found
        return self._held.get(key)
