"""A training loop that somebody else owns, as an iterator over its learning curve.

Lightning, Hugging Face and Keras run the loop and call back. Here the loop runs in a thread of its own that holds still
at each callback until the next point is asked for, so it can be stopped and suspended like any other objective.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping
from typing import Any


class Stopped(BaseException):
    """Raised inside the callback when the trial is stopped; let it pass, so that the loop unwinds."""


def from_callback(fit: Callable[[Callable[[Mapping[str, Any]], None]], Any]) -> Generator[Mapping[str, Any], None, Any]:
    """Yield each point that ``fit(report)`` reports; what ``fit`` returns is the generator's return value.

    Args:
        fit: runs the whole training and calls ``report({"val_loss": ...})`` once for each point.

    Raises:
        BaseException: whatever ``fit`` raises.

    Examples:
        >>> list(from_callback(lambda report: [report({"loss": 1.0 / n}) for n in (1, 2)]))
        [{'loss': 1.0}, {'loss': 0.5}]
    """
    turn = threading.Semaphore(0)  # the loop may go on
    news = threading.Semaphore(0)  # there is a point, or the end
    state: dict[str, Any] = {"stop": False}

    def report(point: Mapping[str, Any]) -> None:
        if state["stop"]:  # nobody listens any more: also to what the loop's cleaning up reports
            raise Stopped
        state["point"] = dict(point)
        news.release()
        turn.acquire()
        if state["stop"]:
            raise Stopped

    def work() -> None:
        turn.acquire()
        try:
            if not state["stop"]:
                state["result"] = fit(report)
        except Stopped:
            pass
        except BaseException as error:  # handed to whoever iterates
            state["error"] = error
        finally:
            state["ended"] = True
            news.release()

    thread = threading.Thread(target=work, name="hpo-callback", daemon=True)
    thread.start()
    try:
        while True:
            turn.release()
            news.acquire()
            if "ended" in state:
                if "error" in state:
                    raise state["error"]
                return state.get("result")
            yield state.pop("point")
    finally:
        state["stop"] = True
        turn.release()
        thread.join()
