"""What a sampler is given and answers: it proposes recipes.

Each file defines ``make(context, *, option=default, ...) -> optuna.samplers.BaseSampler``. A sampler is made anew for
every draw, so what it proposes depends on nothing but the trials recorded so far, the study's seed and the trial's
number: a resumed search goes on exactly as an uninterrupted one. What a sampler works out from the recorded trials
it may keep for the next draw, as long as working it out anew would give the same.

A file may say what it needs from a study, as a literal tuple that is read without importing it::

    REQUIRES = ("finite",)      every knob is a choice, an int, or a range with a step
               ("number",)      at least one knob that is always active is a float or an int
               ("one goal",)    a single goal

Options are annotated with plain types. One annotated ``BaseSampler`` takes another sampler, written as in the study
file, ready made.

A file may also say what it does not promise, and the contract tests leave that out::

    DISCLAIMS = ("better than random",)    it draws without regard to what trials were worth

A proposal that was tried before is drawn again. A sampler that looks after this itself has the attribute ``untried``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hpo.search.terms.domain import Scalar
from hpo.search.terms.space import Space

TRIES = 2
"""How often a recipe may fail; then it is not tried again."""


@dataclass(frozen=True)
class SamplerContext:
    """What a sampler may know of the study when it is made for one draw.

    Attributes:
        space: what is searched.
        fixed: the other knobs, which conditions may refer to.
        seed: seed of this draw, derived from the study's seed, the trial's number and the attempt.
        study_seed: the study's seed, the same for all trials.
        number: the trial's number.
        directions: ``minimize`` or ``maximize``, one per goal.
        repeats: whether a recipe may be tried again.
        attempt: 0 for the trial's first draw; more where earlier draws had been tried before.
    """

    space: Space
    fixed: Mapping[str, Scalar]
    seed: int
    study_seed: int
    number: int
    directions: tuple[str, ...]
    repeats: bool = False
    attempt: int = 0
