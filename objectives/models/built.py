"""A saved network built again from its description, and given its weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from hpo.objectives.compression.structure import rebuilt
from hpo.objectives.compression.weights import unpacked
from hpo.objectives.data.preparation import Preparation
from hpo.objectives.data.schema import Schema
from hpo.objectives.trainer.predictor import Predictor, Report
from hpo.objectives.trainer.problem import Shapes, network_of
from hpo.objectives.trainer.start import weights_of
from hpo.objectives.trainer.tensors import TaskData
from hpo.objectives.trainer.text_task import TextTask


class Built:
    """A saved network, built again.

    Attributes:
        predictor: the network with its weights.
        module: the objective's, which built it.
        knobs: the recipe that it was built and trained by.
        shape, outputs, symbols, documents: of the network; see ``Shapes``.
    """

    predictor: Predictor

    def build(
        self, folder: Path, about: Mapping[str, Any], module: ModuleType, data: TaskData | TextTask,
        report: Report | None,
    ) -> None:  # fmt: skip
        """Build the network of a saved recipe and give it its weights; see ``predictor_of``."""
        shapes = shapes_of(about)
        self.shape, self.outputs = shapes.inputs, shapes.outputs
        self.symbols, self.documents = shapes.symbols, shapes.documents
        self.module, self.knobs = module, dict(about["recipe"])
        self.predictor = predictor_of(folder, about, module, data, report)


def predictor_of(
    folder: Path, about: Mapping[str, Any], module: ModuleType, data: TaskData | TextTask, report: Report | None
) -> Predictor:
    """The network of a saved recipe with its weights.

    Args:
        folder: with the weights.
        about: ``model.json``.
        module: the objective's, which builds the network.
        data: what the network does.
        report: see ``Predictor``.

    Raises:
        UserError: weights are missing or do not fit.
    """
    shapes, made = shapes_of(about), about["preprocessing"]
    knobs = {"data": made.get("data"), "split_seed": made.get("split_seed", 0), "seed": 0, **about["recipe"]}
    kind = torch.int64 if shapes.symbols else torch.float32
    network = network_of(module, knobs, shapes, torch.zeros((2, *shapes.inputs), dtype=kind), {})
    state = weights_of(folder / "weights.safetensors")
    if "compression" in about:
        network = rebuilt(network, about["compression"]["layers"])
        state = unpacked(network, state)
    rows = about["network"]["rows"]
    return Predictor(network, network.row(state), data, None if rows is None else _size(rows), report)


def schema_of(about: Mapping[str, Any], preparation: Preparation | None) -> Schema:
    """What a saved network reads and gives."""
    if preparation is not None:
        plain = about["preprocessing"]["schema"]
        return Schema.from_plain(plain, preparation.columns, preparation.features)
    outputs = about["network"]["outputs"][-1]
    numbers = range(outputs) if about["task"] == "classification" else ()
    return Schema(about["task"], "target", tuple(about["labels"] or numbers))


def shapes_of(about: Mapping[str, Any]) -> Shapes:
    """What a saved network was bound to.

    Raises:
        ValueError: it says no sizes.
    """
    network = about["network"]
    inputs, outputs = (tuple(_size(each) for each in network[name]) for name in ("inputs", "outputs"))
    if not outputs:
        raise ValueError("it has no outputs")
    return Shapes(inputs, outputs, _size(network["symbols"], 0), bool(network["documents"]))


def _size(value: Any, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{value!r} is no size")
    return value


def check_shapes(schema: Schema, preparation: Preparation | None, shapes: Shapes) -> None:
    """See that what is said of the data and of the network goes together.

    Raises:
        ValueError: it does not.
    """
    if schema.task == "classification" and len(schema.classes) != shapes.outputs[-1]:
        raise ValueError(f"{len(schema.classes)} classes, but the network tells {shapes.outputs[-1]} apart")
    if any(isinstance(label, (list, dict)) for label in schema.classes):
        raise ValueError("a class is no label")
    if preparation is None:
        return
    table = (len(preparation.sources),)
    made = (preparation.image or ()) if preparation.scaling == "channel" else table
    if math.prod(made) != math.prod(shapes.inputs):
        raise ValueError(f"the preparation makes {list(made)} of a row, but the network takes {list(shapes.inputs)}")
