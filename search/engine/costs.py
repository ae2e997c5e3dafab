"""What a study's time was spent on: its search, the fresh runs of its finalists, the winner's measurement on the test.

The search's seconds are kept with the study, those of the fresh runs with the study that holds them, both as they pass;
what comes after the search stands once more with the study itself when it is done, for whoever shows it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from hpo.search.engine.ledger import Ledger
from hpo.search.store import Store, attributes
from hpo.search.store.names import CONFIRM

FRESH, TEST = "fresh runs", "test"


class Costs:
    """Seconds that all runs of a study took so far, and what its minutes leave.

    Attributes:
        fresh: seconds of fresh runs.
        test: seconds of measuring on the test split.
    """

    def __init__(self, ledger: Ledger, store: Store, began: float) -> None:
        """Read what earlier runs took; this one ``began`` then, on the monotonic clock."""
        stored = _stored(ledger)
        self.fresh, self.test = float(stored.get(FRESH, 0.0)), float(stored.get(TEST, 0.0))
        self._ledger, self._began = ledger, began
        self._minutes = ledger.study.budget.minutes
        if self._minutes is not None and (name := ledger.study.name + CONFIRM) in store.names():
            runs = store.read(name)  # they may have been killed before the study itself was told
            self.fresh = max(self.fresh, float(runs.user_attrs.get(attributes.SECONDS, 0.0)) if runs else 0.0)
        ledger.beside = self.fresh + self.test

    def left(self) -> float | None:
        """Seconds that the study's minutes leave, None where it has none."""
        if self._minutes is None:
            return None
        return self._minutes * 60 - self._ledger.seconds - self._ledger.beside - (time.monotonic() - self._began)

    def keep(self) -> None:
        """Note with the study what came after its search."""
        new = {FRESH: round(self.fresh, 3), TEST: round(self.test, 3)}
        if (_stored(self._ledger) or {FRESH: 0.0, TEST: 0.0}) != new:
            self._ledger.storage.set_study_system_attr(self._ledger.optuna._study_id, attributes.SPENT, new)


def _stored(ledger: Ledger) -> Mapping[str, Any]:
    found: Mapping[str, Any] = ledger.storage.get_study_system_attrs(ledger.optuna._study_id).get(attributes.SPENT, {})
    return found
