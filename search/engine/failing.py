"""What is said of a search in which no trial succeeds."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable

from hpo.search.engine.entry import Entry
from hpo.search.terms.errors import EverythingFailed


def everything_failed(study: str, entries: Iterable[Entry]) -> EverythingFailed:
    """The error: the most common reason, and how to repeat the last trial that had it.

    Args:
        study: its name.
        entries: its trials, of which one at least has failed.
    """
    failed = [entry for entry in entries if entry.state == "failed"]
    reason, count = Counter(entry.reason for entry in failed).most_common(1)[0]
    last = max(entry.number for entry in failed if entry.reason == reason)
    shown = reason if count == len(failed) else f"{reason} ({count} of them)"
    return EverythingFailed(
        f"all {len(failed)} trials failed, so the search stopped: {shown}\n"
        f"repeat one of them with: hpo replay {shlex.quote(study)} {last}"
    )
