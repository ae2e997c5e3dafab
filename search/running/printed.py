"""The learning curve in what a program prints: JSON lines, ``epoch 3 val_loss=0.12``, progress bars, patterns.

A line is read for numbers with names. Those of the goals make a point as soon as all of them have come; whatever else
was named since the last point is in it too. Every other line is no point, and fails nothing. Where the same metric is
told in several ways, one of them is the curve: what is logged with a library, else what is printed on standard output,
else on standard error, else numbers that stand alone on their lines. Which it is shows with the second point, so the
first waits for it unless no better one can come; numbers that stand alone wait for the end, as a name may yet come.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any

from hpo.search.terms.named import COUNTERS, canonical, json_object, named_numbers, number_of

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x08+")
_BAR = re.compile(r"(?P<done>\d+)/(?P<of>\d+) \[|(?P<open>\d+)(?:it|ex) \[")
_STEPS = re.compile(r"\s*\d+/\d+ .*(/step|━|=>|\.{4})")
_EPOCH = re.compile(r"epochs?\W{0,3}(\d+)", re.IGNORECASE)
VALUE = "value"
"""What a number without a name is called; a goal of that name asks for such numbers as they come."""
_STEPS_BAR, _OVER = ("steps",), ("over",)


class Told(IntEnum):
    """How a number was told, the more telling first."""

    LOGGED = 0
    PRINTED = 1
    COMPLAINED = 2  # on standard error
    BARE = 3


class Readings:
    """Reads one run's lines in their order.

    Attributes:
        logs: whether a library that logs is there.
        seen: every metric that was named, with its last value.
        lines: the last lines on standard output that were no data.
        signs: of life: how many lines named a number or showed progress.
    """

    def __init__(
        self, goals: Sequence[str] = (), patterns: Mapping[str, str] | None = None, knobs: Iterable[str] = ()
    ) -> None:
        """Begin.

        Args:
            goals: metrics that make a point; without any, each JSON object or number on a line of its own does.
            patterns: regular expressions for metrics, each with one group, the number.
            knobs: names that are no metrics.
        """
        self._goals = tuple(goals)
        self._meant = {canonical(goal): goal for goal in self._goals}
        self._patterns = {name: re.compile(pattern) for name, pattern in (patterns or {}).items()}
        self._knobs = {canonical(knob) for knob in knobs} - set(self._meant)
        self._since: dict[Told, dict[str, Any]] = {}
        self._bars: dict[Told, tuple[tuple[str, ...], str]] = {}
        self._flushed: dict[Told, dict[str, Any]] = {}
        self._chosen: Told | None = None
        self._first: tuple[Told, Any] | None = None
        self._alone: list[Any] = []
        self._step = self._shift = 0
        self.logs = False
        self.seen: dict[str, Any] = {}
        self.lines: list[str] = []
        self.signs = 0
        self._text: list[str] = []

    def logged(self, metrics: Mapping[str, Any]) -> Iterator[Any]:
        """What a library was given; an empty mapping says that one is there."""
        self.logs = True
        if self._goals:
            yield from self._numbers(Told.LOGGED, dict(metrics))
        elif metrics:
            yield dict(metrics)

    def printed(self, line: str, *, over: bool = False, error: bool = False) -> Iterator[Any]:
        """A line that was printed; ``over`` where a carriage return let the next one be written over it."""
        how = Told.COMPLAINED if error else Told.PRINTED
        text = _ESCAPES.sub("", line)
        key = _progress(text, over=over)
        if key is None and self._bars.get(how, ("", ""))[0] == _OVER:
            del self._bars[how]  # this line was written over it
        if how in self._bars and self._bars[how][0] != key and text.strip():
            yield from self._flush(how)
        if key is None:
            yield from self._line(how, text)
        elif text.strip():
            self.signs += 1
            self._bars[how] = key, text
            self._note(how, line + ("\r" if over else "\n"))
        if how in self._bars and not over and key != _STEPS_BAR:
            yield from self._flush(how)

    def text(self) -> str:
        """What was printed since, for the trial's log; lines that are data alone are not in it."""
        text, self._text = "".join(self._text), []
        return text

    def missing(self) -> list[str]:
        """Goals that were never told."""
        return [goal for goal in self._goals if goal not in self.seen]

    def end(self) -> Iterator[Any]:
        """The program has ended."""
        for how in list(self._bars):
            yield from self._flush(how)
        if self._first is not None and self._chosen is None and not self._stray(self._first[0]):
            self._chosen, point = self._first
            yield self._stepped(point)
        elif self._chosen is None and not self.seen:
            yield from map(self._stepped, self._alone)

    def _flush(self, how: Told) -> Iterator[Any]:
        key, text = self._bars.pop(how)
        found = {name: value for name, value in self._named(text).items() if canonical(name) not in COUNTERS}
        full = key[0] == "count" and key[1] == key[2]
        if not full or self._flushed.get(how) != found:  # a full bar may show its last state once more
            yield from self._numbers(how, found)
        self._flushed[how] = found

    def _line(self, how: Told, line: str) -> Iterator[Any]:
        text = line.strip()
        if not text:
            return
        whole = json_object(text) if text.startswith("{") else None
        if not self._goals and how is Told.PRINTED and whole is not None:
            yield whole
            return
        bare = _bare(text) if how is Told.PRINTED and whole is None else None
        if bare is not None:
            self.signs += 1
            yield from self._point(Told.BARE, bare) if self._goals else iter([bare])
            return
        if whole is None:
            self._note(how, f"{line}\n")
        found = self._named(text)
        self.signs += bool(found)
        drop = () if whole is not None else COUNTERS
        yield from self._numbers(how, {name: value for name, value in found.items() if canonical(name) not in drop})

    def _note(self, how: Told, text: str) -> None:
        if how is Told.PRINTED:  # standard error is noted as it comes
            self.lines = [*self.lines, text.rstrip()][-5:]
            self._text.append(text)

    def _named(self, text: str) -> dict[str, Any]:
        found = named_numbers(text)
        for name, pattern in self._patterns.items():
            found = {other: value for other, value in found.items() if canonical(other) != canonical(name)}
            match = pattern.search(text)
            number = None if match is None or match[1] is None else number_of(match[1].strip())
            if number is not None:
                found[name] = number
        return found

    def _numbers(self, how: Told, found: Mapping[str, Any]) -> Iterator[Any]:
        """Numbers that came together; what is missing to a point may follow."""
        since = self._since.setdefault(how, {})
        for name, value in found.items():
            key = name if name in self._goals else self._meant.get(canonical(name), name)
            if canonical(name) not in self._knobs and not (key in self._goals and key != name and key in found):
                since[key] = value
                self.seen[key] = value
        if self._goals and all(goal in since for goal in self._goals):
            self._since[how] = {}
            yield from self._point(how, since)

    def _stray(self, how: Told) -> bool:
        """Whether a number that stands alone means nothing, as others have names."""
        return how is Told.BARE and bool(self.seen)

    def _point(self, how: Told, point: Any) -> Iterator[Any]:
        if self._chosen is not None:
            if how is self._chosen:
                yield self._stepped(point)
            return
        if how is Told.BARE and self._goals != (VALUE,):  # the sizes of data come before the first metric, too
            self._alone.append(point)
            return
        if self._stray(how) or (self._first is not None and how > self._first[0]):
            return
        if self._first is not None and how is self._first[0]:
            self._chosen = how
            yield self._stepped(self._first[1])
            yield self._stepped(point)
        elif how is Told.LOGGED or (how is Told.PRINTED and not self.logs):
            self._chosen = how
            yield self._stepped(point)
        else:
            self._first = how, point

    def _stepped(self, point: Any) -> Any:
        """The point with its own step where that grows, from 1 on; else it is counted."""
        if not isinstance(point, dict) or "step" not in point:
            self._step += 1
            return point
        step = point["step"]
        if self._step == 0 and step == 0:
            self._shift = 1
        if float(step).is_integer() and step + self._shift > self._step:
            self._step = int(step) + self._shift
            return {**point, "step": self._step}
        self._step += 1
        return {name: value for name, value in point.items() if name != "step"}


def _progress(text: str, *, over: bool) -> tuple[str, ...] | None:
    """What tells a state of a progress bar from the next one that counts; None for a line that is none.

    Of a bar that belongs to an epoch the last state is the epoch's; one that counts by itself has a state a count.
    """
    bar, epoch = _BAR.search(text), _EPOCH.search(text)
    if bar is None and not over:
        return _STEPS_BAR if _STEPS.match(text) else None
    if epoch is not None:
        return "epoch", epoch[1]
    return ("count", bar["done"] or bar["open"], bar["of"] or "") if bar is not None else _OVER


def _bare(text: str) -> int | float | None:
    """A number that is all of a line."""
    try:
        found = json.loads(text) if len(text) < 1000 else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, (int, float)) and not isinstance(found, bool) else None
