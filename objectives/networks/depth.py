"""Which parameters of a network lie how deep: blocks from the input on, and the head behind them.

A block is a layer with matrices and what follows it without any, such as its normalization: of an MLP each hidden
layer, of a convolutional network each convolution, of a transformer the embeddings, then each of its blocks. It is told
by the names of parameters, which say where they stand: up to the first number in a name (``encoder.layers.3``,
``0``), or all but its last word (``head``).
"""

from __future__ import annotations

from collections.abc import Sequence

from hpo.objectives.networks.network import Network, Parameter

Block = tuple[str, ...]
"""Names of parameters."""


def blocks(network: Network) -> tuple[list[Block], Block]:
    """The blocks from the input on, and the head, which gives the outputs; empty where it has no weights of its own."""
    known = {parameter.name: parameter for parameter in network.parameters}
    found: list[list[Parameter]] = []
    for names in units(network).values():
        unit = [known[name] for name in names if name not in network.head]
        if not unit:
            continue
        joined = found and (_vectors(unit) or (_tables(unit) and _tables(found[-1])))
        if joined:
            found[-1] += unit
        else:
            found.append(list(unit))
    return [tuple(parameter.name for parameter in block) for block in found], network.head


def units(network: Network) -> dict[str, Block]:
    """Parameters by the layer that they stand in, the outermost one that has a number, from the input on."""
    found: dict[str, list[str]] = {}
    for name in network.order:
        found.setdefault(_unit(name), []).append(name)
    return {unit: tuple(names) for unit, names in found.items()}


def last_unit(names: Sequence[str], parameters: Sequence[Parameter]) -> Block:
    """Names of the last unit that has a matrix, and of what follows it: the head of a module that says nothing else."""
    matrices = {parameter.name for parameter in parameters if parameter.matrix}
    last = next((_unit(name) for name in reversed(names) if name in matrices), "")
    start = next((at for at, name in enumerate(names) if _unit(name) == last), len(names))
    return tuple(names[start:])


def _unit(name: str) -> str:
    words = name.split(".")
    number = next((at for at, word in enumerate(words) if word.isdigit()), len(words) - 2)
    return ".".join(words[: number + 1])


def _vectors(unit: Sequence[Parameter]) -> bool:
    """Whether there are only biases and gains."""
    return all(len(parameter.shape) < 2 for parameter in unit)


def _tables(unit: Sequence[Parameter]) -> bool:
    """Whether there are only tables of embeddings, and vectors."""
    return not any(parameter.matrix for parameter in unit)
