"""Why trials ended, told of many at once."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from hpo.search.report.show import endings
from hpo.search.report.study import StudyReport
from hpo.search.terms.trial import Trial


def report(reasons: list[str]) -> StudyReport:
    trials = tuple(Trial(i, {}, (), "pruned", reason=reason) for i, reason in enumerate(reasons))
    return StudyReport("s", "", ("minimize loss",), None, {}, 0, None, 0.0, trials, None, {})


numbers = st.integers(1, 50)


@given(st.lists(st.tuples(numbers, numbers, st.floats(-1e6, 1e6)), min_size=1, max_size=8))
def test_numbers_of_like_reasons_are_told_as_their_span(ended: list[tuple[int, int, float]]) -> None:
    (line,) = endings(
        report([f"place {p} of 60 at step {s} ({v:.6g}), of which 20 go on" for p, s, v in ended]), "pruned"
    )
    count = re.match(r"(\d+) x place (\S+)(?: to (\S+))? of 60 at step (\d+)(?: to (\d+))? \(", line)
    assert count is not None
    assert int(count[1]) == len(ended)
    assert int(count[2]) == min(p for p, _, _ in ended)
    assert int(count[3] or count[2]) == max(p for p, _, _ in ended)
    assert int(count[4]) == min(s for _, s, _ in ended)
    assert int(count[5] or count[4]) == max(s for _, s, _ in ended)


@given(st.lists(st.text(max_size=80), max_size=8))
def test_any_reasons_are_told(reasons: list[str]) -> None:
    lines = endings(report(reasons), "pruned", most=100)
    assert sum(int(line.partition(" x ")[0]) for line in lines) == len(reasons)


def test_reasons_that_differ_in_words_are_told_apart() -> None:
    assert endings(report(["a at step 1", "b at step 1", "a at step 3"]), "pruned") == [
        "2 x a at step 1 to 3 (trial 0 and others)", "1 x b at step 1 (trial 1)"
    ]  # fmt: skip
