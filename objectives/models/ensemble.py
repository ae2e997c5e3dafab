"""Several models out of the folders of one, which predict together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.objectives.data.scorers import Said
from hpo.objectives.ensembles.combinations import Combination, one_hot
from hpo.objectives.ensembles.combined import MEMBERS
from hpo.objectives.models.base import Model
from hpo.search.terms.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class EnsembleModel(Model):
    """See ``Model``.

    Attributes:
        members: the models, in the order of the combination.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any], opened: Callable[[Path], Model]) -> None:
        """Open every member.

        Args:
            folder: with a folder for each member.
            about: the combination.
            opened: opens a member's folder.

        Raises:
            UserError: members are missing, or do not go together.
            DataError: what one of them says of its data contradicts itself.
        """
        count = int(about["combination"]["models"])
        self.members = [opened(folder / MEMBERS / str(place)) for place in range(count)]
        if not self.members:
            raise ValueError("it combines no models")
        first = self.members[0]
        super().__init__(first.schema, first.preparation, about)
        if any(member.schema != first.schema for member in self.members):
            raise UserError(f"the models in {folder / MEMBERS} read different columns: train them again with hpo train")
        self._combination = Combination.read(about["combination"], len(self.classes))

    def rows(self, raw: Any) -> Any:
        """See ``Model``."""
        return self.members[0].rows(raw)

    def numbers(self, X: Any) -> NDArray[Any]:
        """See ``Model``."""
        found = self._together(X)
        if self.cut is not None:
            return self.decided(found)
        return found.argmax(axis=1) if self.classes else found

    def probabilities(self, X: Any) -> NDArray[Any] | None:
        """See ``Model``; where the members have none, their votes."""
        return self._together(X)

    def scores(self, X: Any, targets: NDArray[Any]) -> dict[str, Any]:
        """See ``Model``."""
        return self.judge.report(Said.of(targets, self._together(X)), self.cut)

    def _together(self, X: Any) -> NDArray[Any]:
        return self._combination.of([self._values(member, X) for member in self.members])

    def _values(self, member: Model, X: Any) -> NDArray[Any]:
        if not self.classes:
            return member.numbers(X)
        found = member.probabilities(X)
        return one_hot(member.numbers(X), len(self.classes)) if found is None else found
