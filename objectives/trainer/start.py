"""Weights that training starts from, out of a safetensors file: the suite's own, or anybody's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from hpo.objectives.networks.network import Network
from hpo.search.terms.errors import UserError

_SHOWN = 4


def weights_of(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file, by name.

    Raises:
        UserError: it is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read as weights: {error}") from None


def start(network: Network, weights: Mapping[str, Tensor], path: Path) -> None:
    """Let a network begin with these weights where names and shapes are the same; ``network.started`` tells the rest.

    Args:
        network: fresh, for it is changed.
        weights: named and shaped as in torch.nn.
        path: where they come from.

    Raises:
        UserError: none of them has a name and shape of the network's.
    """
    fresh, known = network.take(weights), network.names()
    source = path.name if path.stem not in ("weights", "model") else path.parent.name
    names = [parameter.name for parameter in network.parameters]
    taken = [name for name in names if name not in fresh]
    left = [name for name in weights if name not in known]
    if not taken:
        raise UserError(
            f"start_from: no tensor of {source} has a name and shape of the model's: it has {_some(list(weights))}, "
            f"the model {_some([f'{name} {shape}' for name, shape in fresh.items()])}; take the architecture that it "
            "was trained with"
        )
    if fresh or left:
        told = [f"{len(taken)} of {len(names)} tensors are those of {source}"]
        if fresh:
            told.append("new: " + _some([f"{name} {_unlike(name, shape, weights)}" for name, shape in fresh.items()]))
        if left:
            told.append(f"not used: {_some(left)}")
        network.started = "start_from: " + "; ".join(told)


def _unlike(name: str, shape: list[int], weights: Mapping[str, Tensor]) -> str:
    if name not in weights:
        return f"{shape}"
    return f"{shape}, there {list(weights[name].shape)}"


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
