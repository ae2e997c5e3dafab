"""Nodes of a Ray cluster as the command sees them: which are gone before Ray knows, and who has room."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from hpo.search.executors.common import nodes as module
from hpo.search.executors.common.nodes import Nodes

WANTS = {"num_cpus": 2, "num_gpus": 0, "resources": {"spot": 1}}


class Ray:
    """A cluster of two nodes that says what it is told to."""

    def __init__(self, port: int) -> None:
        room = {"CPU": 5.0, "spot": 3.0}
        self.known = [
            {"NodeID": id, "Alive": True, "NodeManagerAddress": "127.0.0.1", "NodeManagerPort": port, "Resources": room}
            for id in ("a", "b")
        ]

    def nodes(self) -> list[dict[str, Any]]:
        return self.known


@pytest.fixture
def daemon() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def test_a_node_is_gone_when_its_port_refuses_and_not_before(daemon: socket.socket) -> None:
    nodes = Nodes(Ray(daemon.getsockname()[1]), WANTS)
    nodes.meet("a")
    assert not nodes.is_gone("a")
    assert nodes.fits(9) == 4
    daemon.close()
    assert nodes.is_gone("a")
    assert list(nodes.shunned()) == ["a"]
    assert nodes.fits(9) == 2


def test_a_port_that_never_answered_says_nothing_when_it_refuses(daemon: socket.socket) -> None:
    nodes = Nodes(Ray(daemon.getsockname()[1]), WANTS)
    daemon.close()
    nodes.meet("a")
    assert not nodes.is_gone("a")
    assert not nodes.is_gone("nobody")


def test_a_silent_node_is_gone_after_a_while_and_back_when_it_answers(
    daemon: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = Nodes(Ray(daemon.getsockname()[1]), WANTS)
    nodes.meet("b")
    with monkeypatch.context() as off:
        off.setattr(module, "_answers", lambda port: None)
        assert not nodes.is_gone("b")
        off.setattr(module, "_SILENT", 0.0)
        assert nodes.is_gone("b")
        nodes.look_again()
        assert list(nodes.shunned()) == ["b"]
    nodes.look_again()
    assert not nodes.shunned()
    assert not nodes.is_gone("b")
    daemon.close()


def test_a_node_that_ray_has_given_up_is_not_to_be_shunned_any_more(daemon: socket.socket) -> None:
    ray = Ray(daemon.getsockname()[1])
    nodes = Nodes(ray, WANTS)
    nodes.meet("a")
    daemon.close()
    assert nodes.is_gone("a")
    ray.known[0]["Alive"] = False
    nodes.look_again()
    assert not nodes.shunned()
    assert nodes.fits(9) == 2
