"""Which GPUs of a machine a study's workers are given, and how many each."""

from __future__ import annotations

from dataclasses import dataclass

SETTINGS = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
"""Without it CUDA counts the fastest first, and its numbers are not those of nvidia-smi."""


@dataclass(frozen=True)
class Devices:
    """What a study file says under ``devices``.

    Attributes:
        cards: numbers as nvidia-smi counts them, UUIDs, or names of MIG instances; empty takes all that there are, the
            ones with most free memory first.
        gpus: what a worker gets of them: a whole number, or a share below 1; None for one for each of the processes
            that train a trial.
    """

    cards: tuple[str, ...] = ()
    gpus: float | None = None


def environment(place: str) -> dict[str, str]:
    """What shows a process these GPUs and no others, as it must stand before the first CUDA call.

    >>> environment("1,3")["CUDA_VISIBLE_DEVICES"]
    '1,3'
    """
    return {**SETTINGS, "CUDA_VISIBLE_DEVICES": place}


def shown(place: str) -> str:
    """A worker's GPUs as a person reads them.

    >>> shown("1"), shown("0,2"), shown("GPU-5ee3")
    ('gpu 1', 'gpu 0, 2', 'GPU-5ee3')
    """
    text = ", ".join(place.split(","))
    return f"gpu {text}" if place[:1].isdigit() else text
