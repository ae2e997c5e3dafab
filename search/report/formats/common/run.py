"""The run that a recipe means: its step, length, rates and settings in plain numbers, whatever tool carries it out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hpo.search.describe.objective import Objective
from hpo.search.describe.size import defaults as defaults_of
from hpo.search.report.formats.common.share import Share, roomier, share
from hpo.search.terms import registry
from hpo.search.terms.errors import UserError
from hpo.search.terms.knobs import says_length

NEUTRAL: Mapping[str, Any] = {
    "patience": 0, "max_steps": 0, "max_tokens": 0, "eval_every": 0, "accumulation_steps": 1, "effective_batch": 0,
    "tokens_per_step": 0, "batch_schedule": "fixed", "length_warmup": 0.0, "coupling": "none", "schedule": "constant",
    "warmup": 0.0, "floor": 0.0, "nesterov": False, "momentum": 0.0, "clip_norm": 0.0, "precision": "float32",
    "weight_decay": 0.0, "weight_timescale": 0.0, "l1": 0.0, "label_smoothing": 0.0, "label_noise": 0.0,
    "input_noise": 0.0, "gradient_noise": 0.0, "mixup": 0.0, "average": "none", "feature_masking": 0.0, "shift": 0.0,
    "rotation": 0.0, "flip": 0.0, "cutout": 0.0, "class_weight": "none", "resample": "none", "focal_gamma": 0.0,
    "loss": "auto", "dropout": 0.0, "parametrization": "standard", "checkpoint_activations": False,
    "scoring": "", "threshold": 0.5, "false_positive": 1.0, "false_negative": 1.0,
}  # fmt: skip
"""Values under which a knob changes nothing."""

_ONLY_UNDER: Mapping[str, tuple[str, tuple[Any, ...]]] = {
    "batch_growth": ("batch_schedule", ("step", "linear", "noise")),
    "reference_batch": ("coupling", ("sqrt", "linear")),
    "decay": ("schedule", ("step", "exponential")),
    "drops": ("schedule", ("step",)),
    "power": ("schedule", ("polynomial",)),
    "cooldown": ("schedule", ("wsd",)),
    "adam_rate": ("optimizer", ("muon",)),
    "momentum": ("optimizer", ("sgd", "muon")),
    "nesterov": ("optimizer", ("sgd",)),
    "beta1": ("optimizer", ("adam", "adamw", "lion", "muon")),
    "beta2": ("optimizer", ("adam", "adamw", "rmsprop", "lion", "muon")),
    "epsilon": ("optimizer", ("adam", "adamw", "rmsprop", "muon")),
    "average_decay": ("average", ("ema",)),
    "average_start": ("average", ("swa",)),
    "huber_delta": ("loss", ("huber",)),
    "base_width": ("parametrization", ("mup",)),
    "base_depth": ("parametrization", ("mup",)),
    "vocabulary": ("tokenizer", ("bpe", None)),
}
"""Knobs that are in force under some values of another knob only."""

_GIVEN = ("data", "split_seed", "checkpoint")
"""Parameters of objectives that are no knobs of a recipe."""


@dataclass(frozen=True)
class Run:
    """One recipe on so many devices.

    Attributes:
        title: what it is, for the first line of a file: study, objective and trial.
        name: of the study.
        label: of the objective.
        language: ``causal`` or ``masked`` for language models, empty for anything else.
        knobs: every knob with its value, those that the recipe leaves to their defaults included.
        docs: one line on each knob, where the objective's source has one.
        unset: training knobs that an objective of the user's does not have, or not in the suite's meaning.
        training: the suite's own reading of the knobs of training (``TrainingRecipe``).
        share: how an optimizer step is cut.
        micro: most samples of a micro-batch that the recipe allows.
        context: tokens of a sample; 0 where samples are no text.
        steps: optimizer steps of the run; None where epochs decide and the data's size is not known.
        samples: training samples of the large run; None where it is not known.
    """

    title: str
    name: str
    label: str
    language: str
    knobs: Mapping[str, Any]
    training: Any
    share: Share
    micro: int
    context: int = 0
    steps: int | None = None
    samples: int | None = None
    docs: Mapping[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()

    @property
    def warmup(self) -> int:
        """Optimizer steps of the warm-up; 0 where the number of steps is not known."""
        return round(self.training.warmup * self.steps) if self.steps else 0

    @property
    def peak(self) -> float:
        """Highest learning rate, with the coupling to the recipe's batch."""
        return float(self.training.peak_rate)

    @property
    def least(self) -> float:
        """Lowest learning rate after the warm-up."""
        return float(self.training.floor) * self.peak

    @property
    def adam_peak(self) -> float:
        """Highest learning rate of what Muon leaves to AdamW."""
        return self.peak * float(self.training.adam_share)

    @cached_property
    def weight_decay(self) -> float:
        """Weight decay, from its timescale where the recipe has one.

        Raises:
            UserError: the timescale is in epochs and the size of the data is not known.
        """
        if self.training.weight_timescale and self.samples is None:
            raise UserError(
                "weight_timescale counts epochs over the training part, so the weight decay follows from its size: "
                "give --samples N, the training samples of the large run"
            )
        return float(self.training.decay_of(self.samples or 1))

    @property
    def epochs(self) -> int:
        """Passes over the data that the recipe asks for, where steps do not decide."""
        return int(self.training.epochs)

    @property
    def tokens(self) -> int:
        """Tokens of one optimizer step as it is cut; 0 where samples are no text."""
        return self.share.effective * self.context

    @property
    def evaluate(self) -> int:
        """Optimizer steps between evaluations; 0 where epochs are the points of the curve."""
        if every := int(self.knobs.get("eval_every") or 0):
            return every
        return max(1, round(self.steps / 20)) if self.language and self.steps else 0

    def need_steps(self, why: str) -> int:
        """The number of optimizer steps.

        Raises:
            UserError: it is not known; ``why`` says what needs it.
        """
        if self.steps is None:
            raise UserError(
                f"{why}, and this recipe goes by {self.epochs} epochs: give --samples N, the training samples of the "
                "large run, or set max_steps in the study"
            )
        return self.steps

    def in_force(self, knob: str) -> bool:
        """Whether a knob changes anything under this recipe."""
        if knob in _ONLY_UNDER:
            other, values = _ONLY_UNDER[knob]
            if self.knobs.get(other, NEUTRAL.get(other)) not in values:
                return False
        return knob not in NEUTRAL or self.knobs[knob] != NEUTRAL[knob]

    def about(self, knob: str) -> str:
        """What a knob does, in one sentence without its unit and sources."""
        return re.sub(r"\s*\[[^\]]*\]?$", "", self.docs.get(knob, "").replace("``", ""))

    @property
    def facts(self) -> list[str]:
        """What the head of every file says of the step and the length of the run."""
        cut = self.share
        found = [
            f"a step: {cut.effective} samples = {cut.per_device} on a device x {cut.devices} x {cut.accumulation} "
            "accumulated" + (f"; {cut.effective} x {self.context} = {self.tokens} tokens" if self.context else "")
        ]
        if cut.difference:
            found.append(
                f"the recipe's step has {cut.wanted} samples, which {cut.devices} devices do not divide: this one has "
                f"{abs(cut.difference)} {'more' if cut.difference > 0 else 'less'} "
                f"({cut.difference / cut.wanted:+.1%}); rates and decay are the recipe's"
            )
        if (more := roomier(cut, self.micro)) and more != cut.effective:
            found.append(
                f"a micro-batch of {cut.per_device} is what divides it; a step of {more} samples would take "
                f"{self.micro} on a device"
            )
        if self.steps:
            found.append(f"{self.steps} optimizer steps, {self.warmup} of them warm-up")
        else:
            found.append(
                f"{self.epochs} epochs; their optimizer steps follow from the data's size (--samples N writes them)"
            )
        if self.training.batch_schedule != "fixed":
            found.append("the recipe's batch grows from this one; steps are counted as if it did not")
        if self.unset:
            found.append(
                f"{self.label} trains by itself, and its knobs do not say: {', '.join(self.unset)}; what is written of "
                "these is neutral, so put in what your code does"
            )
        return found


