"""The samples of an optimizer step shared among devices and micro-batches.

Pure: no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """How a step is cut: ``per_device`` x ``devices`` x ``accumulation`` samples.

    Attributes:
        per_device: samples of one micro-batch on one device.
        devices: data-parallel devices.
        accumulation: micro-batches that each device adds up before the step.
        wanted: samples of the step as the recipe has it.
    """

    per_device: int
    devices: int
    accumulation: int
    wanted: int

    @property
    def effective(self) -> int:
        """Samples of one optimizer step over all devices."""
        return self.per_device * self.devices * self.accumulation

    @property
    def difference(self) -> int:
        """Samples by which the step is larger than the recipe's, negative where it is smaller."""
        return self.effective - self.wanted


def share(wanted: int, micro: int, devices: int) -> Share:
    """Cut a step of ``wanted`` samples for so many devices, in micro-batches of at most ``micro`` samples.

    Where the devices divide the step it stays as it is, in the largest micro-batch that divides a device's part;
    otherwise it is the nearest multiple of the devices, the smaller one of two as near, and never less than one sample
    a device.

    >>> share(64, 12, 2), share(12, 64, 8).effective, share(64, 12, 2).effective
    (Share(per_device=8, devices=2, accumulation=4, wanted=64), 8, 64)
    """
    low = max(1, wanted // devices)
    part = low if wanted - low * devices <= (low + 1) * devices - wanted else low + 1
    per_device = next(size for size in range(min(micro, part), 0, -1) if part % size == 0)
    return Share(per_device, devices, part // per_device, wanted)


def roomier(found: Share, micro: int) -> int:
    """A nearby step whose micro-batches are the full ``micro``; 0 where those found are at least half of it.

    >>> roomier(share(127, 64, 1), 64), roomier(share(128, 64, 1), 64)
    (128, 0)
    """
    part = found.per_device * found.accumulation
    if 2 * found.per_device > min(micro, part):
        return 0
    return max(1, round(part / micro)) * micro * found.devices
