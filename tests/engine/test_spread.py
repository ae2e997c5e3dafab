"""How wide an interval is, by whose spread, and that any finite numbers give one that can be printed."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hpo
from hpo.search.cli import main
from hpo.search.engine.spread import ENOUGH, half_width
from hpo.search.report import text

finite = st.floats(allow_nan=False, allow_infinity=False)
runs = st.lists(finite, min_size=1, max_size=7)


@given(own=runs, others=st.lists(st.lists(finite, max_size=7), max_size=4))
def test_any_finite_runs_give_a_finite_width_or_none(own: list[float], others: list[list[float]]) -> None:
    found = half_width(own, others)
    if found is not None:
        width, pooled = found
        assert math.isfinite(width)
        assert width >= 0
        assert 1 <= pooled <= 1 + len(others)


@given(mean=st.floats(-1.7e308, 1.7e308), half=finite.map(abs) | st.none())
def test_a_mean_and_its_interval_are_short_and_keep_their_digits(mean: float, half: float | None) -> None:
    shown = text.interval(mean, half)
    assert len(shown) <= 40
    number = float(shown.partition(" ")[0])
    assert number == pytest.approx(mean, rel=0.06, abs=5e-324)


def test_what_exploded_says_nothing_about_what_did_not() -> None:
    steady, wild = [0.1820, 0.1824], [1e6, 1.7e6]
    alone = half_width(steady, [])
    assert alone is not None
    assert half_width(steady, [wild, [2e6, 0.4e6]]) == alone
    assert half_width(steady, [[0.2, 0.2003], wild]) == half_width(steady, [[0.2, 0.2003]])


def test_recipes_that_do_not_depend_on_the_seed_keep_their_zero_beside_one_that_exploded() -> None:
    assert half_width([0.1821, 0.1821], [[1e6, 1.3e6]]) == (0.0, 1)


def test_equal_runs_of_a_coarse_metric_borrow_from_their_like() -> None:
    found = half_width([0.94, 0.94], [[0.93, 0.95], [0.92, 0.94]])
    assert found is not None
    assert found[0] > 0.005
    assert found[1] == 3


def test_a_finalist_with_runs_enough_is_judged_by_its_own() -> None:
    own = [1.0, 1.1, 0.9, 1.05, 0.95]
    assert len(own) == ENOUGH
    assert half_width(own, [[5.0, 9.0]]) == half_width(own, [])


BIG = 1.0


def exploding(*, x: float = 0.0, seed: int = 0) -> float:
    noise = (seed % 1000) / 3000
    return x if x < 0.2 else BIG * (1 + noise)


@pytest.mark.parametrize("big", [1e6, 1e120, 1e200, 1e308])
def test_a_finalist_that_explodes_spoils_no_report(
    big: float, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    global BIG
    BIG = big
    monkeypatch.chdir(tmp_path)
    result = hpo.run(
        exploding, search={"x": {"choice": [0.1821, 0.5, 0.7]}}, goal="minimize value", sampler="grid", name="s",
        storage="s.db",
    )  # fmt: skip
    assert result.recipe["x"] == 0.1821
    assert result.value == 0.1821
    capsys.readouterr()
    assert main(["show", "s", "--storage", "s.db"]) == 0
    shown = capsys.readouterr().out
    (winner,) = (line for line in shown.splitlines() if line.startswith("  value "))
    assert winner.startswith("  value 0.1821 in each of 2 fresh runs")
    assert max(map(len, shown.splitlines())) < 200
    assert main(["show", "s", "--storage", "s.db", "--json"]) == 0
    json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    again = hpo.run(
        exploding, search={"x": {"choice": [0.1821, 0.5, 0.7]}}, goal="minimize value", sampler="grid", name="s",
        storage="s.db",
    )  # fmt: skip
    assert again.recipe == result.recipe
