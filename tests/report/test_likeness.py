"""Whether a curve is the recorded one, and what differs where it is not."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.search.report.likeness import EXACT, agreement, differences, verdict

FACTS: dict[str, Any] = {
    "machine": {"cpu": "A", "threads": "1"}, "versions": {"torch": "2.1", "python": "3.11"}, "data": "d", "source": "s"
}  # fmt: skip
CURVE = [(1, 0.5), (2, 0.25), (3, 0.125)]
values = st.floats(1e-300, 1e300) | st.floats(-1e300, -1e-300) | st.just(0.0)


@given(st.lists(values, max_size=6), st.integers(1, 14))
def test_curves_agree_to_as_many_digits_as_their_values_share(given: list[float], digits: int) -> None:
    recorded = list(enumerate(given, 1))
    rounded = [(step, float(f"{value:.{digits}e}")) for step, value in recorded]
    assert agreement(recorded, recorded) == EXACT
    assert agreement(recorded, rounded) >= digits
    assert agreement(recorded, rounded) == agreement(rounded, recorded)


@given(st.lists(st.floats(), min_size=1, max_size=5), st.lists(st.floats(), min_size=1, max_size=5))
def test_any_two_curves_are_told_in_one_line(a: list[float], b: list[float]) -> None:
    told = verdict(list(enumerate(a, 1)), list(enumerate(b, 1)), FACTS, FACTS)
    assert "\n" not in told
    alike = all(x == y or (math.isnan(x) and math.isnan(y)) for x, y in zip(a, b, strict=False))
    assert (told.startswith("the curve equals the recorded one exactly")) == alike


@pytest.mark.parametrize(
    ("part", "other", "said"),
    [
        ("machine", {"cpu": "B", "threads": "1"}, "cpu A is B now"),
        ("machine", {"cpu": "A", "threads": "4"}, "threads 1 is 4 now"),
        ("versions", {"torch": "2.2", "python": "3.11"}, "torch 2.1 is 2.2 now"),
        ("versions", {"python": "3.11"}, "torch 2.1 is not there now"),
        ("data", "e", "the data is another one"),
        ("source", "t", "the objective's source is another one"),
    ],
)
def test_what_differs_is_named_and_nothing_else(part: str, other: Any, said: str) -> None:
    now = {**FACTS, part: other}
    assert differences(FACTS, now) == ([said], [])
    close = [(step, value * (1 + 2e-7)) for step, value in CURVE]
    assert verdict(CURVE, close, FACTS, now) == (
        f"the curve equals the recorded one to 6 significant digits, not exactly: {said}"
    )


def test_nothing_that_differs_is_told_too() -> None:
    far = [(step, value * 2) for step, value in CURVE]
    told = verdict(CURVE, far, FACTS, FACTS)
    assert told.startswith("the curve differs from the recorded one from step 1 on")
    assert "machine, versions, data and source are as recorded" in told
    assert "not recorded: machine" in verdict(CURVE, far, {**FACTS, "machine": None}, FACTS)
    close = [(step, value * (1 + 2e-7)) for step, value in CURVE]
    assert "beside other trials" in verdict(CURVE, close, FACTS, FACTS, alone=True)


def test_curves_of_other_lengths_say_so() -> None:
    assert verdict(CURVE, [*CURVE, (4, 1.0)], FACTS, FACTS) == (
        "the curve equals the recorded one exactly, which was stopped at step 3"
    )
    assert "it ends at step 2, the recorded one at step 3" in verdict(CURVE, CURVE[:2], FACTS, FACTS)
