"""Contract of every sampler in the folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sampling import FLAT, MIXED, OPTIONS, finite, new_study, reopened, run, spaces

from hpo.search.samplers.common.lattice import Lattice
from hpo.search.terms import registry
from hpo.search.terms.domain import Float, Int
from hpo.search.terms.errors import SpaceExhausted
from hpo.search.terms.recipe import digest
from hpo.search.terms.space import Parameter, Space

NAMES = registry.names("sampler")


def requires(name: str) -> tuple[str, ...]:
    found: tuple[str, ...] = getattr(registry.load("sampler", name), "REQUIRES", ())
    return found


def disclaims(name: str) -> tuple[str, ...]:
    found: tuple[str, ...] = getattr(registry.load("sampler", name), "DISCLAIMS", ())
    return found


def space_for(name: str, space: Space) -> Space:
    return finite(space) if "finite" in requires(name) else space


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_every_value_is_in_the_space(name: str, data: st.DataObject) -> None:
    space = space_for(name, data.draw(spaces()))
    if "finite" in requires(name):
        assume(Lattice(space, {}).size < 10_000_000)
    options = {**OPTIONS.get(name, {}), **({"n_startup_trials": 2} if name in ("gp", "tpe") else {})}
    study = new_study()
    try:
        points = run(study, space, name, options, 3 if name == "gp" else 14)
    except SpaceExhausted:
        points = [trial.params for trial in study.get_trials() if trial.params]
        assert len({digest(point) for point in points}) == space.size()
    for point, trial in zip(points, study.get_trials(), strict=False):
        assert space.contains(point)
        assert point == trial.params
        assert [type(value) for value in point.values()] == [type(value) for value in trial.params.values()]


@pytest.mark.parametrize("name", NAMES)
def test_a_search_interrupted_anywhere_proposes_what_an_uninterrupted_one_does(name: str) -> None:
    space, options = space_for(name, MIXED), OPTIONS.get(name, {})
    segments = (6, 3, 1, 1) if name == "gp" else (7, 3, 15, 5)
    straight = run(new_study(), space, name, options, sum(segments))
    study, resumed = new_study(), []
    for trials in segments:
        study = reopened(study)
        resumed += run(study, space, name, options, trials)
    assert resumed == straight
    assert len({digest(point) for point in straight}) == len(straight)


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_what_is_proposed(name: str) -> None:
    space, options = space_for(name, MIXED), OPTIONS.get(name, {})
    first, again, other = (run(new_study(), space, name, options, 9, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def one_process() -> dict[str, str]:
    """What each sampler proposes first, and after some trials, as text."""
    spaces = {name: space_for(name, MIXED) for name in NAMES}
    return {name: repr(run(new_study(), spaces[name], name, OPTIONS.get(name, {}), 9, seed=3)) for name in NAMES}


def test_another_process_proposes_the_same(elsewhere: Callable[[str], Any]) -> None:
    assert elsewhere("one_process()") == one_process()


@pytest.mark.parametrize("name", [name for name in NAMES if "one goal" not in requires(name)])
def test_several_goals_are_searched(name: str) -> None:
    space = space_for(name, MIXED)
    study = new_study("minimize", "maximize")
    points = run(study, space, name, OPTIONS.get(name, {}), 10 if name == "gp" else 25)
    assert all(space.contains(point) for point in points)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name == "gp" else ())
        for name in NAMES
        if "better than random" not in disclaims(name)
    ],
)
def test_it_beats_random_search_on_a_smooth_goal(name: str) -> None:
    def best(sampler: str, options: Mapping[str, Any], seed: int) -> float:
        study = new_study()
        run(study, FLAT, sampler, options, trials, end=lambda s, number, value: s.tell(number, value), seed=seed)
        return study.best_value

    trials, seeds = (25, 2) if name == "gp" else (120, 3)
    ours = np.mean([best(name, OPTIONS.get(name, {}), seed) for seed in range(seeds)])
    assert ours < np.mean([best("random", {}, seed) for seed in range(seeds)])


@pytest.mark.parametrize("name", NAMES)
def test_conditions_may_refer_to_fixed_knobs(name: str) -> None:
    momentum = Float(0.0, 0.9, step=0.1)
    space = Space((Parameter("layers", Int(1, 8)), Parameter("momentum", momentum, when=(("optimizer", ("sgd",)),))))
    for optimizer, names in (("sgd", {"layers", "momentum"}), ("adam", {"layers"})):
        study, options = new_study(), OPTIONS.get(name, {})
        for point in run(study, space, name, options, 6, fixed={"optimizer": optimizer}):
            assert set(point) == names


def test_importing_the_folder_does_not_import_optuna() -> None:
    code = "import sys, hpo.search.samplers, hpo.search.pruners; sys.exit('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
