"""Tests of text keep what they make of it in a folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the cache of the test in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
