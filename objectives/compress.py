"""A trained network made smaller: pruned, of lower rank, of 8 bits, or taught to a smaller one, then trained on.

::

    objective: compress
    source: churn
    goal: [maximize val_accuracy, minimize kilobytes]
    search:
      prune: {float: [0, 0.95]}
      prune_by: {choice: [global, layer, rows]}

``source`` is a study whose winner `hpo train` has trained, or the folder that it wrote; data, split and architecture
are the model's own. Where ``data`` names a data set instead, an `mlp` of its own defaults is trained on it first. What
comes out is a model's folder as any other.

``kilobytes`` is the size of its file of weights. Single weights that are 0 make the file shorter, and the network no
faster; rows that are gone make both smaller. ``latency_1`` and ``latency_64`` are milliseconds of a forward pass of 1
and 64 rows by PyTorch on one thread: the median of at least 30, ``_spread`` the distance between their quartiles. They
are measured once a trial, whose weights all have float32 there: 8 bits pay in the file, and in onnxruntime
(`hpo export --output FILE.onnx --int8`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from hpo.objectives.trainer.metrics import METRICS as TRAINED
from hpo.objectives.trainer.training_recipe import TrainingRecipe
from hpo.search.terms.errors import Advice, DataError, UserError
from hpo.search.terms.knobs import AT_LEAST_0, AT_LEAST_1, BELOW_1, FRACTION, POSITIVE

if TYPE_CHECKING:
    from torch import Tensor

    from hpo.objectives.compression.weights import Compressed
    from hpo.objectives.networks.network import Network
    from hpo.objectives.trainer.alone import Fitted
    from hpo.objectives.trainer.problem import Problem
    from hpo.objectives.trainer.setup import Setup

__all__ = ["METRICS", "train"]

MEASURED = ("latency_1", "latency_1_spread", "latency_64", "latency_64_spread")
METRICS = (
    *TRAINED,
    "val_bpb",
    "tokens",
    "kilobytes",
    "latency_1",
    "latency_1_spread",
    "latency_64",
    "latency_64_spread",
)
DISCLAIMS = ("every metric",)  # mlp has recipes for those of the trainer
TRIED = (
    {"epochs": 2, "data": "iris", "prune": 0.5, "prune_by": "rows", "rank": 4, "int8": True},
    {"epochs": 2, "data": "iris", "prune": 0.9, "student_width": 8, "student_depth": 1, "alpha": 0.5},
    {"epochs": 1, "data": "diabetes", "prune": 0.8, "prune_by": "layer", "alpha": 0.5},
)


@dataclass(frozen=True)
class CompressRecipe(TrainingRecipe):
    """What is done to the network, and how it is trained on afterwards."""

    data: Any = "digits"
    split_seed: int = 0

    epochs: Annotated[int, AT_LEAST_1] = 5
    """Passes over the training part after the network was made smaller, each one point of the curve; of a language
    model give ``max_steps``. [epochs]"""

    prune: Annotated[float, BELOW_1] = 0.0
    """Share of weights that become 0 and stay so, or with ``prune_by: rows`` of neurons that are removed. [share; 0]"""

    prune_by: Literal["global", "layer", "rows"] = "global"
    """Which: the smallest of all matrices, or of each (Han et al. 2015); or whole neurons, and channels, of each hidden
    layer, by the norms of the weights to and from them (after Li et al. 2017)."""

    rank: Annotated[int, AT_LEAST_0] = 0
    """Rank of linear layers, as two factors of a singular value decomposition where these have fewer weights. [0: as
    they are; Denton et al. 2014]"""

    int8: bool = False
    """Store weights as 8 bits with a scale for each row, by which they are rounded in training too. [false; Jacob et
    al. 2018]"""

    student_width: Annotated[int, AT_LEAST_0] = 0
    """Train a network of this ``width`` (of ``cnn`` these ``channels``) from the start instead. [0: the source's]"""

    student_depth: Annotated[int, AT_LEAST_0] = 0
    """The same for ``depth``. [0: the source's]"""

    alpha: Annotated[float, FRACTION] = 0.0
    """Weight of the source's outputs in the loss, as a teacher's; the rest is the targets'. [share; 0; Hinton et al.
    2015]"""

    temperature: Annotated[float, POSITIVE] = 2.0
    """By which the outputs of both are divided where the teacher's are learnt. [1]"""


@dataclass(frozen=True, eq=False)
class _Model:
    """What is made smaller.

    Attributes:
        problem: its objective and data.
        knobs: of its recipe.
        network: as it was built.
        weights: [size].
        told: what it takes and scores, for the user.
    """

    problem: Problem
    knobs: Mapping[str, Any]
    network: Network
    weights: Tensor
    told: str


_known: dict[str, _Model] = {}


def train(knobs: CompressRecipe) -> Generator[dict[str, float], None, Fitted]:
    """Make the source smaller, and train it on.

    Raises:
        DataError: there is no such source, or it cannot be compressed.
        UserError: knobs that mean nothing for this network.
    """
    from hpo.objectives.compression.latency import latency
    from hpo.objectives.trainer.alone import train_setup
    from hpo.objectives.trainer.predictor import Predictor

    source = _source(knobs.data, knobs.split_seed)
    warnings.warn(source.told, Advice, stacklevel=2)
    setup = _setup(source, knobs)
    network: Any = setup.network
    start = _row(network)
    plain = Predictor(network.inner, network.dense(start), setup.data, setup.rows, None).forward()
    inputs, measured = setup.data.few, dict[str, float]()
    for rows in (1, 64):
        found = latency(plain, _rows(inputs, rows).unsqueeze(0))
        measured |= {f"latency_{rows}": found.median, f"latency_{rows}_spread": found.spread}

    def also(weights: Tensor) -> dict[str, float]:
        return {"kilobytes": network.kilobytes(weights), **measured}

    return (yield from train_setup(setup, also))


def _setup(source: _Model, knobs: CompressRecipe) -> Setup:
    """The smaller network, ready to be trained on."""
    from hpo.objectives.trainer.distillation import Teacher, TokenTeacher
    from hpo.objectives.trainer.predictor import Predictor
    from hpo.search.terms.recipe import derive_seed

    training = {field.name: getattr(knobs, field.name) for field in fields(TrainingRecipe)}
    built = {name: value for name, value in source.knobs.items() if name not in training}
    student = _student(source, knobs)
    setup = source.problem.setup({**built, **student, **training})
    network, weights = setup.network, source.weights
    if student:
        weights = _row(network, derive_seed(knobs.seed, "weights"))
    compressed = _compressed(network, weights, knobs)
    teacher: Teacher | TokenTeacher | None = None
    if knobs.alpha:
        if setup.loss is not None:
            raise UserError("alpha mixes the teacher into the suite's loss, and the objective has a loss of its own")
        used = Predictor(source.network, source.weights, setup.data, setup.rows, None)
        if setup.data.per_token:
            teacher = TokenTeacher(used.forward(), knobs.alpha, knobs.temperature)
        else:
            teacher = Teacher(used.outputs(setup.data.train.inputs), knobs.alpha, knobs.temperature)
    return replace(setup, network=compressed, teacher=teacher)


def _compressed(network: Network, weights: Tensor, knobs: CompressRecipe) -> Compressed:
    """Fewer rows, then lower rank, then single weights."""
    from hpo.objectives.compression import structure as layers
    from hpo.objectives.compression.weights import Compressed, largest

    structure: dict[str, dict[str, int]] = {}
    inner, rows = network, knobs.prune if knobs.prune_by == "rows" else 0.0
    steps: list[Callable[..., Any]] = [partial(layers.narrowed, share=rows)] if rows else []
    steps += [partial(layers.factored, rank=knobs.rank)] if knobs.rank else []
    for step in steps:
        changed, state = step(inner, inner.state_dict(weights))
        structure = {name: {**structure.get(name, {}), **changed.get(name, {})} for name in {**structure, **changed}}
        inner = layers.rebuilt(network, structure)
        weights = inner.row(state)
    kept = {}
    if knobs.prune and knobs.prune_by != "rows":
        kept = largest(inner, weights, knobs.prune, together=knobs.prune_by == "global")
    return Compressed(inner, weights, structure, kept, int8=knobs.int8)


def _student(source: _Model, knobs: CompressRecipe) -> dict[str, int]:
    """Knobs of the source's ``build`` that a student has another value of.

    Raises:
        UserError: it has no such knob.
    """
    from hpo.objectives.trainer.problem import takes

    found = {}
    for own, names in (("student_width", ("width", "channels")), ("student_depth", ("depth",))):
        if value := getattr(knobs, own):
            taken = [name for name in names if takes(source.problem.module.build, name)]
            if not taken:
                raise UserError(f"{own}: what builds the source has no knob {' or '.join(names)}")
            found[taken[0]] = value
    return found


def _source(data: Any, split_seed: int) -> _Model:
    """The model that ``data`` names, or one that is trained on it; once per process.

    Raises:
        DataError: it cannot be opened or compressed, or there is no such data.
    """
    import json

    from hpo.objectives.data import check, digest

    if problems := check(data):
        raise DataError("\n".join(problems))
    key = json.dumps([data, split_seed, digest(data)], sort_keys=True)
    if key not in _known:
        of_folder = isinstance(data, Mapping) and "model" in data
        _known[key] = _opened(data["model"]["path"]) if of_folder else _trained(data, split_seed)
    return _known[key]


def _opened(path: str) -> _Model:
    from pathlib import Path

    from hpo.objectives.trainer.problem import Problem
    from hpo.search.report import modelfolder

    try:
        model = modelfolder.load(path)
    except UserError as error:
        raise DataError(str(error)) from error
    used = getattr(model, "predictor", None)
    if used is None:
        raise DataError(f"{path} is no network that the suite trained, and only those are compressed")
    problem = Problem(model.module, modelfolder.task_of(Path(path).expanduser()))
    return _told(problem, model.knobs, used.network, used.weights)


def _trained(data: Any, split_seed: int) -> _Model:
    """An ``mlp`` of its own defaults; the same for all trials, whatever their seeds."""
    from hpo.objectives.trainer.alone import train_setup
    from hpo.objectives.trainer.problem import Problem
    from hpo.search.terms import registry
    from hpo.search.terms.job import Task

    problem = Problem(registry.load("objective", "mlp"), Task("mlp", data, split_seed))
    points = train_setup(problem.setup({"seed": 0}))
    while True:
        try:
            next(points)
        except StopIteration as end:
            made: Fitted = end.value
            return _told(problem, made.setup.knobs, made.setup.network, made.weights)


def _told(problem: Problem, knobs: Mapping[str, Any], network: Network, weights: Tensor) -> _Model:
    """A source, measured as its smaller ones will be."""
    from hpo.objectives.compression.weights import Compressed
    from hpo.objectives.trainer.predictor import Predictor

    data = problem.setup(knobs).data
    size = Compressed(network, weights, {}, {}, int8=False).kilobytes(weights)
    used = Predictor(network, weights, data, None, None)
    scores = ", ".join(f"val_{name} {value:.4g}" for name, value in used.scores(data.validation).items())
    return _Model(problem, knobs, network, weights, f"the network as it is: kilobytes {size:.4g}, {scores}")


def _row(network: Network, seed: int = 0) -> Tensor:
    import torch

    return torch.cat([value.reshape(-1) for value in network.initial(seed)])


def _rows(inputs: Tensor, count: int) -> Tensor:
    """So many rows, some of them more than once where there are fewer."""
    return inputs.repeat(-(-count // len(inputs)), *[1] * (inputs.dim() - 1))[:count]
