import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.search.report.plots import Tried, rate_and_batch
from hpo.search.terms.domain import Choice, Float, Int
from hpo.search.terms.space import Parameter, Space

SPACE = Space(
    (
        Parameter("learning_rate", Float(1e-4, 1.0, log=True)),
        Parameter("batch_size", Choice((16, 32, 64))),
        Parameter("accumulation_steps", Choice((1, 2))),
    )
)

tried = st.builds(
    lambda number, rate, batch, steps, value, complete: Tried(
        number, {"learning_rate": rate, "batch_size": batch, "accumulation_steps": steps}, value, complete
    ),
    st.integers(0, 99),
    st.floats(1e-4, 1.0),
    st.sampled_from([16, 32, 64]),
    st.sampled_from([1, 2]),
    st.floats(-10, 10) | st.just(float("inf")),
    st.booleans(),
)


@given(st.lists(tried, max_size=30), st.booleans())
def test_a_cell_of_the_heat_map_shows_the_best_complete_trial_that_falls_into_it(trials, maximize):
    figure = rate_and_batch(SPACE, {}, trials, metric="m", maximize=maximize)
    finite = [known for known in trials if abs(known.value) < 100]
    if not finite:
        assert figure is None
        return
    (heat,) = figure["data"]
    json.dumps(figure, allow_nan=False)
    sizes = {known.recipe["batch_size"] * known.recipe["accumulation_steps"] for known in finite}
    assert heat["y"] == [str(size) for size in sorted(sizes)]
    shown = 0
    for y, row in zip(heat["y"], heat["text"], strict=True):
        for (low, high), text in zip(itertools.pairwise(heat["x"]), row, strict=True):
            cell = [
                known
                for known in finite
                if str(known.recipe["batch_size"] * known.recipe["accumulation_steps"]) == y
                and (low <= known.recipe["learning_rate"] < high or known.recipe["learning_rate"] == high == 1.0)
            ]
            pool = [known.value for known in cell if known.complete] or [known.value for known in cell]
            if not cell:
                assert text == ""
                continue
            shown += len(cell)
            best = max(pool) if maximize else min(pool)
            assert text == (f"{best:.3g}" if any(known.complete for known in cell) else f"({best:.3g})")
    assert shown == len(finite)


def test_the_brightest_cell_is_the_best_one_whatever_the_outliers():
    trials = [Tried(i, {"lr": 10.0**-i, "batch_size": 8}, value, True) for i, value in enumerate([900.0, 1.0, 2.0])]
    space = Space((Parameter("lr", Choice((1.0, 0.1, 0.01))), Parameter("batch_size", Int(1, 1000, log=True))))
    figure = rate_and_batch(space, {"accumulation_steps": 1}, trials, metric="loss", maximize=False, winner=2)
    (heat,) = figure["data"]
    assert heat["x"] == ["0.01", "0.1", "1"]
    assert heat["z"] == [[1, 0, 2]]
    assert heat["text"] == [["★ 2", "1", "900"]]
    assert figure["layout"]["yaxis"]["title"]["text"] == "batch_size"


def test_many_batch_sizes_share_rows_by_powers_of_two():
    trials = [Tried(i, {"lr": 0.1, "batch_size": 5 + i}, 1.0, True) for i in range(60)]
    space = Space((Parameter("lr", Float(0.0, 1.0)), Parameter("batch_size", Int(1, 1000))))
    (heat,) = rate_and_batch(space, {}, trials, metric="loss", maximize=False)["data"]
    assert heat["y"] == ["4 to 7", "8 to 15", "16 to 31", "32 to 63", "64 to 127"]


@pytest.mark.parametrize("names", [("learning_rate",), ("batch_size",), ("dropout",)])
def test_a_study_that_does_not_search_both_gets_no_heat_map(names):
    space = Space(tuple(Parameter(name, Float(0.1, 1.0)) for name in names))
    fixed = {"learning_rate": 0.1, "batch_size": 8}
    assert rate_and_batch(space, fixed, [Tried(0, fixed, 1.0, True)], metric="loss", maximize=False) is None


def test_an_effective_batch_that_is_searched_is_the_batch_whatever_it_is_cut_into():
    recipes = [{"lr": 0.1, "effective_batch": 64, "batch_size": size, "accumulation_steps": 1} for size in (16, 32)]
    trials = [Tried(i, recipe, float(i), True) for i, recipe in enumerate(recipes)]
    rate, size = Parameter("lr", Float(0.01, 1.0, log=True)), Parameter("batch_size", Choice((16, 32)))
    space = Space((rate, size, Parameter("effective_batch", Choice((64, 128)))))
    figure = rate_and_batch(space, {}, trials, metric="loss", maximize=False)
    assert figure["data"][0]["y"] == ["64"]
    assert figure["layout"]["yaxis"]["title"]["text"] == "effective_batch"
    assert rate_and_batch(Space((rate, size)), {"effective_batch": 64}, trials, metric="loss", maximize=False) is None
