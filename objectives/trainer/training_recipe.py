"""Every knob of a training run that the suite carries out, one typed dataclass; a study is ranges over its fields.

Each field's text says: what it does; [unit; neutral value where there is one; source]. All fields may differ between
the lanes of one cohort except those marked *own cohort*, whose values decide with whom a lane can share kernels.

Pure: no torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Literal

from hpo.objectives.trainer.field_values import values_of
from hpo.objectives.trainer.length import rows_of
from hpo.search.terms.errors import UserError
from hpo.search.terms.knobs import AT_LEAST_0, AT_LEAST_1, BELOW_1, FRACTION, INSIDE_1, POSITIVE, ClassWeights, Range

DECOUPLED = frozenset({"adamw", "lion", "muon"})
"""Optimizers under which weight decay is decoupled from the gradient."""
MUP_OPTIMIZERS = ("adam", "adamw", "lion", "muon")
"""Those whose steps do not grow with the gradient, so that one table of rates serves all (see networks/transformer)."""


@dataclass(frozen=True)
class TrainingRecipe:
    """How a model is trained; what is trained is the objective's own ``build`` and ``data``."""

    # --- how long, and how many samples a step ---------------------------------------------------------------------
    epochs: Annotated[int, AT_LEAST_1] = 20
    """Passes over the training part, each one point of the learning curve unless points go by steps. [epochs]"""

    patience: Annotated[int, AT_LEAST_0] = 0
    """Epochs without a lower validation loss after which training ends, keeping the best weights. [epochs; 0: never]"""

    max_steps: Annotated[int, AT_LEAST_0] = 0
    """Optimizer steps after which the run ends, within an epoch if need be, unless its epochs end before; schedules
    spread over whichever comes first. [steps; 0: epochs alone]"""

    max_tokens: Annotated[int, AT_LEAST_0] = 0
    """Tokens after which a run on text ends, as ``max_steps``: recipes of any batch and context see as much. [tokens;
    0: no limit]"""

    eval_every: Annotated[int, AT_LEAST_0] = 0
    """Optimizer steps between points of the curve, in place of epochs. [steps; 0: a point an epoch, and on text
    twenty points evenly over the run]"""

    batch_size: Annotated[int | Literal["auto"], AT_LEAST_1] = 32
    """Samples in one micro-batch; ``auto`` is the largest that fits the study's memory limit, and needs
    ``effective_batch``. [samples; *own cohort* through the size of its kernels, which is chosen from it]"""

    accumulation_steps: Annotated[int, AT_LEAST_1] = 1
    """Micro-batches whose gradients make one optimizer step; the effective batch is the product. [micro-batches; 1]"""

    effective_batch: Annotated[int, AT_LEAST_0] = 0
    """Samples of one optimizer step, in place of ``accumulation_steps``: as many micro-batches of at most
    ``batch_size`` as it takes, the last of them with what is left. [samples; 0: batch_size x accumulation_steps]"""

    tokens_per_step: Annotated[int, AT_LEAST_0] = 0
    """Tokens of one optimizer step on text, in place of ``effective_batch``, which becomes this over ``context``,
    rounded. [tokens; 0: effective_batch or accumulation_steps says]"""

    batch_schedule: Literal["fixed", "step", "linear", "noise"] = "fixed"
    """Growth of the effective batch over the epochs, by accumulation: none, doubling at even spaces, even growth, or
    doubling while the gradient noise scale measured in the run allows it (see ``growth``). [fixed; Smith et al. 2018;
    noise: McCandlish et al. 2018]"""

    batch_growth: Annotated[float, Range(1, 1e6)] = 4.0
    """The last epoch's effective batch relative to the first one's, unless ``batch_schedule`` is fixed; under noise
    the most it may become. [factor; 1]"""

    length_warmup: Annotated[float, BELOW_1] = 0.0
    """Share of the run on text in which sequences grow evenly to the whole ``context``, an eighth at first. [fraction;
    0; Li et al. 2022, arXiv 2108.06084]"""

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
    optimizer: Literal["sgd", "adam", "adamw", "rmsprop", "lion", "muon"] = "adamw"
    """Update rule. Muon trains the matrices between the first and the last one, AdamW the rest at ``adam_rate``.
    [SGD: Sutskever et al. 2013; Adam: Kingma and Ba 2015; AdamW: Loshchilov and Hutter 2019; RMSprop: Tieleman and
    Hinton 2012; Lion: Chen et al. 2023; Muon: Jordan et al. 2024]"""

    adam_rate: Annotated[float, POSITIVE] = 3e-4
    """Highest learning rate under Muon of what Muon leaves to AdamW; it follows the same course. [per step]"""

    momentum: Annotated[float, BELOW_1] = 0.9
    """Momentum of SGD; of Muon, always in Nesterov's form there, 0.95 in its reference. [fraction; 0]"""

    nesterov: bool = False
    """Nesterov's form of SGD's momentum. [false; Nesterov 1983 as in Sutskever et al. 2013]"""

    beta1: Annotated[float, BELOW_1] = 0.9
    """Decay of the mean of gradients in Adam, AdamW and Muon's AdamW; weight of the past in Lion's step. [fraction]"""

    beta2: Annotated[float, BELOW_1] = 0.999
    """Decay of the mean of squared gradients in Adam, AdamW and RMSprop; of the mean in Lion. [fraction]"""

    epsilon: Annotated[float, POSITIVE] = 1e-8
    """Added to the root of the mean square in Adam, AdamW and RMSprop. [gradient units]"""

    clip_norm: Annotated[float, AT_LEAST_0] = 0.0
    """Largest Euclidean norm of the gradient of one step; 0 is no limit. [gradient units; 0; Pascanu et al. 2013]"""

    precision: Literal["float32", "bfloat16"] = "float32"
    """Number format of multiplications in the forward and backward pass; weights stay float32. [*own cohort*]"""

    # --- what is trained, and how fast: for models that start from trained weights -----------------------------------
    freeze: Annotated[int, AT_LEAST_0] = 0
    """First blocks that keep the weights they start with; a block is a layer with matrices and what follows it, of a
    transformer the embeddings, then each of its blocks; the head is none. [blocks; 0; *own cohort*]"""

    layer_decay: Annotated[float, Range(0, 1, open_low=True)] = 1.0
    """Factor of the learning rate for each block from the head down. [factor; 1; Howard and Ruder 2018, Clark et al.
    2020]"""

    head_rate: Annotated[float, POSITIVE] = 1.0
    """Factor of the learning rate of the head, the last layer with weights. [factor; 1]"""

    lora_rank: Annotated[int, AT_LEAST_0] = 0
    """Rank of the products that are learnt beside the matrices, in their place; the head is trained whole. [rank; 0:
    the matrices themselves; Hu et al. 2021; *own cohort*]"""

    lora_alpha: Annotated[float, POSITIVE] = 16.0
    """Scale of these products times their rank. [factor; Hu et al. 2021; *own cohort*]"""

    # --- regularization --------------------------------------------------------------------------------------------
    weight_decay: Annotated[float, AT_LEAST_0] = 0.01
    """Decay of weight matrices, never of biases, normalization gains or embedding tables: decoupled (times learning
    rate) under AdamW, Lion and Muon, an L2 term of the gradient under SGD, Adam and RMSprop. [1/step; 0]"""

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

    class_weight: Literal["none", "balanced", "sqrt"] | ClassWeights = "none"
    """Weight of a sample's loss by its class: equal, inverse to the class's size, the root of that, or as said,
    ``{no: 1, yes: 10}``. [none]"""

    resample: Literal["none", "balanced"] = "none"
    """Draw each epoch's samples with replacement, all classes equally often. [none]"""

    focal_gamma: Annotated[float, AT_LEAST_0] = 0.0
    """Multiply a sample's cross-entropy by (1 - p)^gamma, p its class's probability. [exponent; 0; Lin et al. 2017]"""

    loss: Literal["auto", "mse", "huber", "mae"] = "auto"
    """What a regression minimizes; ``auto`` is mse, and cross-entropy for classes. [auto; *own cohort*]"""

    huber_delta: Annotated[float, POSITIVE] = 1.0
    """Error at which ``huber`` turns from square to linear. [standard deviations of the target]"""

    # --- how predictions are judged --------------------------------------------------------------------------------
    scoring: str = ""
    """Further metrics of the curve, by scikit-learn's names, or ``cost``, with commas between them; those of the
    study's goals are added. [none; *own cohort*]"""

    threshold: Annotated[
        float
        | Literal["tuned", "accuracy", "balanced_accuracy", "f1", "f1_macro", "jaccard", "matthews_corrcoef", "cost"],
        INSIDE_1,
    ] = 0.5
    """Probability from which on the second of two classes is predicted, or what it is tuned for on validation rows;
    ``tuned``: for costs or the goal. [probability; 0.5; *own cohort*]"""

    false_positive: Annotated[float, AT_LEAST_0] = 1.0
    """Cost of predicting the second of two classes for a row of the first. [any unit; 1; *own cohort*]"""

    false_negative: Annotated[float, AT_LEAST_0] = 1.0
    """Cost of predicting the first of two classes for a row of the second. [any unit; 1; *own cohort*]"""

    seed: int = 0
    """Seed of the initial weights, the order of samples and everything else random in the run."""

    def __post_init__(self) -> None:
        for name, values in values_of(type(self)).items():
            values.check(name, getattr(self, name))
        if self.nesterov and self.optimizer == "sgd" and self.momentum == 0:
            raise UserError("nesterov: true needs a momentum above 0")
        if self.weight_timescale and self.optimizer not in DECOUPLED:
            raise UserError(f"weight_timescale needs decoupled weight decay ({', '.join(sorted(DECOUPLED))})")
        self._check_batch()

    def _check_batch(self) -> None:
        """Refuse a batch that is said twice or not at all, and one whose noise cannot be measured."""
        if self.effective_batch and self.accumulation_steps != 1:
            raise UserError(
                f"effective_batch: {self.effective_batch} and accumulation_steps: {self.accumulation_steps} both say "
                "how many samples make a step: drop accumulation_steps, which follows from the other and batch_size"
            )
        if self.tokens_per_step and (self.effective_batch or self.accumulation_steps != 1):
            said = "effective_batch" if self.effective_batch else "accumulation_steps"
            raise UserError(
                f"tokens_per_step: {self.tokens_per_step} and {said}: {getattr(self, said)} both say how much makes a "
                f"step: drop {said}"
            )
        if self.batch_size == "auto" and not self.effective_batch and not self.tokens_per_step:
            raise UserError(
                "batch_size: auto chooses only how a step is cut, so the samples of a step must be said: "
                "add effective_batch, such as effective_batch: 128, or on text tokens_per_step"
            )
        if self.batch_schedule != "noise":
            return
        if self.first_batch == 1:
            raise UserError(
                "batch_schedule: noise compares samples within a step: let it begin with a batch of 2 or more"
            )
        if self.class_weight != "none":
            raise UserError(
                "batch_schedule: noise cannot measure under class_weight, which changes what a sample's gradient is: "
                "use resample: balanced, or another batch_schedule"
            )

    def on_text(self, context: int) -> TrainingRecipe:
        """The same with ``tokens_per_step`` as the samples of a step that it amounts to.

        >>> TrainingRecipe(tokens_per_step=1000).on_text(context=64).effective_batch
        16
        """
        if not self.tokens_per_step:
            return self
        return replace(self, effective_batch=rows_of(self.tokens_per_step, context), tokens_per_step=0)

    @property
    def first_batch(self) -> int:
        """Samples of one optimizer step in the first epoch: the effective batch before it grows."""
        return self.step_samples(1.0)

    def step_samples(self, factor: float) -> int:
        """Samples of one optimizer step when the effective batch has grown by a factor.

        >>> TrainingRecipe(batch_size=8, accumulation_steps=3).step_samples(1.5)
        32
        >>> TrainingRecipe(batch_size="auto", effective_batch=100).step_samples(1.5)
        150
        """
        if self.batch_size == "auto" or self.effective_batch:
            return round(self.effective_batch * factor)
        return self.batch_size * round(self.accumulation_steps * factor)

    def growth(self, epoch: int, epochs: int) -> float:
        """Factor on the effective batch that the schedule asks for in an epoch of a run of so many, counted from 0.

        It is 1 under ``noise``, where a lane's own measurements decide.

        >>> recipe = TrainingRecipe(batch_schedule="step", batch_growth=4)
        >>> [recipe.growth(epoch, 5) for epoch in range(5)]
        [1.0, 1.0, 2.0, 2.0, 4.0]
        """
        if self.batch_schedule == "linear":
            return 1 + (self.batch_growth - 1) * epoch / max(1, epochs - 1)
        if self.batch_schedule == "step":
            doublings = math.log2(self.batch_growth)
            return float(2 ** min(doublings, math.floor(epoch / epochs * (math.floor(doublings) + 1))))
        return 1.0

    @property
    def peak_rate(self) -> float:
        """Highest learning rate, with the coupling to the (first) effective batch."""
        ratio = self.first_batch / self.reference_batch
        return self.learning_rate * {"none": 1.0, "sqrt": math.sqrt(ratio), "linear": ratio}[self.coupling]

    @property
    def adam_share(self) -> float:
        """Learning rate of what Muon leaves to AdamW, relative to Muon's."""
        return self.adam_rate / self.learning_rate

    def decay_of(self, samples: int) -> float:
        """Weight decay for this many training samples (Wang and Aitchison 2025, section 3)."""
        if not self.weight_timescale:
            return self.weight_decay
        return self.first_batch / (self.peak_rate * samples * self.weight_timescale)

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
        whole = {name for name, values in values_of(cls).items() if values.number is int}
        chosen = {name: knobs[name] for name in cls.names() & set(knobs)}
        for name, value in chosen.items():
            if name in whole and isinstance(value, float) and value.is_integer():
                chosen[name] = int(value)
        return cls(**chosen)
