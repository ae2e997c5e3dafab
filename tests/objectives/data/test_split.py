"""Splits and folds: disjoint, complete, stratified, whole groups, in order of time."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.objectives.data.split import folds, split
from hpo.search.terms.errors import DataError

labels = st.lists(st.integers(0, 4), min_size=10, max_size=200).map(np.array)
share = st.sampled_from([0.1, 0.2, 0.3])
seeds = st.integers(0, 2**31 - 1)


@given(labels, share, share, seeds)
def test_parts_are_disjoint_complete_and_stratified(y: np.ndarray, validation: float, test: float, seed: int) -> None:
    parts = split(y, stratify=True, validation=validation, test=test, seed=seed)
    assert sorted(np.concatenate(parts)) == list(range(len(y)))
    for rows, wanted in zip(parts, (1 - validation - test, validation, test), strict=True):
        assert abs(len(rows) - wanted * len(y)) <= 1 + len(np.unique(y))
        for label in np.unique(y):
            assert abs((y[rows] == label).sum() - wanted * (y == label).sum()) <= 2
    assert set(np.unique(y)) == set(np.unique(y[parts[0]]))


def test_shares_come_out_right_over_many_small_classes() -> None:
    y = np.repeat(np.arange(100), 4)
    train, validation, test = split(y, stratify=True, validation=0.2, test=0.2, seed=0)
    assert (len(train), len(validation), len(test)) == (240, 80, 80)


def test_the_seed_alone_decides_the_split() -> None:
    y = np.arange(100) % 3
    first = split(y, stratify=True, validation=0.2, test=0.2, seed=1)
    again = split(y, stratify=True, validation=0.2, test=0.2, seed=1)
    other = split(y, stratify=True, validation=0.2, test=0.2, seed=2)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


@given(st.lists(st.integers(0, 30), min_size=20, max_size=200).map(np.array), seeds)
def test_no_group_is_in_two_parts(groups: np.ndarray, seed: int) -> None:
    if len(np.unique(groups)) < 3:
        return
    parts = split(np.zeros(len(groups)), stratify=False, validation=0.2, test=0.2, seed=seed, groups=groups)
    held = [set(groups[rows]) for rows in parts]
    assert all(held)
    assert sum(len(names) for names in held) == len(np.unique(groups))


def test_groups_of_even_size_meet_the_shares() -> None:
    groups = np.repeat(np.arange(50), 4)
    parts = split(np.zeros(200), stratify=False, validation=0.2, test=0.2, seed=0, groups=groups)
    assert [len(rows) for rows in parts] == [120, 40, 40]


@given(st.lists(st.integers(0, 40), min_size=20, max_size=200).map(np.array))
def test_parts_follow_each_other_in_time_and_share_no_moment(time: np.ndarray) -> None:
    parts = split(np.zeros(len(time)), stratify=False, validation=0.2, test=0.2, seed=0, time=time.astype(float))
    assert sorted(np.concatenate(parts)) == list(range(len(time)))
    moments = [time[rows] for rows in parts if len(rows)]
    assert all((np.diff(part) >= 0).all() for part in moments)
    assert all(earlier.max() < later.min() for earlier, later in itertools.pairwise(moments))


def test_a_given_split_is_kept_and_only_its_gaps_are_cut() -> None:
    codes = np.array([0] * 80 + [2] * 20)
    train, validation, test = split(np.arange(100) % 2, stratify=True, validation=0.1, test=0.5, seed=0, parts=codes)
    assert list(test) == list(range(80, 100))
    assert len(validation) == 10
    assert len(train) == 70


def test_impossible_splits_are_refused() -> None:
    y = np.zeros(10)
    with pytest.raises(DataError, match="2 groups cannot fill 3 parts"):
        split(y, stratify=False, validation=0.2, test=0.2, seed=0, groups=np.arange(10) % 2)
    with pytest.raises(DataError, match="not both"):
        split(y, stratify=False, validation=0.2, test=0.2, seed=0, groups=y, time=y)


@given(labels, st.integers(2, 5), seeds)
def test_every_row_is_validated_exactly_once(y: np.ndarray, count: int, seed: int) -> None:
    if np.unique(y, return_counts=True)[1].min() < 2:
        return
    made = folds(y, count, seed, stratify=True)
    assert sorted(np.concatenate([validation for _, validation in made])) == list(range(len(y)))
    for train, validation in made:
        assert not set(train) & set(validation)
        assert set(y[train]) == set(y)
        for label in np.unique(y):
            assert abs((y[validation] == label).sum() - (y == label).sum() / count) < 1


def test_folds_keep_groups_whole_and_time_in_order() -> None:
    groups = np.arange(60) % 12
    for train, validation in folds(np.zeros(60), 4, 0, stratify=False, groups=groups):
        assert not set(groups[train]) & set(groups[validation])
    made = folds(np.zeros(60), 5, 0, stratify=False, ordered=True)
    assert [len(train) for train, _ in made] == [10, 20, 30, 40, 50]
    assert all(train.max() < validation.min() for train, validation in made)


@pytest.mark.parametrize(
    ("y", "options", "said"),
    [
        (np.array([0, 0, 1]), {"stratify": True}, "the rarest class has 1 rows"),
        (np.zeros(2), {"stratify": False}, "5 folds cannot be made"),
        (np.zeros(9), {"stratify": False, "groups": np.arange(9) % 3}, "at least 5 groups, there are 3"),
        (np.zeros(4), {"stratify": False, "ordered": True}, "at least 6 rows"),
    ],
)
def test_impossible_folds_are_refused(y: np.ndarray, options: dict[str, object], said: str) -> None:
    with pytest.raises(DataError, match=said):
        folds(y, 5, 0, **options)  # type: ignore[arg-type]
