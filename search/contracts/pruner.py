"""What a pruner is given and answers: it stops weak trials early.

Each file defines ``make(context, *, option=default, ...) -> optuna.pruners.BasePruner``. A pruner looks at the curve
of one trial after every point and at the curves of the others, in memory; it decides by these curves alone and keeps
nothing that cannot be worked out from them, so a resumed search prunes as an uninterrupted one. Steps are counted
from 1. With several goals it is shown the curves of one of them.

A file may say what it needs from a study, as a literal tuple that is read without importing it::

    REQUIRES = ("one goal",)    with several goals the study must say which one to prune by

Options are annotated with plain types. One annotated ``BasePruner`` takes another pruner, written as in the study
file, ready made. After a decision to stop a trial ``pruner.reason`` says why in words and ``pruner.evidence`` in
numbers.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PrunerContext:
    """What a pruner may know of the study.

    Attributes:
        directions: ``minimize`` or ``maximize``, one per goal that it is shown.
        horizon: steps of a complete trial, None when unknown. A trial that has come this far is not pruned.
        seed: the study's seed.
        study_name: the study's name.
    """

    directions: tuple[str, ...]
    horizon: int | None
    seed: int
    study_name: str
