"""Every promise of docs/promises.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.findall(r"`([\w/]+\.py)::(\w+)`", (ROOT / "docs" / "promises.md").read_text(encoding="utf-8"))


def test_every_row_names_a_test() -> None:
    rows = [line for line in (ROOT / "docs" / "promises.md").read_text(encoding="utf-8").splitlines() if "|" in line]
    promises = [row for row in rows if not row.startswith(("| promise", "|---"))]
    assert promises
    assert all("::" in row for row in promises)


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_the_test_behind_a_promise_is_there(file: str, test: str) -> None:
    assert f"def {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")
