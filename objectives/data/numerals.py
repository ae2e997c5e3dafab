"""Numbers as people write them: with commas, with spaces between thousands, with a percent sign or a currency.

A form says how the numbers of a column are written: the decimal mark where there are commas, points or spaces between
thousands, then the unit that every value has. ``",EUR"`` reads 1 200,50 EUR, ``".$"`` reads $1,200.50, ``"%"`` 12%, and
an empty one plain numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from numbers import Number
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

MARKS = (".", ",")
"""Decimal marks that text with commas is tried with, in this order: 1,234 is a thousand and more, 0,53 a half."""

PERCENT = ("%", "\u2030")
_SIGNS = (
    "US$", "A$", "C$", "R$", "$", "\u20ac", "\u00a3", "\u00a5", "\u20b9", "\u20a9", "\u20bd", "\u20ba",
    "z\u0142", "kr", "Fr.",
)  # fmt: skip
_CODES = (
    "EUR", "USD", "GBP", "CHF", "JPY", "CNY", "CAD", "AUD", "NZD", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "INR",
    "BRL", "MXN", "ZAR", "KRW", "TRY", "ILS", "SGD", "HKD",
)  # fmt: skip
UNITS = (*PERCENT, *_SIGNS, *_CODES)
"""What may stand before or behind a number, per cent behind it only."""

_TRUTHS = {"true": 1.0, "false": 0.0}

_ONE = "|".join(map(re.escape, UNITS))
_WITH_UNIT = re.compile(rf"(?P<sign>[+-]?)\s*(?P<before>{_ONE})?\s*(?P<number>[+-]?\d.*?)\s*(?P<behind>{_ONE})?")

_SPACES = "\u0020\u00a0\u202f'\u2019"
"""What else stands between thousands."""


def _grouped(mark: str, other: str) -> re.Pattern[str]:
    thousands = rf"[1-9]\d{{0,2}}(?P<between>[{other}{_SPACES}])\d{{3}}((?P=between)\d{{3}})*"
    return re.compile(rf"[+-]?(\d+|{thousands})({re.escape(mark)}\d*)?([eE][+-]?\d+)?")


_GROUPS = {".": _grouped(".", ","), ",": _grouped(",", ".")}
_BETWEEN = {".": re.compile(f"[,{_SPACES}]"), ",": re.compile(f"[.{_SPACES}]")}

_POINTED = re.compile(r"[+-]?(\d+|[1-9]\d{0,2}(\.\d{3})+)")

_BRACKETED = re.compile(r"([^()\d+-]*)\(([^()+-]*\d[^()+-]*)\)([^()\d+-]*)")
_TRAILING = re.compile(r"([^+-]*\d[^+-]*)-([^+\d-]*)")


def signed(text: str) -> str:
    """A text, stripped, with its minus in front, as a hyphen: bookkeepers put it behind, or brackets around.

    >>> signed("(1,200.50)"), signed("1.200,50- EUR"), signed("\u22125")
    ('-1,200.50', '-1.200,50 EUR', '-5')
    """
    text = text.strip().replace("\u2212", "-")
    if text.endswith(")") or "(" in text:
        found = _BRACKETED.fullmatch(text)
        return f"-{''.join(found.groups())}" if found is not None else text
    if "-" in text[1:] and (found := _TRAILING.fullmatch(text)) is not None:
        return f"-{''.join(found.groups())}"
    return text


def forms(texts: pd.Series[str], decimal: str = "") -> Sequence[str]:
    """Forms that these texts may be numbers in, the likeliest first: the plainest, or with the mark that the user says.

    Args:
        texts: stripped.
        decimal: the decimal mark, where the user says it.
    """
    unit = unit_of(texts)
    marked = bool(unit) or texts.str.contains("[.,]").any()  # 030 123 456 is no number
    if not marked:
        return (unit,)
    return (f"{decimal}{unit}", unit) if decimal == "," else (unit, *(f"{mark}{unit}" for mark in decimal or MARKS))


def unit_of(texts: pd.Series[str]) -> str:
    """The one unit that stands beside numbers; empty where there is none, or several."""
    found = {parts[1] for text in texts.unique() if (parts := _split(text)) is not None and parts[1]}
    return next(iter(found)) if len(found) == 1 else ""


def parse(values: pd.Series[Any], form: str = "") -> pd.Series[float]:
    """Numbers, NaN for what is none.

    Args:
        values: cells. One that is a number is that number, whatever the form: only texts are written in one.
        form: how they are written. A number without a currency is one all the same; without a percent sign it may be
            a share, and is none.
    """
    import pandas as pd

    read: pd.Series[float] = pd.to_numeric(values.map(lambda cell: _plain(cell, form)), errors="coerce").astype(float)
    return read


def _plain(cell: Any, form: str) -> Any:
    """A cell as ``pandas.to_numeric`` reads it; None for a text that is not written in this form."""
    if not isinstance(cell, str):
        return cell if cell is None or isinstance(cell, Number) else None
    mark, unit = (form[0], form[1:]) if form[:1] in MARKS else ("", form)
    text: str | None = signed(cell)
    if unit and text is not None:
        text = _without(text, unit)
    if text is None:
        return None
    if not mark:
        return _TRUTHS.get(text.lower(), text)
    if _GROUPS[mark].fullmatch(text) is None:
        return None
    return _BETWEEN[mark].sub("", text).replace(mark, ".")


def written_note(texts: pd.Series[str], form: str, other: str) -> str:
    """How numbers are read that are not plain, and which key changes it; follows the name of a column.

    Args:
        texts: of the column.
        form: in which it is read.
        other: the key that reads it in another way, where no comma is doubtful.
    """
    if not form:
        return ""
    mark, unit = (form[0], form[1:]) if form[0] in MARKS else ("", form)
    shown = next((text for text in texts if "," in text), "")
    units = f", without the {unit!r} of {next(text for text in texts if unit in text)!r}" if unit else ""
    if mark and shown:
        use = "between thousands" if mark == "." else "before decimals"
        told = f"is read as numbers{units}, the comma of {shown!r} {use}"
        return f"{told}; decimal: {',' if mark == '.' else '.'!r} changes that"
    if mark == "," and (shown := next((text for text in texts if "." in text), "")):
        return f"is read as numbers{units}, the point of {shown!r} between thousands; decimal: '.' changes that"
    return f"is read as numbers{units}; {other} changes that"


def pointed(values: pd.Series[Any]) -> str:
    """One of the texts with a point, where every number has points as thousands have them, or none; else empty."""
    texts = [text for text in values.dropna().unique() if isinstance(text, str) and any(map(str.isdigit, text))]
    found = ""
    for text in texts:
        parts = _split(text)
        if parts is None or _POINTED.fullmatch(parts[0]) is None:
            return ""
        found = found or (text if "." in parts[0] else "")
    return found


def number_form(values: pd.Series[Any], decimal: str = "", share: float = 1.0) -> str:
    """The form in which this share of the texts are numbers, where some has a comma or a unit; empty where none is.

    With a comma as the mark that the user says, points may stand between thousands, without any comma.
    """
    texts = values[values.map(lambda cell: isinstance(cell, str))].str.strip()
    if texts.empty or not (texts.str.contains(",", regex=False).any() or decimal == "," or unit_of(texts)):
        return ""
    return next((form for form in forms(texts, decimal) if form and parse(texts, form).notna().mean() >= share), "")


def _split(text: str) -> tuple[str, str] | None:
    """A number and its unit, empty where it has none; None for what is no number with at most one."""
    found = _WITH_UNIT.fullmatch(signed(text)) if isinstance(text, str) else None
    if found is None or (found["before"] and found["behind"]) or found["before"] in PERCENT:
        return None
    return f"{found['sign']}{found['number']}", found["before"] or found["behind"] or ""


def _without(text: str, unit: str) -> str | None:
    """The number of a text with this unit; as it is where it has none, and that may be meant."""
    found = _split(text)
    if found is None or (found[1] != unit and (found[1] or unit in PERCENT)):
        return None
    return found[0]