def run_of(
    objective: Objective,
    recipe: Mapping[str, Any],
    *,
    tool: str,
    title: str,
    name: str,
    devices: int = 1,
    samples: int | None = None,
    micro: int | None = None,
) -> Run:
    """Read a recipe.

    Args:
        objective: what it trains.
        recipe: knob values; the others have the defaults of the objective's source.
        tool: in which it is to run, for messages.
        title: of the file.
        name: of the study.
        devices: data-parallel devices.
        samples: training samples of the large run.
        micro: micro-batch that the suite found under ``batch_size: auto``.

    Raises:
        UserError: the recipe is not one of training by optimizer steps, or does not say what the tool must know.
    """
    if objective.kind == "builtin" and not objective.trained_by_suite:
        raise UserError(
            f"{objective.label} fits estimators without optimizer steps, so there is nothing for {tool} to train: "
            "carry the recipe over with hpo export --output FILE.yaml and hpo train"
        )
    signature = objective.signature.knobs
    defaults = defaults_of(objective)
    if objective.trained_by_suite and says_length(recipe):
        defaults["max_steps"] = 0
    knobs = {key: value for key, value in {**defaults, **recipe}.items() if key not in _GIVEN}
    docs = {key: signature[key].doc for key in knobs if key in signature}
    language = _language(objective, knobs)
    context = int(knobs.get("context") or 0) if language else 0
    if language and not context:
        raise UserError(f"{objective.label} has no knob context, so the tokens of a sample are not known")
    training, unset = _training(objective, knobs, context, tool)
    wanted = training.first_batch
    size = knobs["batch_size"]
    most = min(wanted, (micro or wanted) if size == "auto" else int(size))
    return Run(
        title=title,
        name=name,
        label=objective.label,
        language=language,
        knobs=knobs,
        training=training,
        share=share(wanted, most, devices),
        micro=most,
        context=context,
        steps=_steps(training, knobs, context, samples),
        samples=samples,
        docs=docs,
        unset=unset,
    )


