import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.search.curves.candidates import Candidates
from hpo.search.curves.encoding import Encoding
from hpo.search.curves.scale import coordinate, place
from hpo.search.terms.domain import Choice, Float, Int
from hpo.search.terms.space import Parameter, Space

SPACE = Space(
    (
        Parameter("optimizer", Choice(("sgd", "adam", True))),
        Parameter("momentum", Float(0.0, 0.9), when=(("optimizer", ("sgd",)),)),
        Parameter("rate", Float(1e-4, 1e-1, log=True)),
        Parameter("layers", Int(1, 4)),
        Parameter("units", Int(8, 512, log=True)),
        Parameter("dropout", Float(0.0, 0.5, step=0.1)),
    )
)


# --- recipes as coordinates -----------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 0.999), min_size=len(SPACE), max_size=len(SPACE)))
def test_coordinates_of_a_place_are_those_of_its_point(u: list[float]) -> None:
    encoding = Encoding(SPACE, {})
    point = SPACE.from_unit(u)
    assert encoding.rows(np.array([u])) == pytest.approx(encoding.encode([point]), abs=1e-6)


def test_an_inactive_knob_is_apart_and_its_coordinate_does_not_matter() -> None:
    encoding = Encoding(SPACE, {})
    adam = encoding.rows(np.array([[0.5, 0.1, 0.5, 0.5, 0.5, 0.5], [0.5, 0.9, 0.5, 0.5, 0.5, 0.5]]))
    sgd = encoding.rows(np.array([[0.1, 0.5, 0.5, 0.5, 0.5, 0.5]]))
    assert adam[0] == pytest.approx(adam[1])
    momentum = encoding.groups == 1
    assert np.linalg.norm(adam[0, momentum] - sgd[0, momentum]) >= 0.5
    choice = encoding.groups == 0
    assert np.linalg.norm(adam[0, choice] - sgd[0, choice]) == pytest.approx(1.0)


def test_values_of_another_study_that_have_no_place_are_taken_as_missing() -> None:
    units = Encoding(SPACE, {}).units([{"optimizer": "lion", "rate": -1.0, "layers": 9}])
    assert np.isnan(units[0, [0, 2, 4]]).all()
    assert units[0, 3] == 1.0


WIDE = [Float(5e-5, 0.1), Float(1e-300, 1e300), Int(1, 5000)]


@pytest.mark.parametrize("domain", WIDE)
@given(x=st.floats(0, 1))
def test_a_place_found_from_a_coordinate_has_that_coordinate(domain: Float | Int, x: float) -> None:
    assert coordinate(domain, place(domain, np.array([x])))[0] == pytest.approx(x, abs=1e-3)


@pytest.mark.parametrize("domain", WIDE)
@given(places=st.lists(st.floats(0, 1), min_size=2, max_size=9))
def test_coordinates_are_in_the_order_of_the_values(domain: Float | Int, places: list[float]) -> None:
    found = coordinate(domain, np.sort(places))
    assert (np.diff(found) >= 0).all()
    assert coordinate(domain, np.array([0.0, 1.0, np.nan])) == pytest.approx([0, 1, np.nan], nan_ok=True)


def test_recipes_cover_both_the_range_and_the_decades_of_a_knob_whose_scale_is_doubtful() -> None:
    space = Space((Parameter("weight_decay", Float(1e-5, 0.1)), Parameter("other", Float(0.0, 1.0))))
    candidates = Candidates(space, np.full(2, np.nan))
    first = np.array([space.from_unit(candidates.spread(i, seed=0).tolist())["weight_decay"] for i in range(20)])
    drawn = candidates.uniform(np.random.default_rng(0), 1000)[:, 0] * (0.1 - 1e-5) + 1e-5
    for values in (first, drawn):
        assert np.mean(values < 1e-3) == pytest.approx(0.25, abs=0.1)  # a half of a half of the decades
        assert np.mean(values > 0.05) == pytest.approx(0.29, abs=0.1)
    near = candidates.near(np.random.default_rng(0), np.array([[0.001, 0.5]]), 500)[:, 0]
    assert np.median(near) < 0.1, "variations of a small value are small too"


def test_a_scale_that_was_written_down_is_kept() -> None:
    for domain in (Float(1e-5, 0.1, log=True), Float(0.0, 0.5), Float(0.001, 1.0, step=0.001), Int(8, 512)):
        u = np.linspace(0, 1, 5)
        assert (coordinate(domain, u) == u).all()
        assert (place(domain, u) == u).all()


# --- candidates -----------------------------------------------------------------------------------------------------


def test_the_first_recipe_is_the_users_guess_and_half_of_the_next_are_near_it() -> None:
    guess = Encoding(SPACE, {}).units([{"rate": 1e-2}])[0]
    candidates = Candidates(SPACE, guess)
    places = np.array([candidates.spread(i, seed=0)[2] for i in range(20)])
    assert places[0] == pytest.approx(guess[2])
    assert (np.abs(places[::2] - guess[2]) <= 0.15 + 1e-9).all()
    assert np.ptp(places[1::2]) > 0.5


def test_the_spread_covers_every_knob_evenly() -> None:
    candidates = Candidates(SPACE, np.full(len(SPACE), np.nan))
    places = np.array([candidates.spread(i, seed=4) for i in range(32)])
    gaps = np.diff(np.sort(places, axis=0), axis=0)
    assert gaps.max() < 0.2
    assert ((places >= 0) & (places < 1)).all()


def test_belief_is_highest_at_the_guess_and_flat_without_one() -> None:
    rng = np.random.default_rng(0)
    units = rng.random((5, len(SPACE)))
    guess = np.full(len(SPACE), np.nan)
    assert Candidates(SPACE, guess).belief(units) == pytest.approx(0.0)
    guess[2] = units[3, 2]
    assert Candidates(SPACE, guess).belief(units).argmax() == 3
