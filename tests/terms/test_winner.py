"""A front by what its points had in the search need be none by their fresh runs: those that are beaten are named."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hpo.search.terms.winner import Candidate, beaten

MEANS = st.lists(st.tuples(*[st.integers(0, 4).map(float)] * 2), min_size=1, max_size=7)


def front(means: list[tuple[float, ...]]) -> list[Candidate]:
    return [Candidate(i, {}, mean, (mean,), mean, None) for i, mean in enumerate(means)]


def test_fresh_runs_that_are_worse_at_one_goal_and_equal_at_the_other_are_beaten() -> None:
    assert beaten(front([(32.0, 18.9), (32.0, 8.7), (31.0, 5.0)]), (-1.0, 1.0)) == {0: 1}


@given(MEANS, st.sampled_from([(1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0)]))
def test_what_is_not_beaten_is_a_front_and_never_empty(
    means: list[tuple[float, ...]], signs: tuple[float, ...]
) -> None:
    worse = beaten(front(means), signs)
    left = [mean for i, mean in enumerate(means) if i not in worse]
    assert left
    for one in left:
        assert not any(o != one and all(s * a <= s * b for s, a, b in zip(signs, o, one, strict=True)) for o in means)
