"""Exceptions of other people's code in words that can be stored and printed, whatever they are."""

from __future__ import annotations

_MOST = 4000
"""Letters that are looked at; what an exception carries may be of any size."""


def told(error: BaseException) -> str:
    r"""Kind and text of an exception in one printable line of at most about 300 letters.

    >>> told(ValueError("not\n this \x1b[31m one")), told(KeyError()), told(ValueError(chr(0xDC80)))
    ('ValueError: not this \\x1b[31m one', 'KeyError', 'ValueError: \\udc80')
    """
    return f"{_kind(error)}: {' '.join(text_of(error).split())[:300]}".rstrip(": ")


def text_of(error: BaseException) -> str:
    """The exception's own text, printable but for its line ends; says so where it has none to give."""
    try:
        text = str(error)
    except Exception as another:  # its __str__ is the user's code too
        return f"(its text cannot be had: {_kind(another)})"
    return printable(text[:_MOST])


def printable(text: str) -> str:
    r"""The text with everything escaped that a terminal would obey, a store refuse, or an eye not see.

    >>> printable("a\tb\n\x1b\u202e\0")
    'a\tb\n\\x1b\\u202e\\x00'
    """
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


def _kind(error: BaseException) -> str:
    return printable(type(error).__name__[:100])
