"""How large a micro-batch fits: counted on two small ones, so that nothing needs to run out of memory to find out.

A window of two micro-batches is trained at two sizes, on a lane of its own, while every tensor that this makes is
watched. Between two operations the bytes alive follow a line in the number of samples, which the two runs give; what
fits is the largest number for which all of these lines stay below the limit. So the same model and limit always give
the same size.

Counted are a lane's rows, activations and gradients, and what is alive in between; not the data, which all lanes share,
torch itself, and the scratch space inside its kernels, for which a tenth of the limit is left.
"""

from __future__ import annotations

import dataclasses
import os
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from hpo.objectives.trainer.epoch import Epoch
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.order import Layout, layout
from hpo.objectives.trainer.setup import Setup
from hpo.search.terms.errors import UserError

MEBIBYTE = 1 << 20

_SHARE = 32  # of the memory a trial may take one part: sixteen lanes, the usual number, half of it
_UNKNOWN = 8 << 30  # taken for the memory of a machine that does not say
_USED = 0.9
_UNLIMITED = 1 << 30
_SIZES = (2, 4)
_CGROUP = Path("/sys/fs/cgroup/memory.max")


def default_limit(device: torch.device) -> int:
    """MiB that a trial may take unless the study says otherwise: a share of all memory there is, free or not."""
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
    elif device.type == "mps":
        total = torch.mps.recommended_max_memory()
    else:
        total = _main_memory()
    return max(1, total // _SHARE // MEBIBYTE)


def largest(setup: Setup, limit: int) -> int:
    """Most samples of a micro-batch with which a trial stays below a limit.

    Args:
        setup: a throw-away one: it is trained.
        limit: MiB.

    Raises:
        UserError: not even one sample fits.
    """
    if len(setup.data.train) < 2 * max(_SIZES):
        return _UNLIMITED
    _bytes(setup, _SIZES[0])  # the first run also makes what is kept for all others
    (few, low), (many, high) = [(size, _bytes(setup, size)) for size in _SIZES]
    if len(low) != len(high):  # the operations depend on the number of samples
        low, high = low.max(keepdims=True), high.max(keepdims=True)
    slope = (high - low) / (many - few)
    base = low - few * slope
    allowed = _USED * limit * MEBIBYTE
    rising = slope > 0
    most = np.floor((allowed - base[rising]) / slope[rising]).min() if rising.any() else np.inf
    if most < 1 or base.max() > allowed:
        needed = float((base + slope).max()) / _USED / MEBIBYTE
        raise UserError(
            f"batch_size: auto: a single sample needs {needed:.3g} MiB with weights, gradient and optimizer, "
            f"{needed - limit:.3g} MiB more than the memory limit of {limit} MiB per trial: raise memory_limit, "
            "or make the model or its inputs smaller"
        )
    return int(min(most, _UNLIMITED))


class _Probe(Lane):
    """A lane whose epoch is one window of two micro-batches."""

    def layout(self) -> Layout:
        """Two ticks, whose gradients are added up and compared as in any run."""
        return layout(2 * self.micro, 2 * self.micro, self.micro, self.micro)


def _bytes(setup: Setup, size: int) -> NDArray[np.float64]:
    """Bytes alive after each operation of a window of two micro-batches of this size."""
    lane = _Probe(0, dataclasses.replace(setup, capacity=size))
    lane.batch = lane.micro = size
    weights = lane.rows["weights"].unsqueeze(0)
    lane.rows["weights"] = weights[0]
    with Watch() as watch:
        gradient = torch.empty_like(weights)
        Epoch([lane], weights, gradient).train()
    kept = sum(row.nbytes for row in lane.rows.values())
    return np.array(watch.alive, dtype=np.float64) + kept


class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the bytes of the tensors that are made while it is entered.

    Attributes:
        alive: bytes alive after each operation.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.alive: list[int] = []
        self._bytes = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation and count what it made."""
        given = {id(tensor.untyped_storage()) for tensor in tree_leaves((args, kwargs)) if isinstance(tensor, Tensor)}
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor) and id(tensor.untyped_storage()) not in given | self._known:
                self._count(tensor.untyped_storage())
        self.alive.append(self._bytes)
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        self._known.add(id(storage))
        self._bytes += storage.nbytes()
        weakref.finalize(storage, self._gone, id(storage), storage.nbytes())

    def _gone(self, name: int, size: int) -> None:
        self._known.discard(name)
        self._bytes -= size


def _main_memory() -> int:
    """Bytes of main memory, or of what the container may use of it."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        total = _UNKNOWN
    try:
        return min(total, int(_CGROUP.read_text()))
    except (OSError, ValueError):  # no cgroup, or "max"
        return total
