"""The machines of a Ray cluster as this process sees them: their names, their room, and where nothing is to be placed.

Ray's head asks each node every few seconds whether it lives, and gives one up after a quarter of a minute. Here a node
whose worker's line broke is gone as soon as the port of its daemon refuses, which had answered before: workers end with
their daemon.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Collection, Mapping
from typing import Any

_PATIENCE = 0.5
"""Seconds for a node's daemon to take a connection."""

_SILENT = 5.0
"""Seconds without any answer, be it a refusal, after which a node is gone: its machine is off, or its cable out."""


class Nodes:
    """Machines by their ids.

    Args:
        ray: the module, connected.
        wants: resources of each worker, as Ray names them: ``num_cpus``, ``num_gpus``, ``resources``.

    Attributes:
        refused: why nothing is trained there.
    """

    def __init__(self, ray: Any, wants: Mapping[str, Any]) -> None:
        self.refused: dict[str, str] = {}
        self._ray = ray
        needs = {"CPU": wants["num_cpus"], "GPU": wants["num_gpus"], **wants["resources"]}
        self._needs = {name: amount for name, amount in needs.items() if amount}
        self._names: dict[str, str] = {}
        self._ports: dict[str, tuple[str, int]] = {}  # of daemons that have answered
        self._silent: dict[str, float] = {}  # since when
        self._gone: set[str] = set()

    def name(self, node: str) -> str:
        """What people call it; two of one name are told apart by their ids."""
        if node not in self._names:
            found = {}
            for one in self._ray.nodes():
                own = one.get("NodeName") or ""
                address = one.get("NodeManagerAddress")
                found[one["NodeID"]] = own if own and own != address else one.get("NodeManagerHostname") or address
            names = list(found.values())
            for key, name in found.items():
                self._names.setdefault(key, name if names.count(name) == 1 else f"{name}/{key[:6]}")
        return self._names.get(node, node[:6])

    def shunned(self) -> Collection[str]:
        """Where nothing is to be placed."""
        return self.refused.keys() | self._gone

    def fits(self, most: int) -> int:
        """Workers that fit into the nodes as they are, if nobody else is there; ``most`` each for no needs."""
        own = [one["Resources"] for one in self._alive() if one["NodeID"] not in self.shunned()]
        needs = self._needs.items()
        return sum(min((int(has.get(name, 0) / some) for name, some in needs), default=most) for has in own)

    def meet(self, node: str) -> None:
        """Note how its daemon is reached, if it is."""
        if node in self._ports:
            return
        for one in self._alive():
            port = str(one.get("NodeManagerAddress")), int(one.get("NodeManagerPort") or 0)
            if one["NodeID"] == node and _answers(port):
                self._ports[node] = port

    def is_gone(self, node: str) -> bool:
        """Whether its daemon is no more, asked because a worker there does not answer."""
        if node in self._ports and node not in self._gone:
            answers, now = _answers(self._ports[node]), time.monotonic()
            if answers is None:
                answers = now < self._silent.setdefault(node, now) + _SILENT
            else:
                self._silent.pop(node, None)
            if not answers:
                self._gone.add(node)
        return node in self._gone

    def look_again(self) -> None:
        """Forget those of which Ray knows it by now, and those that were silent and answer again."""
        if self._gone:
            alive = {one["NodeID"] for one in self._alive()}
            self._gone = {node for node in self._gone & alive if not _answers(self._ports[node])}

    def _alive(self) -> list[dict[str, Any]]:
        """What Ray has not given up."""
        return [one for one in self._ray.nodes() if one["Alive"]]


def _answers(port: tuple[str, int]) -> bool | None:
    """Whether somebody listens there; None where there is no answer at all."""
    with contextlib.suppress(OSError):
        try:
            with socket.create_connection(port, timeout=_PATIENCE):
                return True
        except ConnectionRefusedError:
            return False
    return None
