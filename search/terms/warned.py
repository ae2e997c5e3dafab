"""Warnings of libraries as plain sentences, each once: what a thousand trials would repeat is said a single time.

Python shows a warning with its place in the library's source, and again after every ``catch_warnings``.
"""

from __future__ import annotations

import contextlib
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hpo.search.terms.errors import Advice

_LONGEST = 400
_INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\]([\w-]+)")


def sentence(message: Warning | str, category: type[Warning], filename: str, line: int) -> str:
    """What a warning says, in one line, and who says it; advice of the suite says only itself.

    >>> sentence("old\\n  name", FutureWarning, "/usr/lib/site-packages/sklearn/base.py", 7)
    'sklearn warns: old name'
    >>> sentence("careful", UserWarning, "/home/me/mine.py", 7)
    'mine.py, line 7, warns: careful'
    """
    told = " ".join(str(message).split())
    if issubclass(category, Advice):
        return told
    found = _INSTALLED.search(filename)
    who = found[1] if found else f"{Path(filename).name}, line {line},"
    return f"{who} warns: {told[:_LONGEST] or category.__name__}"


class AsWarnings(logging.Handler):
    """Makes a warning of what a library logs, so that it is told as its other warnings are."""

    def emit(self, record: logging.LogRecord) -> None:
        """Warn of one record, where it came from."""
        with contextlib.suppress(UserWarning):  # where warnings are errors: no library expects one of its own log
            warnings.warn_explicit(record.getMessage(), UserWarning, record.pathname, record.lineno)


@contextmanager
def once(tell: Callable[[str], None]) -> Iterator[None]:
    """Have each warning told as a sentence, and none twice."""
    said: set[str] = set()

    def show(message: Warning | str, category: type[Warning], filename: str, line: int, *further: Any) -> None:
        told = sentence(message, category, filename, line)
        if told not in said:
            said.add(told)
            tell(told)

    with warnings.catch_warnings():
        warnings.simplefilter("always", Advice)
        warnings.showwarning = show  # type: ignore[assignment] # called with all of its arguments by place
        yield
