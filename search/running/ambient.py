"""What a process has one of, and every training run in it takes for its own: random streams, and whether torch records
gradients.

A generator that is paused leaves them as they are, in the middle of its training; another one would go on from there.
So each run has them back as it left them, and trains what it trains alone.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any, Protocol


class Owner(Protocol):
    """A run: ``ambient`` sets back what was left when another one was let in, None before."""

    ambient: Callable[[], None] | None


_owner: Owner | None = None


def enter(run: Owner) -> None:
    """Let a run train from now on, with everything as it left it; costs nothing where it was the last to train."""
    global _owner
    if _owner is run:
        return
    if _owner is not None:
        _owner.ambient = _kept()
        torch = sys.modules.get("torch")
        if torch is not None:  # of somebody's ``with torch.no_grad()`` that is still open
            torch.set_grad_enabled(True)
    _owner = run
    if run.ambient is not None:
        run.ambient()


def leave(run: Owner) -> None:
    """Say that a run has ended."""
    global _owner
    run.ambient = None
    if _owner is run:
        _owner = None


def _kept() -> Callable[[], None]:
    """Sets everything to what it is now."""
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    python = random.getstate()
    arrays = numpy.random.get_state() if numpy is not None else None
    tensors = torch.get_rng_state() if torch is not None else None
    devices: Any = torch.cuda.get_rng_state_all() if torch is not None and torch.cuda.is_initialized() else None
    gradients = torch is None or torch.is_grad_enabled()

    def back() -> None:
        random.setstate(python)
        if numpy is not None:
            numpy.random.set_state(arrays)
        if torch is not None:
            torch.set_rng_state(tensors)
            torch.set_grad_enabled(gradients)
        if torch is not None and devices is not None:
            torch.cuda.set_rng_state_all(devices)

    return back
