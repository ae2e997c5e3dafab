"""How a loop at work is stopped by signals."""

from __future__ import annotations

import signal
import threading
from typing import Any

from hpo.search.engine.context import Progress
from hpo.search.engine.loop import Loop


def drive(loop: Loop, progress: Progress, phase: str) -> None:
    """Run a loop; the first Ctrl-C ends it after the round is recorded, the second at once."""

    def on_signal(signum: int, frame: Any) -> None:
        if loop.stop:
            raise KeyboardInterrupt
        loop.stop = True
        progress.say("stopping after this round is recorded (again to stop now)")

    handlers = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handlers[number] = signal.signal(number, on_signal)
    try:
        progress.opened(loop, phase)
        loop.run()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
