"""How checkpoints are kept, and how the place for them is spelt. Pure: nothing is looked up."""

from __future__ import annotations

import re
from dataclasses import dataclass

SCHEME = re.compile(r"([A-Za-z][\w+.-]*)://(.*)", re.DOTALL)
"""A location: protocol and the rest; anything else is a folder's path."""

LOCAL = ("file", "local")
"""Protocols that name a folder of this machine."""


@dataclass(frozen=True)
class Keeping:
    """How often, and up to which size.

    Attributes:
        every: steps from one checkpoint that is kept to the next.
        limit: MiB that one may take; None for any size.
    """

    every: int = 1
    limit: float | None = None


def problem_with(where: str) -> tuple[str, str] | None:
    """What is wrong with a place for checkpoints, and the repair; None where it may be one. Repeats none of it.

    >>> problem_with("s3://bucket/folder"), problem_with("/mnt/shared")
    (None, None)
    >>> problem_with("sftp://me:secret@host/folder")[0]
    'a password or key in the place for checkpoints would be stored with the study'
    """
    found = SCHEME.fullmatch(where)
    rest = found[2] if found else ""
    if "?" in rest or "#" in rest or ":" in rest.rpartition("@")[0]:
        return (
            "a password or key in the place for checkpoints would be stored with the study",
            "give it as fsspec reads it, in FSSPEC_S3_SECRET and the like, or as the provider's own tools do",
        )
    if "::" in where or not where.isprintable() or (found and not rest.strip("/")):
        return "this is no place for checkpoints", "write a folder, or a location such as s3://bucket/folder"
    return None
