"""Bind an objective file to data and a recipe: which knob goes where, and what comes out as a trial to train."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from hpo.objectives.data.class_weights import numbered
from hpo.objectives.data.judge import judge_of
from hpo.objectives.networks.layers import Sequential, Stack
from hpo.objectives.networks.module import ModuleNetwork
from hpo.objectives.networks.network import Network, Shape
from hpo.objectives.trainer import memory
from hpo.objectives.trainer.fine_tuning import tuned
from hpo.objectives.trainer.heap import keep_freed_memory
from hpo.objectives.trainer.ranks import Ranks
from hpo.objectives.trainer.setup import Setup
from hpo.objectives.trainer.start import start, weights_of
from hpo.objectives.trainer.tensors import Data, Splits
from hpo.objectives.trainer.training_recipe import MUP_OPTIMIZERS, TrainingRecipe
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Task
from hpo.search.terms.knobs import says_length
from hpo.search.terms.recipe import derive_seed

_ABSENT = object()
_LOADED = 32  # data sets held for further trials


class Knobs(Mapping[str, Any]):
    """A recipe as an objective sees it: ``recipe["width"]`` and ``recipe.width``; ``read`` tells what it looked at."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)
        self.read: dict[str, Any] = {}
        self.read_all = False

    def __getitem__(self, name: str) -> Any:
        self.read[name] = self._values.get(name, _ABSENT)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        self.read_all = True
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the recipe has no knob {name!r}") from None


class Problem:
    """An objective's module and the study's data; makes trials from recipes.

    Attributes:
        module: the objective's.
    """

    def __init__(self, module: ModuleType, task: Task) -> None:
        self.module = module
        self._task = task
        self.ranks = Ranks.of(task)
        self.device = self.ranks.device(device(task.device))
        self._data: list[tuple[dict[str, Any], Data]] = []
        self._alone: dict[Hashable, str] = {}
        self._capacities: dict[Hashable, int] = {}

    def setup(self, knobs: Mapping[str, Any]) -> Setup:
        """Build the model and find the data of a recipe.

        Raises:
            UserError: a knob is outside its range, or nobody takes it.
            DataError: the data cannot be trained on.
        """
        self._check(knobs)
        knobs = {**self._defaults(knobs), **knobs}
        recipe = TrainingRecipe.take(knobs)
        filled = {**knobs, "data": self._task.data, "split_seed": self._task.split_seed, "seed": recipe.seed}
        data = self._load(filled)
        _fits(recipe, data)
        _judged(recipe, data, self._task.metric)
        if recipe.class_weight != "none":
            by_number = numbered(recipe.class_weight, data.splits.labels, data.number)
            recipe = dataclasses.replace(recipe, class_weight=by_number)
        recipe = recipe.on_text(data.context) if data.context else recipe
        network = self._network(filled, data, recipe)
        _suits(recipe, network)
        setup = Setup(
            recipe,
            network,
            data,
            getattr(self.module, "loss", None),
            dict(knobs),
            self.ranks,
            task=self._task,
            record="statistics" in self._task.record,
        )
        if recipe.batch_size != "auto":
            return setup
        return dataclasses.replace(setup, capacity=self._capacity(setup, filled))

    def _defaults(self, knobs: Mapping[str, Any]) -> dict[str, Any]:
        """What the objective's file says of the trainer's knobs, but for the run's length where the recipe says it."""
        own = dict(getattr(self.module, "DEFAULTS", {}))
        if says_length(knobs):
            own.pop("max_steps", None)
        return own

    def _capacity(self, setup: Setup, filled: Mapping[str, Any]) -> int:
        """Most samples of a micro-batch; counted once for trials that take the same memory."""
        recipe = tuple(value if isinstance(value, str) else bool(value) for value in vars(setup.recipe).values())
        key = (setup.network.key, setup.key, any(setup.network.rates), recipe)
        if key not in self._capacities:
            limit = self._task.memory_limit or memory.default_limit(self.device)
            spare = dataclasses.replace(setup, network=self._network(filled, setup.data, setup.recipe), ranks=Ranks())
            self._capacities[key] = memory.largest(spare, limit)
        return self._capacities[key]

    def _load(self, filled: Mapping[str, Any]) -> Data:
        """The data of a recipe; the same object for recipes that agree on every knob that ``data`` reads."""
        for read, data in self._data:
            if all(filled.get(name, _ABSENT) == value for name, value in read.items()):
                return data
        found, read = call(self.module.data, filled)
        # where every trial has data of its own, old data must not pile up; a lane keeps what it trains on
        ready = found.on(self.device) if hasattr(found, "on") else Splits.of(found).on(self.device)
        self._data = [*self._data[1 - _LOADED :], (read, ready)]
        return self._data[-1][1]

    def _network(self, filled: Mapping[str, Any], data: Data, recipe: TrainingRecipe) -> Network:
        shapes = Shapes(data.shape, data.output_shape, data.symbols, data.documents)
        network = network_of(self.module, filled, shapes, data.sample, self._alone)
        if self._task.start_from is not None:
            start(network, self._start, Path(self._task.start_from))
        return tuned(network, recipe)

    @cached_property
    def _start(self) -> Mapping[str, Tensor]:
        """Weights that trials start from."""
        assert self._task.start_from is not None
        return weights_of(Path(self._task.start_from))

    def _check(self, knobs: Mapping[str, Any]) -> None:
        taken, open_ended = set(TrainingRecipe.names()), False
        for function in (self.module.build, self.module.data):
            names, takes_all = _arguments(function, knobs)
            taken |= set(names)
            open_ended |= takes_all
        left = sorted(set(knobs) - taken)
        if left and not open_ended:
            raise UserError(f"neither the trainer nor {self.module.__name__} takes {', '.join(left)}")


