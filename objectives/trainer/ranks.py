"""Several processes that train the same lanes, each with its share of every micro-batch.

Every rank draws the same samples, masks and noise, runs its own rows of each kernel call forward and backward, and the
gradients are added up: the sum is the one that a single process would have, but for the order of its terms. The step
that follows is the same everywhere, so the weights stay equal to the bit. Rank 0 scores the model; what it measures is
handed to the others, so that whatever hangs on a measurement is decided alike. It hands out its first weights too: a
model that somebody's code draws without a seed would be another one in each process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Task

T = TypeVar("T")

_HOST = "127.0.0.1"
_PATIENCE = timedelta(days=7)
"""Whoever started the ranks watches them; a step may take as long as it likes."""


def join(rank: int, size: int, port: int, listening: int | None) -> None:
    """Form torch's process group with the others: NCCL for GPUs, gloo for everything else."""
    if sys.platform == "linux":  # all ranks are here; a host name that leads elsewhere must not matter
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if cards >= size:
        torch.cuda.set_device(rank)
    given: dict[str, Any] = {} if listening is None else {"master_listen_fd": listening}
    store = dist.TCPStore(  # type: ignore[attr-defined] # public, but not in the stubs
        _HOST, port, size, rank == 0, _PATIENCE, wait_for_workers=False, **given
    )
    backend = "cpu:gloo,cuda:nccl" if cards >= size and dist.is_nccl_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=_PATIENCE)


def part_company() -> None:
    """Dissolve the process group."""
    dist.destroy_process_group()


class Ranks:
    """The processes that train together; one where a trial is trained alone.

    Attributes:
        rank: of this one.
        size: how many.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @classmethod
    def of(cls, task: Task) -> Ranks:
        """Those of a task, where they have met; else this one alone, which trains the same."""
        if task.processes == 1 or not dist.is_initialized():
            return cls()
        return cls(dist.get_rank(), dist.get_world_size())

    def device(self, device: torch.device) -> torch.device:
        """Where this rank trains: each has a GPU of its own.

        Raises:
            UserError: there are too few GPUs, or no library that adds up what lies on such a device.
        """
        if self.size == 1 or device.type == "cpu":
            return device
        if device.type != "cuda" or device.index is not None:
            raise UserError(f"several processes train a trial on cpu or cuda, not on {device}: write device: cuda")
        if torch.cuda.device_count() < self.size:
            raise UserError(
                f"{self.size} processes of a trial need a GPU each, and a worker sees {torch.cuda.device_count()}"
            )
        return torch.device("cuda", self.rank)

    def part(self, rows: int, least: int = 1) -> slice:
        """This rank's rows of a kernel call; none where a share would have fewer than ``least``.

        >>> [Ranks(rank, 3).part(8) for rank in range(3)]
        [slice(0, 2, None), slice(2, 5, None), slice(5, 8, None)]
        >>> [Ranks(rank, 3).part(5, least=2) for rank in range(3)]
        [slice(0, 2, None), slice(2, 5, None), slice(5, 5, None)]
        """
        sharing = max(1, min(self.size, rows // least))
        first, last = (min(rows, at * rows // sharing) for at in (self.rank, self.rank + 1))
        return slice(first, last)

    def add(self, tensor: Tensor) -> None:
        """Replace a tensor by the sum of all ranks' ones, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)

    def lead(self, tensor: Tensor) -> None:
        """Replace a tensor by rank 0's, in place."""
        if self.size > 1:
            dist.broadcast(tensor, 0)

    def mean(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The mean of what each rank's network holds beside its weights; whole numbers are everyone's own."""
        found = {name: value.clone() for name, value in state.items()}
        for value in found.values():
            if value.is_floating_point():
                self.add(value)
                value.div_(self.size)
        return found

    def same(self, value: T) -> T:
        """Rank 0's value, plain data."""
        if self.size == 1:
            return value
        held: list[Any] = [value]
        dist.broadcast_object_list(held)
        found: T = held[0]
        return found

    def each(self, value: T) -> list[T]:
        """Every rank's value, plain data, in order of rank."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found
