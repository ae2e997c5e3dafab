"""What of a machine the last digits of a training depend on."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path


def machine(device: str) -> dict[str, str]:
    """Processor, platform, threads of a trial's numerical libraries, and the device that models train on."""
    threads = os.environ.get("OMP_NUM_THREADS") or str(os.cpu_count() or 1)
    system = " ".join(filter(None, (platform.system(), platform.machine(), *platform.libc_ver())))
    return {"cpu": _cpu(), "platform": system, "threads": threads, "device": device}


@cache
def _cpu() -> str:
    """The processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.lower().startswith(("model name", "cpu model"))]
    return next(filter(None, named), "") or platform.processor() or platform.machine() or "unknown"
