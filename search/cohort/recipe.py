"""Every knob of a training run that the suite carries out, one typed dataclass; a study is ranges over its fields.

Each field's text says: what it does; [unit; neutral value where there is one; source]. All fields may differ between
the lanes of one cohort except those marked *own cohort*, whose values decide with whom a lane can share kernels.

Pure: no torch.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, Literal

from hpo.search.errors import UserError
from hpo.search.objective.knobs import Range

POSITIVE = Range(0, open_low=True)
AT_LEAST_0 = Range(0)
AT_LEAST_1 = Range(1)
FRACTION = Range(0, 1)
BELOW_1 = Range(0, 1, open_high=True)

DECOUPLED = frozenset({"adamw", "lion"})
"""Optimizers under which weight decay is decoupled from the gradient."""


@dataclass(frozen=True)
class TrainingRecipe:
    """How a model is trained; what is trained is the objective's own ``build`` and ``data``."""

    # --- how long, and how many samples a step ---------------------------------------------------------------------
    epochs: Annotated[int, AT_LEAST_1] = 20
    """Passes over the training part, each one point of the learning curve. [epochs]"""

    patience: Annotated[int, AT_LEAST_0] = 0
    """Epochs without a lower validation loss after which training ends, keeping the best weights. [epochs; 0: never]"""

    batch_size: Annotated[int, AT_LEAST_1] = 32
    """Samples in one micro-batch. [samples; *own cohort* through the size of its kernels, which is chosen from it]"""

    accumulation_steps: Annotated[int, AT_LEAST_1] = 1
    """Micro-batches whose gradients make one optimizer step; the effective batch is the product. [micro-batches; 1]"""

    batch_schedule: Literal["fixed", "step", "linear"] = "fixed"
    """Growth of the effective batch over the epochs, by accumulation: none, doubling at even spaces, or even growth.
    [fixed; Smith et al. 2018]"""

    batch_growth: Annotated[float, AT_LEAST_1] = 4.0
    """The last epoch's effective batch relative to the first one's, unless ``batch_schedule`` is fixed. [factor; 1]"""

    # --- learning rate ---------------------------------------------------------------------------------------------
    learning_rate: Annotated[float, POSITIVE] = 3e-3
    """Highest learning rate of the run, reached after the warm-up. [per step]"""

    coupling: Literal["none", "sqrt", "linear"] = "none"
    """Multiply the rate by this power of effective batch / ``reference_batch``: square root suits Adam, linear SGD.
    [none; Goyal et al. 2017, Malladi et al. 2022]"""

    reference_batch: Annotated[int, AT_LEAST_1] = 32
    """Effective batch at which ``learning_rate`` is meant, unless ``coupling`` is none. [samples]"""

    schedule: Literal["constant", "step", "exponential", "linear", "cosine", "polynomial", "one-cycle", "wsd"] = (
        "cosine"
    )
    """Course of the learning rate after the warm-up, over optimizer steps. [constant; see ``schedules``]"""

    warmup: Annotated[float, BELOW_1] = 0.0
    """Share of all optimizer steps in which the rate rises linearly from near zero. [fraction; 0; Goyal et al. 2017]"""

    floor: Annotated[float, FRACTION] = 0.0
    """The rate never falls below this share of ``learning_rate`` after the warm-up. [fraction; 0]"""

    decay: Annotated[float, Range(0, 1, open_low=True)] = 0.1
    """Factor of each drop of ``step``, and of the whole run under ``exponential``. [factor; 1]"""

    drops: Annotated[int, AT_LEAST_1] = 2
    """Drops of ``step``, evenly spaced over the run. [count]"""

    power: Annotated[float, POSITIVE] = 2.0
    """Exponent of ``polynomial``; 1 is ``linear``. [exponent]"""

    cooldown: Annotated[float, FRACTION] = 0.2
    """Share of the steps after the warm-up in which ``wsd`` falls to the floor. [fraction; 0; Hu et al. 2024]"""

    # --- optimizer -------------------------------------------------------------------------------------------------
    optimizer: Literal["sgd", "adam", "adamw", "rmsprop", "lion"] = "adamw"
    """Update rule. [SGD: Sutskever et al. 2013; Adam: Kingma and Ba 2015; AdamW: Loshchilov and Hutter 2019;
    RMSprop: Tieleman and Hinton 2012; Lion: Chen et al. 2023]"""

    momentum: Annotated[float, BELOW_1] = 0.9
    """Momentum of SGD. [fraction; 0]"""

    nesterov: bool = False
    """Nesterov's form of SGD's momentum. [false; Nesterov 1983 as in Sutskever et al. 2013]"""

    beta1: Annotated[float, BELOW_1] = 0.9
    """Decay of the mean of gradients in Adam and AdamW; weight of the past in Lion's step. [fraction]"""

    beta2: Annotated[float, BELOW_1] = 0.999
    """Decay of the mean of squared gradients in Adam, AdamW and RMSprop; of the mean in Lion. [fraction]"""

    epsilon: Annotated[float, POSITIVE] = 1e-8
    """Added to the root of the mean square in Adam, AdamW and RMSprop. [gradient units]"""

    clip_norm: Annotated[float, AT_LEAST_0] = 0.0
    """Largest Euclidean norm of the gradient of one step; 0 is no limit. [gradient units; 0; Pascanu et al. 2013]"""

    precision: Literal["float32", "bfloat16"] = "float32"
    """Number format of multiplications in the forward and backward pass; weights stay float32. [*own cohort*]"""

    # --- regularization --------------------------------------------------------------------------------------------
    weight_decay: Annotated[float, AT_LEAST_0] = 0.01
    """Decay of weight matrices, never of biases and normalization gains: decoupled (times the learning rate) under
    AdamW and Lion, an L2 term of the gradient under SGD, Adam and RMSprop. [1/step; 0]"""

    weight_timescale: Annotated[float, AT_LEAST_0] = 0.0
    """Epochs over which decoupled weight decay forgets, in place of ``weight_decay``, which is then effective batch /
    (learning_rate x training samples x timescale). [epochs; 0: use weight_decay; Wang and Aitchison 2025]"""

    l1: Annotated[float, AT_LEAST_0] = 0.0
    """Soft-thresholding of weight matrices by learning rate x l1 after each step, so that weights become exactly 0.
    [1/step; 0; proximal gradient, Parikh and Boyd 2014]"""

    label_smoothing: Annotated[float, BELOW_1] = 0.0
    """Share of the wanted probability that is spread over all classes. [fraction; 0; Szegedy et al. 2016]"""

    label_noise: Annotated[float, FRACTION] = 0.0
    """Share of training samples that carry the target of another, random sample throughout the run. [fraction; 0]"""

    input_noise: Annotated[float, AT_LEAST_0] = 0.0
    """Standard deviation of Gaussian noise on each input, new in every epoch. [input units; 0; Bishop 1995]"""

    gradient_noise: Annotated[float, AT_LEAST_0] = 0.0
    """Standard deviation at the first step of Gaussian noise on the clipped gradient; at step t it is divided by
    (1 + t)^0.275. [gradient units; 0; Neelakantan et al. 2015]"""

    mixup: Annotated[float, AT_LEAST_0] = 0.0
    """Mix each sample, inputs and targets, with a random one, in proportions drawn from Beta(mixup, mixup). [shape of
    the distribution; 0; Zhang et al. 2018]"""

    average: Literal["none", "ema", "swa"] = "none"
    """Score and keep averaged weights: exponentially over steps, or evenly over the epochs after ``average_start``.
    [none; EMA: Polyak and Juditsky 1992; SWA: Izmailov et al. 2018]"""

    average_decay: Annotated[float, BELOW_1] = 0.99
    """Decay of the exponential average per optimizer step. [fraction; 0]"""

    average_start: Annotated[float, BELOW_1] = 0.75
    """Share of the epochs before SWA begins. [fraction]"""

    # --- data ------------------------------------------------------------------------------------------------------
    feature_masking: Annotated[float, BELOW_1] = 0.0
    """Share of inputs set to 0, the mean of standardized data, anew each epoch. [fraction; 0; Vincent et al. 2008]"""

    shift: Annotated[float, FRACTION] = 0.0
    """Images move by up to this share of their height and width, at random. [fraction; 0]"""

    rotation: Annotated[float, Range(0, 180)] = 0.0
    """Images turn by up to this angle, at random. [degrees; 0]"""

    flip: Annotated[float, FRACTION] = 0.0
    """Probability that an image is mirrored left to right; wrong for digits and letters. [fraction; 0]"""

    cutout: Annotated[float, FRACTION] = 0.0
    """Side of a square set to 0 at a random place, relative to the image's. [fraction; 0; DeVries and Taylor 2017]"""

    class_weight: Literal["none", "balanced", "sqrt"] = "none"
    """Weight of a sample's loss by its class: equal, inverse to the class's size, or the root of that. [none]"""

    resample: Literal["none", "balanced"] = "none"
    """Draw each epoch's samples with replacement, all classes equally often. [none]"""

    focal_gamma: Annotated[float, AT_LEAST_0] = 0.0
    """Multiply a sample's cross-entropy by (1 - p)^gamma, p its class's probability. [exponent; 0; Lin et al. 2017]"""

    loss: Literal["auto", "mse", "huber", "mae"] = "auto"
    """What a regression minimizes; ``auto`` is mse, and cross-entropy for classes. [auto; *own cohort*]"""

    huber_delta: Annotated[float, POSITIVE] = 1.0
    """Error at which ``huber`` turns from square to linear. [standard deviations of the target]"""

    seed: int = 0
    """Seed of the initial weights, the order of samples and everything else random in the run."""

    def __post_init__(self) -> None:
        for name, (limits, options) in _limits().items():
            value = getattr(self, name)
            if options and value not in options:
                raise UserError(f"{name}: {value!r} is not one of {', '.join(map(str, options))}")
            if limits is not None and (not isinstance(value, (int, float)) or value not in limits):
                raise UserError(f"{name} must be {limits}, got {value!r}")
        if self.nesterov and self.optimizer == "sgd" and self.momentum == 0:
            raise UserError("nesterov: true needs a momentum above 0")
        if self.weight_timescale and self.optimizer not in DECOUPLED:
            raise UserError(f"weight_timescale needs decoupled weight decay ({', '.join(sorted(DECOUPLED))})")

    def accumulation(self, epoch: int) -> int:
        """Micro-batches per optimizer step in an epoch, counted from 0.

        >>> recipe = TrainingRecipe(epochs=5, batch_schedule="step", batch_growth=4)
        >>> [recipe.accumulation(epoch) for epoch in range(5)]
        [1, 1, 2, 2, 4]
        """
        done = epoch / max(1, self.epochs - 1)
        factor = 1.0
        if self.batch_schedule == "linear":
            factor += (self.batch_growth - 1) * done
        elif self.batch_schedule == "step":
            doublings = math.log2(self.batch_growth)
            factor = 2 ** min(doublings, math.floor(epoch / self.epochs * (math.floor(doublings) + 1)))
        return max(1, round(self.accumulation_steps * factor))

    @property
    def peak_rate(self) -> float:
        """Highest learning rate, with the coupling to the (first) effective batch."""
        ratio = self.batch_size * self.accumulation_steps / self.reference_batch
        return self.learning_rate * {"none": 1.0, "sqrt": math.sqrt(ratio), "linear": ratio}[self.coupling]

    def decay_of(self, samples: int) -> float:
        """Weight decay for this many training samples (Wang and Aitchison 2025, section 3)."""
        if not self.weight_timescale:
            return self.weight_decay
        return self.batch_size * self.accumulation_steps / (self.peak_rate * samples * self.weight_timescale)

    @classmethod
    def names(cls) -> frozenset[str]:
        """Names of all knobs of training."""
        return frozenset(item.name for item in fields(cls))

    @classmethod
    def take(cls, knobs: Mapping[str, Any]) -> TrainingRecipe:
        """Pick the training knobs out of a trial's recipe; absent ones keep their defaults.

        Raises:
            UserError: a value is outside its range.

        >>> TrainingRecipe.take({"learning_rate": 0.1, "width": 64}).learning_rate
        0.1
        """
        numbers = _numbers()
        chosen = {}
        for name in cls.names() & set(knobs):
            value = knobs[name]
            if name in numbers and isinstance(value, float) and value.is_integer() and numbers[name] is int:
                value = int(value)
            elif name in numbers and (isinstance(value, bool) or not isinstance(value, (int, numbers[name]))):
                raise UserError(f"{name}: {value!r} is not {'a whole number' if numbers[name] is int else 'a number'}")
            chosen[name] = value
        return cls(**chosen)


@cache
def _limits() -> dict[str, tuple[Range | None, tuple[Any, ...]]]:
    found: dict[str, tuple[Range | None, tuple[Any, ...]]] = {}
    for name, hint in typing.get_type_hints(TrainingRecipe, include_extras=True).items():
        if typing.get_origin(hint) is Annotated:
            found[name] = (hint.__metadata__[0], ())
        elif typing.get_origin(hint) is Literal:
            found[name] = (None, typing.get_args(hint))
    return found


@cache
def _numbers() -> dict[str, type[int] | type[float]]:
    hints = typing.get_type_hints(TrainingRecipe)
    return {name: hint for name, hint in hints.items() if hint in (int, float)}
