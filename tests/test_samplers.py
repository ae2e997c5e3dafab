"""Contract of every sampler in the folder, and what each one proposes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from hpo.search import registry
from hpo.search.ask import propose, record
from hpo.search.distributions import to_distribution
from hpo.search.errors import SpaceExhausted, UserError
from hpo.search.recipe import derive_seed, digest
from hpo.search.samplers import SamplerContext
from hpo.search.samplers.common.lattice import Lattice
from hpo.search.space import Choice, Float, Int, Parameter, Scalar, Space

optuna.logging.set_verbosity(optuna.logging.WARNING)

MIXED = Space(
    (
        Parameter("rate", Float(1e-5, 1e-1, log=True)),
        Parameter("dropout", Float(0.0, 0.5)),
        Parameter("optimizer", Choice(("sgd", "adam"))),
        Parameter("momentum", Float(0.0, 0.99), when=(("optimizer", ("sgd",)),)),
        Parameter("nesterov", Choice((False, True)), when=(("optimizer", ("sgd",)),)),
        Parameter("beta", Float(0.8, 0.999), when=(("optimizer", ("adam",)),)),
        Parameter("width", Int(8, 512, log=True)),
        Parameter("smoothing", Float(0.0, 0.3, step=0.1)),
        Parameter("same", Choice(("only",))),
    )
)
FLAT = Space(tuple(parameter for parameter in MIXED if not parameter.when))
FINITE = Space(
    (
        Parameter("layers", Int(1, 7, step=2)),
        Parameter("smoothing", Float(0.0, 0.3, step=0.1)),
        Parameter("optimizer", Choice(("sgd", "adam"))),
        Parameter("nesterov", Choice((False, True)), when=(("optimizer", ("sgd",)),)),
    )
)  # 4 * 4 * (2 + 1) = 48 points


def new_study(*directions: str) -> optuna.Study:
    return optuna.create_study(directions=list(directions or ["minimize"]), study_name="study")


def reopened(study: optuna.Study) -> optuna.Study:
    """The same trials and attributes in a new storage, as after a restart."""
    copy = optuna.create_study(directions=study.directions, study_name=study.study_name)
    for key, value in study._storage.get_study_system_attrs(study._study_id).items():
        copy._storage.set_study_system_attr(copy._study_id, key, value)
    copy.add_trials(study.get_trials())
    return copy


def value_of(space: Space, point: Mapping[str, Scalar]) -> float:
    """A smooth goal: the squared distance from a third of each range."""
    return sum((space[name].domain.to_unit(value) - 1 / 3) ** 2 for name, value in point.items())


def ask(
    study: optuna.Study,
    space: Space,
    name: str,
    options: Mapping[str, Any] = {},
    *,
    seed: int = 0,
    fixed: Mapping[str, Any] = {},
    repeats: bool = False,
) -> tuple[int, dict[str, Scalar]]:
    """Open a trial at the sampler's proposal and return its number and point."""
    directions = tuple(direction.name.lower() for direction in study.directions)
    tried = {
        digest({**fixed, **trial.params}, without_seed=True)
        for trial in study.get_trials(deepcopy=False)
        if trial.params
    }
    trial = study._storage.get_trial(study._storage.create_new_trial(study._study_id))

    def make(attempt: int) -> BaseSampler:
        drawn = derive_seed(seed, "sample", trial.number, attempt)
        context = SamplerContext(space, fixed, drawn, seed, trial.number, directions, repeats, attempt)
        sampler: BaseSampler = registry.load("sampler", name).make(context, **nested(options, context))
        return sampler

    point = propose(study, trial, space, fixed, make, seed=seed, tried=tried, repeats=repeats)
    record(study, trial, space, point)
    return trial.number, point


def nested(options: Mapping[str, Any], context: SamplerContext) -> dict[str, Any]:
    """Options with the samplers among them made: ``{"first": ("qmc", {})}``."""
    return {
        key: registry.load("sampler", value[0]).make(context, **value[1]) if isinstance(value, tuple) else value
        for key, value in options.items()
    }


def finish(study: optuna.Study, number: int, value: float) -> None:
    """End a trial in a way that its number decides: complete, pruned, failed, or not at all."""
    trial_id = study._storage.get_trial_id_from_study_id_trial_number(study._study_id, number)
    for step in range(1, 4):
        if len(study.directions) == 1:
            study._storage.set_trial_intermediate_value(trial_id, step, value + 1.0 / step)
    if number % 9 == 4:
        study.tell(number, state=TrialState.FAIL)
    elif number % 9 == 6 and len(study.directions) == 1:
        study.tell(number, state=TrialState.PRUNED)
    elif number % 9 != 7:  # the others stay RUNNING
        study.tell(number, [value, *[-value * value] * (len(study.directions) - 1)])


def run(
    study: optuna.Study,
    space: Space,
    name: str,
    options: Mapping[str, Any],
    trials: int,
    end: Callable[[optuna.Study, int, float], None] = finish,
    **asked: Any,
) -> list[dict[str, Scalar]]:
    """Propose and end so many trials; return their points."""
    points = []
    for _ in range(trials):
        number, point = ask(study, space, name, options, **asked)
        end(study, number, value_of(space, point))
        points.append(point)
    return points


