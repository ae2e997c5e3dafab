"""Texts that may stand for a missing value, in small letters, and are not read as one without more."""

from __future__ import annotations

MARKS = ("na", "n/a", "#na", "nan", "-nan", "none", "null", "<na>", "#n/a", "missing", "unknown")
"""As targets they are classes, and a note says so."""

PLACEHOLDERS = (
    "-", "--", "---", "\u2013", "\u2014", ".", "n.a.", "n. a.", "k.a.", "k. a.", "n.v.", "tbd", "-999", "-9999", "9999",
    *MARKS,
)  # fmt: skip
"""As cells of a feature: among numbers those that are none are missing, of others the user is told."""
