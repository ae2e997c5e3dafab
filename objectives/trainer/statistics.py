"""Statistics of training, for ``record: statistics``: norms by layer, dead units, the share of clipped steps.

Each lane's are its own. They are measured beside the training and change nothing in it: norms of weights and of what
layers give once an epoch, in evaluation on a few validation rows; norms of gradients at some of the steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpo.objectives.networks.depth import units
from hpo.objectives.networks.network import Network
from hpo.objectives.networks.seen import Step
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.order import Layout

MEASURED = 8
"""Steps of an epoch, evenly over it, at which the norms of gradients are taken."""

_NONLINEAR = frozenset(
    ["Activation", "SwiGLU", "ReLU", "ReLU6", "LeakyReLU", "PReLU", "ELU", "CELU", "SELU", "GELU", "SiLU", "Mish",
     "Tanh", "Sigmoid", "Softplus", "Hardswish", "Hardtanh"]
)  # fmt: skip
"""Layers of this suite and of torch.nn whose units may be dead."""


class StepMeter:
    """Collects over one epoch what only its steps tell."""

    def __init__(self, lanes: Sequence[Lane], layouts: Sequence[Layout], device: torch.device) -> None:
        """Choose the steps that are measured.

        Args:
            lanes: in the order of the rows.
            layouts: how each lane's samples are cut.
            device: where gradients are.
        """
        network = lanes[0].setup.network
        self._places, self._units = _stretches(network), list(units(network))
        self._clips = [lane.setup.recipe.clip_norm for lane in lanes]
        self._ends = [np.flatnonzero(cut.ends) for cut in layouts]
        chosen = [ends[np.unique(np.linspace(0, len(ends) - 1, MEASURED).round().astype(int))] for ends in self._ends]
        self._chosen = chosen
        self._ticks = {int(tick): row for row, tick in enumerate(np.unique(np.concatenate(chosen)))}
        shape = (len(self._ticks), len(lanes), len(self._units))
        self._squares = torch.zeros(shape, device=device)
        clipping = any(self._clips)
        self._norms = torch.zeros((layouts[0].ticks, len(lanes)), device=device) if clipping else None

    def step(self, tick: int, gradient: Tensor) -> None:
        """Note the mean gradients [lanes, size] of the windows that end with a tick, before clipping."""
        lanes = len(gradient)
        if self._norms is not None:
            self._norms[tick, :lanes] = torch.linalg.vector_norm(gradient, dim=1)
        if (row := self._ticks.get(tick)) is not None:
            for unit, stretches in enumerate(self._places):
                for stretch in stretches:
                    self._squares[row, :lanes, unit] += torch.linalg.vector_norm(gradient[:, stretch], dim=1).square()

    def found(self) -> list[dict[str, float]]:
        """Of each lane."""
        squares = self._squares.double().cpu().numpy()
        norms = None if self._norms is None else self._norms.cpu().numpy()
        made = []
        for at, chosen in enumerate(self._chosen):
            own = squares[[self._ticks[int(tick)] for tick in chosen], at]
            roots = np.sqrt(own.mean(axis=0)).tolist()
            found = {f"gradient_norm/{name}": value for name, value in zip(self._units, roots, strict=True)}
            if self._clips[at] and norms is not None:
                found["clipped_steps"] = float((norms[self._ends[at], at] > self._clips[at]).mean())
            made.append(found)
        return made


def of_networks(network: Network, weights: Tensor, inputs: Tensor) -> list[dict[str, float]]:
    """What the networks of several lanes are like now.

    Args:
        network: of all of them, in evaluation.
        weights: [lanes, size].
        inputs: a few, [n, ...].
    """
    names = list(units(network))
    with torch.no_grad(), torch.random.fork_rng():  # a network that draws even in evaluation draws the same as without
        seen = network.look(network.views(weights), inputs.unsqueeze(0).expand(len(weights), *inputs.shape))
        columns: dict[str, NDArray[np.float64]] = {}
        for name, stretches in zip(names, _stretches(network), strict=True):
            squares = sum(torch.linalg.vector_norm(weights[:, part], dim=1).square() for part in stretches)
            columns[f"weight_norm/{name}"] = torch.as_tensor(squares).sqrt().double().cpu().numpy()
        for step in seen.steps:
            if step.place in names and step.output.is_floating_point():
                flat = step.output.reshape(len(weights), -1).float()
                roots = torch.linalg.vector_norm(flat, dim=1) / flat.shape[1] ** 0.5
                columns[f"activation_rms/{step.place}"] = roots.double().cpu().numpy()
        for step in seen.ends:
            if step.kind in _NONLINEAR:
                columns[f"dead_units/{step.place}"] = _dead(step)
    return [{name: float(column[at]) for name, column in columns.items()} for at in range(len(weights))]


def joined(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    """Both, in six digits: they are stored with every point."""
    return {name: float(f"{value:.6g}") for name, value in {**first, **second}.items()}


def _stretches(network: Network) -> list[list[slice]]:
    """Of each unit where its parameters lie in a row."""
    places: dict[str, slice] = {}
    start = 0
    for parameter in network.parameters:
        places[parameter.name] = slice(start, start + parameter.size)
        start += parameter.size
    return [[places[name] for name in names if name in places] for names in units(network).values()]


def _dead(step: Step) -> NDArray[np.float64]:
    """Share of units that are the same for all samples and positions, [lanes]; of images a unit is a channel."""
    output = step.output.movedim(2, -1) if step.output.dim() == 5 else step.output
    flat = output.reshape(len(output), -1, output.shape[-1])
    same: NDArray[np.float64] = (flat.amax(dim=1) == flat.amin(dim=1)).double().mean(dim=1).cpu().numpy()
    return same