scalars = st.sampled_from(["a", "b", 1, 2.5, True, None])
numbers: st.SearchStrategy[Float | Int] = st.one_of(
    st.builds(Float, st.floats(-10, 10), st.floats(11, 20)),
    st.builds(Float, st.floats(1e-6, 1e-2), st.floats(0.1, 10), log=st.just(True)),
    st.builds(Float, st.integers(-3, 3).map(float), st.integers(4, 9).map(float), step=st.sampled_from([0.1, 0.25, 3])),
    st.builds(Int, st.integers(-5, 5), st.integers(5, 40), step=st.integers(1, 4)),
    st.builds(Int, st.integers(1, 5), st.integers(5, 4000), log=st.just(True)),
)
choices = st.lists(scalars, min_size=1, max_size=4, unique_by=lambda value: (type(value) is bool, value)).map(
    lambda values: Choice(tuple(values))
)


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Spaces of all domains with conditions on earlier choices; the first knob is a number that is always active."""
    parameters = [Parameter("k0", draw(numbers))]
    for i in range(1, draw(st.integers(1, 5))):
        when: tuple[tuple[str, tuple[Scalar, ...]], ...] = ()
        governing = [parameter for parameter in parameters if isinstance(parameter.domain, Choice)]
        if governing and draw(st.booleans()):
            by = draw(st.sampled_from(governing))
            assert isinstance(by.domain, Choice)
            allowed = draw(st.lists(st.sampled_from(by.domain.values), min_size=1, max_size=2))
            when = ((by.name, tuple(allowed)),)
        parameters.append(Parameter(f"k{i}", draw(numbers | choices), when))
    return Space(tuple(parameters))


def finite(space: Space) -> Space:
    """The space without its continuous ranges."""
    return Space(
        tuple(Parameter(p.name, p.domain if p.domain.grid() is not None else Int(0, 3), p.when) for p in space)
    )


NAMES = registry.names("sampler")
OPTIONS: dict[str, dict[str, Any]] = {
    "gp": {"n_startup_trials": 6},
    "nsga2": {"population_size": 6},
    "warmup": {"first": ("qmc", {}), "then": ("tpe", {"n_startup_trials": 5}), "trials": 8},
}


def requires(name: str) -> tuple[str, ...]:
    found: tuple[str, ...] = getattr(registry.load("sampler", name), "REQUIRES", ())
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
        if name not in ("grid", "random", "qmc")
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


# grid


def test_the_grid_is_finished_exactly_once() -> None:
    study = new_study()
    points = run(study, FINITE, "grid", {}, 48, end=lambda s, number, value: s.tell(number, value))
    assert len({digest(point) for point in points}) == 48
    with pytest.raises(SpaceExhausted):
        ask(study, FINITE, "grid")


def test_failed_points_of_the_grid_are_tried_again_after_the_others() -> None:
    def fail_some(study: optuna.Study, number: int, value: float) -> None:
        if number in (3, 5):
            study.tell(number, state=TrialState.FAIL)
        else:
            study.tell(number, value)

    study = new_study()
    points = run(study, FINITE, "grid", {}, 48, end=fail_some)
    study = reopened(study)
    again = run(study, FINITE, "grid", {}, 2, end=fail_some)
    assert sorted(map(digest, again)) == sorted([digest(points[3]), digest(points[5])])
    with pytest.raises(SpaceExhausted):
        ask(study, FINITE, "grid")


def test_running_points_of_the_grid_count_as_tried() -> None:
    study = new_study()
    points = [ask(study, FINITE, "grid")[1] for _ in range(48)]
    assert len({digest(point) for point in points}) == 48


def test_points_of_the_grid_that_were_tried_out_of_order_are_left_out() -> None:
    study = new_study()
    trial = study.ask()
    record(study, study._storage.get_trial(trial._trial_id), FINITE, {"layers": 3, "smoothing": 0.1 + 0.2})
    record(study, study._storage.get_trial(trial._trial_id), FINITE, {"optimizer": "adam"})
    study.tell(trial, 0.0)
    points = run(study, FINITE, "grid", {}, 47)
    assert len({digest(point) for point in points}) == 47
    assert {"layers": 3, "smoothing": 0.3, "optimizer": "adam"} not in points


def test_the_grid_goes_round_again_where_repeats_are_wanted() -> None:
    points = run(new_study(), FINITE, "grid", {}, 96, repeats=True)
    counts = [sum(point == other for other in points) for point in points]
    assert set(counts) == {2}


def test_grids_of_false_and_true_and_of_zero_and_one_are_told_apart() -> None:
    for values in ((0, 1), (False, True)):
        points = run(new_study(), Space((Parameter("flag", Choice(values)),)), "grid", {}, 2)
        assert {repr(point["flag"]) for point in points} == {repr(value) for value in values}


def test_a_grid_too_large_to_list_is_refused() -> None:
    space = Space(tuple(Parameter(name, Int(0, 999)) for name in "abc"))
    with pytest.raises(UserError, match="10,000,000 combinations, not 1,000,000,000"):
        ask(new_study(), space, "grid")


# tpe


@pytest.mark.parametrize("trials", [0, 9, 12, 150])
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("multivariate", [True, False])
def test_tpe_proposes_what_optunas_does(trials: int, direction: str, multivariate: bool) -> None:
    distributions = {parameter.name: to_distribution(parameter.domain) for parameter in FLAT}
    study = new_study(direction)
    run(study, FLAT, "random", {}, trials)
    for number in range(trials, trials + 8):
        seed = derive_seed(0, "sample", number, 0)
        study.sampler = optuna.samplers.TPESampler(seed=seed, multivariate=multivariate)
        copy = reopened(study)
        copy.sampler = study.sampler
        theirs = copy.ask(distributions).params
        _, ours = ask(study, FLAT, "tpe", {"multivariate": multivariate})
        finish(study, number, value_of(FLAT, ours))
        for name, value in ours.items():
            assert value == (pytest.approx(theirs[name], rel=1e-9) if isinstance(value, float) else theirs[name])


def test_tpe_with_several_goals_proposes_what_optunas_does() -> None:
    distributions = {parameter.name: to_distribution(parameter.domain) for parameter in FLAT}
    study = new_study("minimize", "maximize", "minimize")
    for number in range(70):
        copy = reopened(study)
        copy.sampler = optuna.samplers.TPESampler(seed=derive_seed(0, "sample", number, 0))
        theirs = copy.ask(distributions).params
        _, ours = ask(study, FLAT, "tpe")
        x, y = value_of(FLAT, ours), FLAT["dropout"].domain.to_unit(ours["dropout"])
        study.tell(number, [x, round(y, 1), x * y])
        for name, value in ours.items():
            assert value == (pytest.approx(theirs[name], rel=1e-9) if isinstance(value, float) else theirs[name])


def test_tpe_with_several_goals_takes_pruned_trials() -> None:
    study = new_study("minimize", "maximize")
    for number in range(25):
        _, point = ask(study, MIXED, "tpe")
        if number % 3:
            study.tell(number, [value_of(MIXED, point), 0.0])
        else:
            trial_id = study._storage.get_trial_id_from_study_id_trial_number(study._study_id, number)
            study._storage.set_trial_intermediate_value(trial_id, 1, 1.0)
            study._storage.set_trial_state_values(trial_id, TrialState.PRUNED)
    assert all(MIXED.contains(trial.params) for trial in study.get_trials())


def test_tpe_learns_which_branch_of_a_condition_is_good() -> None:
    def reward_sgd(study: optuna.Study, number: int, value: float) -> None:
        study.tell(number, value + (study.trials[number].params["optimizer"] == "adam"))

    points = run(new_study(), MIXED, "tpe", {}, 60, end=reward_sgd)
    assert sum(point["optimizer"] == "sgd" for point in points[30:]) > 22


# the others


def test_qmc_covers_a_range_more_evenly_than_random_draws_do() -> None:
    space = Space((Parameter("x", Float(0.0, 1.0)), Parameter("y", Float(0.0, 1.0))))
    points = run(new_study(), space, "qmc", {}, 64)
    for name in "xy":
        shares, _ = np.histogram([point[name] for point in points], bins=8, range=(0, 1))
        assert set(shares.tolist()) == {8}


def test_warmup_hands_over_after_so_many_trials() -> None:
    first = run(new_study(), MIXED, "qmc", {}, 8)
    points = run(new_study(), MIXED, "warmup", OPTIONS["warmup"], 12)
    assert points[:8] == first
    assert points[8:] != run(new_study(), MIXED, "qmc", {}, 12)[8:]


def test_cmaes_draws_choices_and_conditional_knobs_at_random() -> None:
    points = run(new_study(), MIXED, "cmaes", {}, 80)
    assert {point["optimizer"] for point in points[40:]} == {"sgd", "adam"}


def test_cmaes_starts_again_where_it_has_collapsed() -> None:
    space = Space((Parameter("x", Float(0.0, 1.0)), Parameter("y", Float(0.0, 1.0))))
    points = run(new_study(), space, "cmaes", {}, 300, end=lambda s, number, value: s.tell(number, value))
    assert np.std([float(str(point["x"])) for point in points[120:160]]) < 0.01
    assert max(abs(float(str(point["x"])) - 1 / 3) for point in points[160:]) > 0.1


@pytest.mark.parametrize(("name", "options"), [("cmaes", {"population_size": 2}), ("cmaes", {"sigma0": 0.0})])
def test_an_option_out_of_range_is_the_users_mistake(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        ask(new_study(), FLAT, name, options)


def test_cmaes_without_a_number_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match="float or int"):
        ask(new_study(), Space((Parameter("optimizer", Choice(("sgd", "adam"))),)), "cmaes")