@dataclasses.dataclass(frozen=True)
class Shapes:
    """What a network is bound to.

    Attributes:
        inputs: shape of a sample.
        outputs: of what it gives for one.
        symbols: number of symbols where inputs are whole numbers; 0 where they are real numbers.
        documents: whether a sample is symbols and the number of the document that each belongs to.
    """

    inputs: Shape
    outputs: Shape
    symbols: int = 0
    documents: bool = False


def network_of(
    module: ModuleType, knobs: Mapping[str, Any], shapes: Shapes, sample: Tensor, alone: dict[Hashable, str]
) -> Network:
    """The network that an objective builds for a recipe.

    Args:
        module: the objective's.
        knobs: every knob, ``seed`` included, from which first weights follow.
        shapes: of the data.
        sample: two inputs, to try it on, on its device.
        alone: why modules are trained alone, filled in; see ``ModuleNetwork``.

    Raises:
        UserError: it builds something else, or what does not fit the data.
    """
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(knobs["seed"], "weights"))
        made, _ = call(module.build, knobs)
    if isinstance(made, Sequential):
        return Stack(made, shapes.inputs, shapes.outputs, shapes.symbols, documents=shapes.documents)
    if isinstance(made, torch.nn.Module):
        return ModuleNetwork(made.to(sample.device), sample, shapes.outputs, alone)
    raise UserError(f"build must return a torch.nn.Module or layers of hpo, got {type(made).__name__}")


def _judged(recipe: TrainingRecipe, data: Data, metric: str | None) -> None:
    """Refuse metrics and thresholds that mean nothing for this data.

    Raises:
        UserError: they do.
    """
    judge = judge_of(vars(recipe), metric)
    if judge.silent:
        return
    if not isinstance(data, Data) or data.per_token:
        raise UserError("scoring, threshold and costs are for targets of rows, and these are of tokens: leave them out")
    judge.check(data.task, data.number)


def _fits(recipe: TrainingRecipe, data: Data) -> None:
    """Refuse knobs that mean nothing for this data.

    Raises:
        UserError: a loss of regression for classes, noise on whole numbers, image augmentation without images, or
            a balance of classes where each token has one.
    """
    if data.task == "classification" and recipe.loss != "auto":
        raise UserError(f"loss: {recipe.loss} is for regression, and the data has classes: leave it auto")
    blended = [n for n in ("mixup", "input_noise", "feature_masking") if getattr(recipe, n)]
    real = data.sample.is_floating_point()
    lengths = [n for n in ("tokens_per_step", "max_tokens", "length_warmup") if getattr(recipe, n)]
    if lengths and not data.context:
        raise UserError(f"{lengths[0]} is for text and other sequences of tokens, and a sample here is none")
    if blended and not real:
        raise UserError(f"{blended[0]} needs inputs that are real numbers, and these are whole ones, such as token ids")
    balanced = [n for n in ("class_weight", "resample") if getattr(recipe, n) != "none"]
    balanced += ["label_noise"] if recipe.label_noise else []
    if balanced and data.per_token:
        raise UserError(f"{balanced[0]} needs one target per sample, and here each token has one")
    if (len(data.shape) != 3 or not real) and (
        moved := [n for n in ("shift", "rotation", "flip", "cutout") if getattr(recipe, n)]
    ):
        raise UserError(f"{moved[0]} needs images [channels, height, width], and a sample here is {list(data.shape)}")


