"""What is drawn in a test is the same whatever ran before it in its process."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """Torch's own numbers from their beginning, where a test may draw some."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
