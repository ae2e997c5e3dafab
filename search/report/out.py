"""The one place where text goes out to a terminal: what could move its cursor or reorder its letters is shown escaped.

Names, reasons and values come from stores, study files and objectives, which may be somebody else's. Pure but for the
printing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from hpo.search.running.log import screen

if TYPE_CHECKING:
    from rich.console import Console

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
"""Control characters but tab and line feed, marks and overrides of writing direction, and halves of surrogate pairs."""


def clean(text: str) -> str:
    r"""The same text with unsafe characters as Python escapes.

    >>> clean("a\x1b[31mb\u202ec"), clean("two\nlines\tand é")
    ('a\\x1b[31mb\\u202ec', 'two\nlines\tand é')
    """
    return _UNSAFE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def say(text: object = "", *, file: TextIO | None = None, flush: bool = False) -> None:
    """Print a message."""
    print(clean(str(text)), file=screen(file), flush=flush)


def data(text: str) -> None:
    """Write data to standard output: as it is into a file or pipe, cleaned on a terminal."""
    stream = screen()
    stream.write(clean(text) if stream.isatty() else text)


def ask(question: str) -> bool:
    """Ask on the terminal; whether the answer is yes."""
    try:
        return input(f"{clean(question)} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def console(*, wrap: bool = False) -> Console:
    """A rich console whose texts are cleaned before they are laid out; ``wrap`` breaks long lines."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class Clean(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                yield segment if segment.control else Segment(clean(segment.text), segment.style)

    return Clean(file=screen(), highlight=False, soft_wrap=not wrap)