def _suits(recipe: TrainingRecipe, network: Network) -> None:
    """Refuse an optimizer for which a network's rates are not meant.

    Raises:
        UserError: muP meets an optimizer that its table of rates does not cover; SGD's steps grow with the gradient.
    """
    if network.parametrization == "mup" and recipe.optimizer not in MUP_OPTIMIZERS:
        raise UserError(
            f"parametrization: mup has rates for {', '.join(MUP_OPTIMIZERS)}, not for {recipe.optimizer}: take one of "
            "these optimizers, or parametrization: standard"
        )


def call(function: Callable[..., Any], knobs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Call ``build`` or ``data`` in the style it is written: one ``recipe``, a dataclass, or a keyword per knob.

    Returns:
        What it returned, and the knobs it looked at, those that the recipe does not have included.
    """
    only = _single(function)
    if only is Knobs:
        recipe = Knobs(knobs)
        made = function(recipe)
        return made, dict(knobs) if recipe.read_all else recipe.read
    taken, every = _arguments(function, knobs)
    made = function(only(**taken)) if only is not None else function(**taken)
    if every:
        return made, dict(knobs)
    names = [f.name for f in dataclasses.fields(only)] if only is not None else inspect.signature(function).parameters
    return made, {name: knobs.get(name, _ABSENT) for name in names}


def takes(function: Callable[..., Any], name: str) -> bool:
    """Whether ``build`` or ``data`` looks at a knob of this name, in whichever style it is written."""
    taken, every = _arguments(function, {name: None})
    return every or name in taken


def _arguments(function: Callable[..., Any], knobs: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """The knobs that a function takes, and whether it takes any."""
    only = _single(function)
    if dataclasses.is_dataclass(only):
        return {f.name: knobs[f.name] for f in dataclasses.fields(only) if f.name in knobs}, False
    if only is not None:
        return dict(knobs), True
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return dict(knobs), True
    return {name: knobs[name] for name in parameters if name in knobs}, False


def _single(function: Callable[..., Any]) -> Any:
    """Annotation of the one positional parameter that stands for the recipe; None for a parameter per knob."""
    parameters = list(inspect.signature(function).parameters.values())
    if len(parameters) != 1 or parameters[0].kind is not parameters[0].POSITIONAL_OR_KEYWORD:
        return None
    only = parameters[0]
    hint = _hint(function, only.name)
    if dataclasses.is_dataclass(hint):
        return hint
    return Knobs if only.name == "recipe" else None


def _hint(function: Callable[..., Any], name: str) -> Any:
    """Annotation of a parameter, without looking at others: what is returned may be known to type checkers only."""
    plain = inspect.unwrap(function)
    annotation = getattr(plain, "__annotations__", {}).get(name)
    alone = SimpleNamespace(__annotations__={} if annotation is None else {name: annotation})
    return typing.get_type_hints(alone, globalns=getattr(plain, "__globals__", {})).get(name)


def device(name: str) -> torch.device:
    """Device by name; ``auto`` takes CUDA, then MPS, then the CPU. On the CPU one thread is used per process.

    Raises:
        UserError: there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if name == "cpu":
        torch.set_num_threads(1)  # models of this size lose by more, and bits may depend on the number
        keep_freed_memory()
    elif (name.startswith("cuda") and not torch.cuda.is_available()) or (
        name == "mps" and not torch.backends.mps.is_available()
    ):
        raise UserError(f"there is no device {name} here: use --device cpu or auto")
    try:
        return torch.device(name)
    except RuntimeError:
        raise UserError(f"{name!r} is no device: use cpu, cuda, mps or auto") from None
