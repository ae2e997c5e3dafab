"""Train many trials as one batched model; a single trial is a cohort of one.

::

    recipe            every knob of a training run, one typed dataclass
    schedules         learning rate as a function of the optimizer step
    layers, network   a model described once, run for all lanes at a time
    gradients         its backward pass, written out where that is faster than autograd
    module            the same for any torch.nn.Module, through torch.func
    order, noise      which samples and which dropout masks a lane sees, from its own seed
    feed              the samples of each tick, gathered ahead
    losses, penalties, optimizers   what one optimizer step does to each lane
    lane, cohort      a trial's state; several of them advanced together by an epoch
    problem           binds an objective file, its data and a recipe
    alone             one trial as an iterator over its learning curve

Nothing here knows of studies, samplers or stores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo.search.threads import REPRODUCIBLE, set_environment

if TYPE_CHECKING:
    from hpo.search.cohort.alone import Fitted, train_alone

set_environment(REPRODUCIBLE)  # before torch first multiplies

__all__ = ["Fitted", "train_alone"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from hpo.search.cohort import alone

        return getattr(alone, name)
    raise AttributeError(f"module 'hpo.search.cohort' has no attribute {name!r}")
