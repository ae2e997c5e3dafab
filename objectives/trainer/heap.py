"""Memory that a training step frees stays with the process, for the next step.

glibc hands the top of its heap back to the system whenever enough of it is free, which is after every backward pass,
and each page of it is then cleared and mapped again in the next step: with batches of some hundred kB to some MB up to
seven percent of a small transformer's processor time. What is kept is never more than a step has had at its peak.

Pure: no torch.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
_KEPT = 1 << 30
_LARGEST = 32 << 20  # the most that all versions of glibc take


def keep_freed_memory() -> bool:
    """Tell glibc so; where there is another C library nothing is told, and False returned. See ``man mallopt``."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(_TRIM_THRESHOLD, _KEPT) and mallopt(_MMAP_THRESHOLD, _LARGEST))
