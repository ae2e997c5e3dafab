"""Whether bytes are text: UTF-8 without NUL, and what to do where they are not."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

from hpo.search.terms.errors import DataError


class NotText(DataError):
    """A file whose bytes are not UTF-8 text."""


class Checked:
    """Whether bytes are UTF-8 text, a chunk at a time."""

    def __init__(self, path: Path) -> None:
        """Start before the first byte of a file."""
        self._path, self._before, self._pending = path, 0, b""

    def add(self, chunk: bytes) -> None:
        """Check the bytes that come next.

        Raises:
            NotText: they are none.
        """
        if not self._before and chunk[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise NotText(f"{self._path} is UTF-16: convert it with iconv -f UTF-16 -t UTF-8")
        if (place := chunk.find(b"\0")) >= 0:
            raise NotText(
                f"{self._path} has a NUL byte at byte {self._before + place}: it is no plain text; "
                "export it as UTF-8, or remove such bytes with tr -d '\\000'"
            )
        if self._pending or not chunk.isascii():
            self._decode(self._pending + chunk, final=False)
        self._before += len(chunk)

    def end(self) -> None:
        """Check that the file does not end within a character."""
        self._decode(self._pending, final=True)

    def _decode(self, data: bytes, *, final: bool) -> None:
        try:
            consumed = codecs.utf_8_decode(data, "strict", final)[1]
        except UnicodeDecodeError as error:
            place = self._before - len(self._pending) + error.start
            raise NotText(
                f"{self._path} is not UTF-8 at byte {place} (0x{data[error.start]:02x}): convert it with "
                "iconv -f LATIN1 -t UTF-8 or from what it is, or drop such bytes with iconv -c -f UTF-8 -t UTF-8"
            ) from None
        self._pending = data[consumed:]


def json_text(path: Path, number: int, line: bytes, field: str) -> bytes:
    """Text of a JSON line in UTF-8; nothing for a blank line."""
    if not line or line.isspace():
        return b""
    try:
        value = json.loads(line.decode())
    except UnicodeDecodeError:
        raise NotText(f"{path}:{number} is not UTF-8: JSON Lines are UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path}:{number} is no JSON ({error}): each line must be an object with the field {field!r}"
        ) from None
    if not isinstance(value, dict) or not isinstance(value.get(field), str):
        there = ", ".join(map(repr, list(value)[:8])) if isinstance(value, dict) else type(value).__name__
        what = "is no text" if isinstance(value, dict) and field in value else "is missing"
        raise DataError(
            f"{path}:{number}: the field {field!r} {what}; the line has {there}: name another with field: ..."
        )
    text: str = value[field]
    if "\0" in text:
        raise NotText(f"{path}:{number}: the text has a NUL character (\\u0000): remove it")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise NotText(
            f"{path}:{number}: the text has half of a surrogate pair (\\ud800 to \\udfff): remove it"
        ) from None