def _language(objective: Objective, knobs: Mapping[str, Any]) -> str:
    """The kind of language model: as the objective says, and of the user's own also by their knob ``context``."""
    if objective.language or objective.kind == "builtin":
        return objective.language
    return "causal" if isinstance(knobs.get("context"), int) else ""


def _training(objective: Objective, knobs: Mapping[str, Any], context: int, tool: str) -> tuple[Any, tuple[str, ...]]:
    """The knobs of training as the suite reads them; those that the objective does not have, neutral."""
    recipe_class = registry.part("trainer").TrainingRecipe
    tokens = knobs.get("tokens_per_step")
    said = dict(knobs)
    if tokens and context:
        said |= {"effective_batch": max(1, round(tokens / context)), "tokens_per_step": 0, "accumulation_steps": 1}
    if objective.trained_by_suite:
        return recipe_class.take(said), ()
    for name in ("learning_rate", "batch_size"):
        if name not in knobs:
            raise UserError(
                f"{objective.label} has no knob {name}, without which nothing can be written for {tool}: call it so in "
                "your objective"
            )
    known = {name: value for name, value in NEUTRAL.items() if name in recipe_class.names()}
    rule = said.get("optimizer")
    often = (
        *_OFTEN,
        *(["momentum"] if rule in ("sgd", "muon") else []),
        *([] if said.get("max_steps") else ["epochs"]),
    )
    unset = [name for name in often if name not in said]
    for name in sorted(recipe_class.names() & set(said)):
        try:
            recipe_class.take({**known, name: said[name]})
        except UserError:  # a knob of the same name and of another meaning
            unset.append(f"{name} ({said[name]})")
        else:
            known[name] = said[name]
    return recipe_class.take(known), tuple(unset)


_OFTEN = ("optimizer", "schedule", "warmup", "weight_decay", "clip_norm")
"""Knobs of nearly every training, whose absence is worth a word."""


def _steps(training: Any, knobs: Mapping[str, Any], context: int, samples: int | None) -> int | None:
    """Optimizer steps of the run, by whichever of its ends is known and comes first."""
    batch, tokens = training.first_batch, int(knobs.get("max_tokens") or 0)
    if samples is not None:
        across = context or training.eval_every or training.max_tokens  # steps go on from one pass into the next
        samples = training.epochs * (samples if across else -(-samples // batch) * batch)
    steps: int | None = registry.part("trainer").steps_of(
        batch, max_steps=training.max_steps, max_tokens=tokens, context=context, samples=samples
    )
    return steps
