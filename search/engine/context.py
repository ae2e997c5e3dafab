"""What every part of a run shares, and who watches it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hpo.search.contracts.executor import Executor
from hpo.search.describe.objective import Objective
from hpo.search.engine.ledger import Ledger
from hpo.search.engine.loop import Loop
from hpo.search.engine.reserve import Reserve
from hpo.search.engine.rules import Silent
from hpo.search.engine.watch import Watch
from hpo.search.store import Store
from hpo.search.terms.errors import Advice
from hpo.search.terms.study import Study


class Progress(Silent):
    """Observer of a whole run: the search, then the fresh runs. Does nothing; the terminal's view derives from it."""

    def opened(self, loop: Loop, phase: str) -> None:
        """A loop is about to run: phase ``search`` or ``confirm``."""

    def say(self, message: str) -> None:
        """Something the user should know."""

    def warn(self, message: str) -> None:
        """Something that may spoil the result: told even where nothing else is."""
        warnings.warn(message, Advice, stacklevel=2)


@dataclass(frozen=True)
class Context:
    """What the parts of a run share."""

    study: Study
    objective: Objective
    store: Store
    executor: Executor
    progress: Progress
    watch: Watch

    def reserve(self, ledger: Ledger, horizon: Callable[[Mapping[str, Any]], int | None]) -> Reserve:
        """What of the study's minutes is kept for what comes after its search."""
        return Reserve(self.study, ledger, self.executor, horizon, tested=self.objective.returns_model)
