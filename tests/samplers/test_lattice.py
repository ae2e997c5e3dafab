"""The points of a finite space by number."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.search.samplers.common.lattice import Lattice
from hpo.search.terms.domain import Choice, Domain, Float, Int, Scalar
from hpo.search.terms.space import Parameter, Space

SPACE = Space(
    (
        Parameter("layers", Int(1, 7, step=2)),
        Parameter("smoothing", Float(0.0, 0.3, step=0.1)),
        Parameter("optimizer", Choice(("sgd", "adam"))),
        Parameter("nesterov", Choice((False, True)), when=(("optimizer", ("sgd",)),)),
    )
)
domains: st.SearchStrategy[Domain] = st.one_of(
    st.builds(Float, st.sampled_from([-0.3, 0.0, 0.1]), st.sampled_from([0.5, 2.0]), step=st.sampled_from([0.1, 0.25])),
    st.builds(Int, st.integers(-5, 5), st.integers(5, 12), step=st.integers(1, 4)),
    st.builds(Int, st.integers(1, 5), st.integers(5, 400), log=st.just(True)),
    st.sampled_from([Choice((0, 1)), Choice((False, True)), Choice((1, True, None)), Choice(("a", 2.5))]),
)


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Finite spaces with conditions on earlier knobs of any kind."""
    parameters = [Parameter("k0", draw(domains))]
    for i in range(1, draw(st.integers(1, 5))):
        by = draw(st.sampled_from(parameters))
        allowed = draw(st.lists(st.sampled_from(by.domain.grid()), max_size=2))
        when = ((by.name, tuple(allowed)),) if allowed else ()
        parameters.append(Parameter(f"k{i}", draw(domains), when))
    return Space(tuple(parameters))


@given(space=spaces(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_lattice_numbers_the_points_of_the_space_in_order(space: Space, data: st.DataObject) -> None:
    lattice = Lattice(space, {})
    size = space.size(limit=3_000)
    if size is None:
        number = data.draw(st.integers(0, lattice.size - 1))
        assert lattice.size > 3_000
        assert lattice.number(lattice.point(number)) == number
        assert space.contains(lattice.point(number))
        return
    points = list(space.points())
    assert [lattice.point(i) for i in range(lattice.size)] == points
    assert [lattice.number(point) for point in points] == list(range(size))


def test_a_lattice_has_no_number_for_a_point_outside_of_the_space() -> None:
    lattice = Lattice(SPACE, {})
    inside: dict[str, Scalar] = {"layers": 3, "smoothing": 0.3, "optimizer": "adam"}
    assert lattice.number(inside) is not None
    outside: dict[str, Scalar]
    for outside in (
        {"layers": 2},
        {"smoothing": 0.25},
        {"optimizer": "lion"},
        {"nesterov": True},
        {"optimizer": "sgd"},
    ):
        assert lattice.number({**inside, **outside}) is None


def test_conditions_may_refer_to_fixed_knobs() -> None:
    space = Space((Parameter("momentum", Int(0, 4), when=(("optimizer", ("sgd",)),)),))
    assert Lattice(space, {"optimizer": "sgd", "epochs": [1, 2]}).size == 5
    assert Lattice(space, {"optimizer": "adam"}).size == 1
    assert Lattice(space, {"optimizer": "adam"}).point(0) == {}
