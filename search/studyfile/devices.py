"""``device``, ``devices`` and ``processes_per_trial``: where models are trained, and by how many processes each."""

from __future__ import annotations

import math
import re

from hpo.search.describe.objective import Objective
from hpo.search.studyfile.plugins import options_of
from hpo.search.studyfile.yaml12 import Node
from hpo.search.terms.devices import Devices
from hpo.search.terms.errors import Mistake, did_you_mean, spelt
from hpo.search.terms.study import Plugin

MOST_PROCESSES = 64
"""Processes that may train one trial; all of them are on one machine."""

_DEVICE = re.compile(r"cpu|auto|mps|cuda(:\d{1,3})?")
_CARD = re.compile(r"\d{1,3}|(GPU|MIG)-[\w/.-]+")
_CUDA = ("cuda", "auto")
_KEYS = ("cards", "gpus")


def read_device(node: Node | None, devices: Devices | None, root: Node, mistakes: list[Mistake]) -> str:
    """Where models are trained: the CPU unless GPUs are given out."""
    device = node.value if node is not None else None
    if device is None:
        return "cpu" if devices is None else "cuda"
    if node is None or not isinstance(device, str) or not device.strip():
        mistakes.append((node or root).mistake(f"device must be text, got {_shown(node or root)}", "write device: cpu"))
        return "cpu"
    device = device.strip()
    if not _DEVICE.fullmatch(device):
        hint = did_you_mean({"gpu": "cuda"}.get(device, device), ("auto", "cpu", "cuda", "mps"))
        mistakes.append(node.mistake(f"there is no device {device!r}", hint))
    elif devices is not None and device not in _CUDA:
        problem = f"devices gives every worker GPUs of its own, and device is {device}"
        mistakes.append(node.mistake(problem, "write device: cuda, or drop devices"))
    return device


def read_devices(node: Node | None, mistakes: list[Mistake]) -> Devices | None:
    """``auto``, a list of cards, or ``{cards: [...], gpus: 0.5}``; None where nothing is given out."""
    if node is None or node.value is None:
        return None
    if not isinstance(node.value, dict):
        return Devices(_cards(node, mistakes))
    for key in [key for key in node.value if key not in _KEYS]:
        mistakes.append(node.keys[key].mistake(f"unknown key {key!r}", did_you_mean(key, _KEYS)))
    cards, gpus = node.value.get("cards"), node.value.get("gpus")
    return Devices(() if cards is None else _cards(cards, mistakes), None if gpus is None else _gpus(gpus, mistakes))


def check_processes(
    node: Node | None, count: int, objective: Objective | None, executor: Plugin | None, devices: Devices | None,
    mistakes: list[Mistake],
) -> None:  # fmt: skip
    """Refuse several processes for what only one can train."""
    if node is None or count == 1:
        return
    if objective is not None and objective.kind == "command":
        hint = f"write it into the command: torchrun --standalone --nproc-per-node {count}"
        mistakes.append(node.mistake("a command starts its processes itself", hint))
    elif objective is not None and objective.kind == "builtin" and not objective.trained_by_suite:
        mistakes.append(node.mistake(f"{objective.label} trains a model in one process", "use workers"))
    if executor is not None and "workers" not in options_of("executor", executor.name).knobs:
        problem = f"the executor {executor.name} trains in one process"
        mistakes.append(node.mistake(problem, "use executor: processes"))
    if devices is not None and devices.gpus is not None and devices.gpus < count:
        problem = f"{count} processes of a trial need a GPU each, and a worker gets {devices.gpus:g}"
        mistakes.append(node.mistake(problem, f"write devices: {{gpus: {count}}}"))


def check_executor(node: Node | None, executor: Plugin | None, mistakes: list[Mistake]) -> None:
    """Refuse to give out GPUs beside an executor that does so by itself."""
    if node is not None and executor is not None and "gpus" in options_of("executor", executor.name).knobs:
        problem = f"the executor {executor.name} gives out GPUs by itself"
        mistakes.append(node.mistake(problem, f"write executor: {{{executor.name}: {{gpus: 0.5}}}}"))


def _cards(node: Node, mistakes: list[Mistake]) -> tuple[str, ...]:
    if node.value == "auto":
        return ()
    example = "write devices: auto, devices: [0, 1], or devices: {gpus: 0.5}"
    if not isinstance(node.value, list) or not node.value:
        mistakes.append(node.mistake(f"devices is auto or a list of GPUs, got {_shown(node)}", example))
        return ()
    found: list[str] = []
    for item in node.value:
        card = str(item.value) if isinstance(item.value, (int, str)) and not isinstance(item.value, bool) else ""
        if not _CARD.fullmatch(card):
            problem = f"a GPU is a number, GPU-... or MIG-..., got {_shown(item)}"
            mistakes.append(item.mistake(problem, "nvidia-smi -L lists them"))
        elif card in found:
            mistakes.append(item.mistake(f"GPU {card} is named twice", "write gpus: 0.5 to have two workers share it"))
        found.append(card)
    return tuple(found)


def _gpus(node: Node, mistakes: list[Mistake]) -> float | None:
    value = node.value
    number = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    if 0 < number < 1 or (1 <= number < math.inf and number.is_integer()):
        return number
    problem = f"gpus is a whole number of GPUs for each worker, or a share of one, got {_shown(node)}"
    mistakes.append(node.mistake(problem, "gpus: 0.5 lets two workers share one"))
    return None


def _shown(node: Node) -> str:
    return node.kind if isinstance(node.value, (list, dict)) or node.value is None else spelt(node.value)
