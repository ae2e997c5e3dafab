"""Everything ends: the time of the budget and the grace after a signal hold whatever a step does.

::

    soft    time is up: executors that wait for workers return; a step in this process is interrupted by OutOfTime
    hard    it still has not returned: what is known is recorded from a thread of its own, and the command leaves

The engine's own work is never interrupted: it holds a lock except while it is inside a verb of the executor, and all
that ends a step from outside takes that lock, or looks whether it is free. Where the process is not the command's own
(a notebook, a script) nothing is killed: there the study ends as soon as the step lets it.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakSet

from hpo.search.running import leaving
from hpo.search.running.forks import stay
from hpo.search.running.guard import Guard
from hpo.search.terms.errors import Interrupted, OutOfTime

if TYPE_CHECKING:
    from hpo.search.store.session import Session

T = TypeVar("T")

GRACE = 20.0
"""Seconds after a signal by which the command has recorded and left."""

_PATIENCE = 1.0
"""Seconds beyond its time that a step may take to end by itself, and between two interruptions."""

_STUBBORN = 5.0
"""Seconds beyond that after which the command leaves from under a step that cannot be interrupted."""

_NUDGE = signal.SIGRTMIN + 4 if hasattr(signal, "SIGRTMIN") else signal.SIGALRM
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TICK = 0.25


class Work(Protocol):
    """What is watched: the search loop, as far as the watch needs it."""

    stop: bool
    """To end after the current round is recorded."""

    @property
    def at_work(self) -> str:
        """What it is doing, in words."""

    def run(self) -> None:
        """Do it."""

    def rest(self) -> None:
        """Record that it ends in good order."""

    def give_up(self) -> None:
        """Record that its time is up."""


class Watch:
    """Watches over one run of a study; a context manager.

    Attributes:
        began: when the command's work began, on the monotonic clock.
        stop: whether a signal has come.
        sessions: of the stores that are written, to be closed where the command leaves.
    """

    def __init__(self, grace: float = GRACE, say: Callable[[str], None] = lambda message: None) -> None:
        self.began = time.monotonic()
        self._deadline: float | None = None
        self.stop = False
        self._grace, self._say = grace, say
        self._signalled: float | None = None  # when the first signal came
        self._again: float | None = None  # when the second one came
        self._signal = ""
        self._handled = False  # whether the main thread has seen it
        self._verb = ""
        self._since: float | None = None  # since when it is inside a verb of the executor
        self._here = True  # whether that trains in this process
        self._nudged = 0.0
        self._lock = threading.Lock()  # held by the engine at work
        self._loop: Work | None = None
        self._main = threading.current_thread() is threading.main_thread()
        self._home = os.getpid()
        self._handlers: dict[int, Any] = {}
        self._thread: threading.Thread | None = None
        self._guard: Guard | None = None
        self._recording = contextlib.ExitStack()
        self._ends: tuple[int, int] | None = None  # a pipe that signals write to, whatever the main thread does
        self._wakeup = -1
        self.sessions: list[Session] = []

    # --- for the engine ---------------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """When the time of what runs now is up, on the monotonic clock; None for no limit."""
        return self._deadline

    @deadline.setter
    def deadline(self, moment: float | None) -> None:
        self._deadline = moment
        self._tell_guard()

    def _tell_guard(self) -> None:
        """Say from both threads how long all may go on without another word from either."""
        if self._guard is not None:
            moment = self._deadline
            last = math.inf if moment is None else max(moment, time.monotonic()) + _PATIENCE + _STUBBORN
            self._guard.until(last)

    @property
    def elapsed(self) -> float:
        """Seconds since the command's work began."""
        return time.monotonic() - self.began

    def expired(self) -> bool:
        """Whether what runs now is to end, because its time is spent or the grace after a signal nearly is."""
        now = time.monotonic()
        return self._spent(now) or (self._signalled is not None and now >= self._signalled + 0.75 * self._grace)

    def out_of_time(self) -> bool:
        """Whether the time of what runs now is spent."""
        return self._spent(time.monotonic())

    def begin(self) -> None:
        """Count time from here: what was waited for before is none of the budget's."""
        self.began = time.monotonic()

    def check(self) -> None:
        """End here where a signal has come.

        Raises:
            Interrupted: one has.
        """
        if self.stop:
            raise Interrupted(self._stopped("stopped"))

    def ask(self, who: str) -> None:
        """Stop as by a signal, because somebody asks for it; called by a thread of its own."""
        if self._signalled is None:
            self._stop_by(f"hpo stop ({who})")

    def writes(self, session: Session) -> None:
        """Take note of a store that is written from now on."""
        self.sessions.append(session)
        leaving.stores()

    def _stopped(self, how: str) -> str:
        """What is told of a command that a signal stopped: where it is when it is run again."""
        return f"{how}; the same command goes on from here" if self.sessions else f"{how} before anything was stored"

    def drive(self, loop: Work) -> None:
        """Run a loop; see ``Loop.run`` for what it raises."""
        with self._lock:
            self._loop = loop
            try:
                loop.run()
            finally:
                self._loop = None

    def inside(self, verb: str, function: Callable[..., T], *arguments: Any, here: bool = True) -> T:
        """Call what runs other people's code, interrupted when its time is up.

        Args:
            verb: what it is, in a word.
            function: is called with the arguments.
            here: it runs in this process; what waits for others looks at ``expired`` itself.

        Raises:
            OutOfTime: it was interrupted.
        """
        working, began = self._loop is not None, time.monotonic()
        self._verb, self._here = verb, here
        if working:
            self._lock.release()
        try:
            try:
                self._since = time.monotonic()
                made = stay(function, *arguments) if here else function(*arguments)
            finally:
                self._since = None
        finally:  # twice, as an interruption may come between two lines
            self._since = None
            if working:
                self._lock.acquire()
        if self._deadline is not None:
            late = time.monotonic() - max(began, self._deadline)
            if late > _PATIENCE + _STUBBORN:
                self._say(f"what ran could not be interrupted for {late:.0f} s (executor: processes can)")
        return made

    # --- signals ----------------------------------------------------------------------------------------------------

    def __enter__(self) -> Watch:
        if self._main:
            self._ends = os.pipe()
            for end in self._ends:
                os.set_blocking(end, False)
            for number in (*_STOPPING, _NUDGE):
                if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
                    self._handlers[number] = signal.signal(number, self._on_signal)
            self._wakeup = signal.set_wakeup_fd(self._ends[1], warn_on_full_buffer=False)
            if leaving.is_command():
                self._guard = Guard(self._ends[0], 0.95 * self._grace)
            self._thread = threading.Thread(target=self._work, name="hpo-watch", daemon=True)
            self._thread.start()
            self._recording.enter_context(leaving.recording(self._record))
            _watching.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._thread is None or self._ends is None:
            return
        thread, self._thread = self._thread, None
        os.write(self._ends[1], b"\0")
        thread.join()  # first, as it interrupts by a signal that only our handler may take
        self.restore()
        self._recording.close()
        if self._guard is not None:
            self._guard.wait()
        for end in self._ends:
            os.close(end)

    def restore(self) -> None:
        """Give signals back to whom they belonged."""
        _watching.discard(self)
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number == _NUDGE:
            if self._since is not None and self._here and os.getpid() == self._home:
                raise OutOfTime
            return
        if self.stop and self._handled:
            raise KeyboardInterrupt
        self.stop = self._handled = True
        if self._loop is not None:
            self._loop.stop = True

    # --- the watching thread ----------------------------------------------------------------------------------------

    def _work(self) -> None:
        assert self._ends is not None
        while True:
            select.select([self._ends[0]], [], [], _TICK)
            with contextlib.suppress(BlockingIOError):
                for number in os.read(self._ends[0], 4096):
                    if number == 0:
                        return
                    if number in _STOPPING:
                        self._heard(number)
            self._act(time.monotonic())

    def _heard(self, number: int) -> None:
        """Take note of a signal here too: the main thread may be in a call that does not let it look."""
        if self._signalled is not None:
            self._again = self._again or time.monotonic()
            return
        self._stop_by(signal.Signals(number).name)

    def _stop_by(self, what: str) -> None:
        self._signalled, self._signal, self.stop = time.monotonic(), what, True
        if (loop := self._loop) is not None:
            loop.stop = True
        with contextlib.suppress(Exception):  # after SIGHUP there may be no terminal to tell it
            after = " after this round is recorded" if self.sessions else ""
            by = "" if what.startswith("SIG") else f" by {what}"
            self._say(f"stopping{by}{after} (again to stop now)")

    def _act(self, now: float) -> None:
        since = self._since
        soft, hard = self._limits(since)
        self._tell_guard()
        if since is not None and self._here and now >= soft and now - self._nudged >= _PATIENCE:
            self._nudged = now
            signal.pthread_kill(threading.main_thread().ident or 0, _NUDGE)
        if now >= hard and leaving.is_command():
            self._leave(now)

    def _limits(self, since: float | None) -> tuple[float, float]:
        """When a step is interrupted, and when it is left to itself."""
        soft = hard = math.inf
        if self.deadline is not None and since is not None:
            soft = max(self.deadline, since) + _PATIENCE
            hard = soft + _STUBBORN
        if self._signalled is not None:
            soft, hard = min(soft, self._signalled + 0.75 * self._grace), min(hard, self._signalled + 0.9 * self._grace)
        if self._again is not None:
            hard = min(hard, self._again + _PATIENCE)
        return soft, hard

    def _leave(self, now: float) -> None:
        if self._signalled is not None:
            left = max(0.05 * self._grace, self._signalled + 0.98 * self._grace - now)
            leaving.leave(leaving.STOPPED, self._stopped(f"stopped by {self._signal}"), left)
        what = self._loop.at_work if self._loop is not None else f"the {self._verb or 'import'}"
        leaving.leave(
            leaving.BROUGHT_DOWN,
            f"time was up, and {what} could not be interrupted; what was recorded is stored, and the same command goes "
            "on from here (--executor processes ends such steps and goes on by itself)",
        )

    def _record(self) -> None:
        """Record what can be before the process leaves, in another thread than the main one."""
        if self._lock.acquire(timeout=_PATIENCE) and self._loop is not None:  # kept: nothing goes on after this
            if self.stop and self._verb == "advance":  # all else is done again
                self._loop.rest()
            elif not self.stop and self._spent(time.monotonic()):
                self._loop.give_up()
        for session in reversed(self.sessions):
            session.close()

    def _spent(self, now: float) -> bool:
        return self.deadline is not None and now >= self.deadline


_watching: WeakSet[Watch] = WeakSet()


def _in_child() -> None:
    """A forked child hears signals as it would without the engine."""
    for watch in list(_watching):
        watch.restore()


os.register_at_fork(after_in_child=_in_child)
