"""What a pruner is given and answers: it stops weak trials early.

Each file defines ``make(context, *, option=default, ...) -> Pruner``. A pruner looks at the curve of one trial after
every point and at the curves of the others; it decides by these curves alone and keeps nothing that a restart would
lose, so a resumed search prunes as an uninterrupted one. What does not follow from the curves, such as what was settled
at a certain moment, it hands over as ``memo`` with any answer; every later view has it as ``view.memo[PRUNER]``. Steps
are counted from 1. With several goals it is shown the curves of one of them.

A file may say what it needs from a study, as a literal tuple that is read without importing it::

    REQUIRES = ("one goal",)    with several goals the study must say which one to prune by

and what it does not promise, which the contract tests leave out::

    DISCLAIMS = ("ever prunes",)    there may be no curve at all that it stops

Options are annotated with plain types. One annotated ``Pruner`` takes another pruner, written as in the study file,
ready made.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from hpo.search.contracts.policy import Continue, Prune, View

Answer: TypeAlias = "Continue | Prune"

PRUNER = "pruner"
"""Where a view's memo has what the study's pruner last asked to be kept; a pruner that asks others keeps theirs."""


@dataclass(frozen=True)
class PrunerContext:
    """What a pruner may know of the study when it is made.

    Attributes:
        horizon: steps of a complete trial, None when unknown. A trial that has come this far is not pruned.
        seed: the study's seed.
    """

    horizon: int | None = None
    seed: int = 0


class Pruner(abc.ABC):
    """Stops weak trials."""

    @abc.abstractmethod
    def judge(self, view: View, number: int) -> Answer:
        """Say whether the trial that has just recorded a point goes on; a ``Prune`` says why not, and by which numbers.

        Args:
            view: the study, whose ``trials`` is one and the same list from call to call, changed in place.
            number: the trial's number.
        """

    def checks(self, horizon: int) -> Iterable[int]:
        """Steps before a trial's last after which it may stop it for what it is worth; all of them.

        There the suite's trainer adds where a run is heading (``Trial.outlook``), which costs as much as a score, in a
        study that records it and after the first tenth of a training.
        """
        return range(1, horizon)
