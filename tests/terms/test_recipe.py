"""Recipes have one name however they are written; seeds depend on nothing but the study's seed and their purpose."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.search.terms.recipe import canonical, derive_seed, digest

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
RECIPES = st.dictionaries(st.text(max_size=5), VALUES, max_size=5)


@given(RECIPES, st.randoms())
def test_the_order_of_knobs_does_not_matter(recipe: dict[str, Any], draw: Any) -> None:
    items = list(recipe.items())
    draw.shuffle(items)
    assert digest(dict(items)) == digest(recipe)


@given(RECIPES)
def test_canonical_twice_is_canonical_once(recipe: dict[str, Any]) -> None:
    assert canonical(canonical(recipe)) == canonical(recipe)


def test_unlike_values_have_unlike_digests() -> None:
    recipes = [{"a": 1}, {"a": 1.0}, {"a": True}, {"a": "1"}, {"a": None}, {"b": 1}, {"a": [1]}, {"a": {"a": 1}}, {}]
    assert len({digest(recipe) for recipe in recipes}) == len(recipes)


def test_tuples_and_lists_are_the_same_setting() -> None:
    assert digest({"a": (1, 2)}) == digest({"a": [1, 2]})


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}, object(), b"x"])
def test_what_is_no_plain_data_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="a knob"):
        canonical({"a": [value]})


def test_the_seed_may_be_left_out_of_the_name() -> None:
    assert digest({"a": 1, "seed": 2}) != digest({"a": 1})
    assert digest({"a": 1, "seed": 2}, without_seed=True) == digest({"a": 1})


@given(st.integers(0, 2**31), st.lists(st.text(max_size=4) | st.integers(0, 99), max_size=3))
def test_a_derived_seed_is_one_that_every_library_takes(seed: int, path: list[str | int]) -> None:
    assert 0 <= derive_seed(seed, *path) < 2**31
    assert derive_seed(seed, *path) == derive_seed(seed, *path)


def test_seeds_of_trials_do_not_collide() -> None:
    seeds = {derive_seed(study, word, n) for study in range(5) for word in ("train", "sample") for n in range(2000)}
    assert len(seeds) > 19_990
