"""What of a budget's minutes is kept for the fresh runs and the measurement on the test split."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from hpo.search.contracts.executor import Executor
from hpo.search.engine.entry import Entry
from hpo.search.engine.ledger import ENDS, Ledger
from hpo.search.terms.changed import Reader
from hpo.search.terms.study import Study

_MARGIN = 1.5
"""A run may cost more than the mean of those before it, and the search's last step ends after its time."""

_LOOK = 1.0
"""Seconds between two estimates."""


class Reserve:
    """Seconds that fresh runs and test are expected to take, at most half of the study's minutes.

    A run is expected to cost what complete trials did; while there is none, what a point of those that have points did,
    times the points of a complete one. Lanes of one process share it: a round of them takes the lanes' costs together.
    """

    def __init__(
        self, study: Study, ledger: Ledger, executor: Executor, horizon: Callable[[Mapping[str, Any]], int | None],
        *, tested: bool,
    ) -> None:  # fmt: skip
        """``tested`` says that the winner, and what is combined, is trained once more and tested."""
        self.runs = study.confirm.top * study.confirm.seeds if study.confirm is not None else 0
        combined = study.confirm.ensemble if study.confirm is not None else 0
        self._tested, self._ledger, self._horizon = (1 + combined) * tested, ledger, horizon
        self._most = None if study.budget.minutes is None else study.budget.minutes * 30
        self._lanes, self._together = executor.lanes, executor.lanes / max(1, executor.processes)
        self._looked = -math.inf
        self._cost = 0.0
        self._reader: Reader[Entry] = Reader(lambda entry: entry.state in ENDS)
        self._complete = self._seconds = 0.0  # complete trials, and what they cost

    def __call__(self) -> float:
        """Seconds to keep; 0 where the study has no minutes."""
        if self._most is None or not (self.runs or self._tested):
            return 0.0
        return min(self._most, self.fresh() + self.test())

    def fresh(self) -> float:
        """Seconds of all fresh runs."""
        return math.ceil(self.runs / self._lanes) * self._together * self._each()

    def test(self) -> float:
        """Seconds of the measurement on the test split, each model trained alone."""
        return self._tested * self._together * self._each()

    def _each(self) -> float:
        if time.monotonic() - self._looked >= _LOOK:
            self._looked, self._cost = time.monotonic(), _MARGIN * self._estimate()
        return self._cost

    def _estimate(self) -> float:
        entries = self._ledger.entries
        numbers, afresh = self._reader.news(entries, self._ledger.log)
        if afresh:
            self._complete = self._seconds = 0.0
        for number in numbers:
            entry = entries[number]
            if entry.state == "complete" and entry.curve:
                self._complete, self._seconds = self._complete + 1, self._seconds + entry.seconds
        if self._complete:
            return self._seconds / self._complete
        costs = [
            (entry.seconds + entry.unstored)
            / len(entry.curve)
            * max(self._horizon(entry.recipe) or 0, len(entry.curve))
            for entry in entries
            if entry.curve
        ]
        return statistics.fmean(costs) if costs else 0.0
