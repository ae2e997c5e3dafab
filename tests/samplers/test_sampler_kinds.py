"""What each sampler proposes."""

from __future__ import annotations

from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from sampling import FINITE, FLAT, MIXED, OPTIONS, ask, finish, new_study, reopened, run, value_of

from hpo.search.engine.ask import record
from hpo.search.samplers import tpe
from hpo.search.store.distributions import to_distribution
from hpo.search.terms.domain import Choice, Float, Int
from hpo.search.terms.errors import SpaceExhausted, UserError
from hpo.search.terms.lot import lot
from hpo.search.terms.recipe import derive_seed, digest
from hpo.search.terms.space import Parameter, Space

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


@pytest.mark.parametrize("trials", [9, 12, 60])
def test_tpe_of_unpruned_trials_proposes_what_optunas_does_where_there_are_no_others(trials: int) -> None:
    distributions = {parameter.name: to_distribution(parameter.domain) for parameter in FLAT}
    study = new_study()
    run(study, FLAT, "random", {}, trials)
    copy = optuna.create_study(
        sampler=optuna.samplers.TPESampler(
            seed=derive_seed(0, "sample", trials, 0), multivariate=True, n_startup_trials=4
        )
    )
    copy.add_trials(study.get_trials(states=(TrialState.COMPLETE,)))
    assert 0 < len(copy.trials) < trials
    theirs = copy.ask(distributions).params
    _, ours = ask(study, FLAT, "tpe", {"unpruned": 1.0})
    for name, value in ours.items():
        assert value == (pytest.approx(theirs[name], rel=1e-9) if isinstance(value, float) else theirs[name])


def test_tpe_draws_a_share_of_the_trials_from_unpruned_ones() -> None:
    study, other = new_study(), new_study()
    drawn = run(study, FLAT, "tpe", {"unpruned": 0.2}, 80), run(other, FLAT, "tpe", {}, 80)
    first = next(i for i, (one, plain) in enumerate(zip(*drawn, strict=True)) if one != plain)
    assert first >= 8  # the first ones are drawn as ever
    assert sum(lot(number) < 0.2 for number in range(8, 83)) == 16


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_the_share_of_unpruned_draws_is_one(share: float) -> None:
    with pytest.raises(UserError, match="unpruned is a share"):
        ask(new_study(), FLAT, "tpe", {"unpruned": share})


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


def test_tpe_of_many_trials_leaves_out_some_of_the_rest_and_none_of_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tpe, "_REST", 30)
    seen: list[dict[str, Any]] = []
    parzen = tpe.Parzen
    monkeypatch.setattr(
        tpe, "Parzen", lambda observed, *rest, **known: seen.append(observed) or parzen(observed, *rest, **known)
    )
    study = new_study()
    space = Space((Parameter("x", Float(0.0, 1.0)),))
    values = [abs(i * 0.37 % 1 - 0.5) for i in range(200)]
    study.add_trials(
        [
            optuna.create_trial(
                value=value, params={"x": i / 200}, distributions={"x": to_distribution(space["x"].domain)}
            )
            for i, value in enumerate(values)
        ]
    )
    ask(study, space, "tpe")
    good, bad = ([round(x * 200) for x in observed["x"]] for observed in seen)
    assert good == sorted(sorted(range(200), key=values.__getitem__)[:20])
    assert len(bad) == 30
    assert not set(good) & set(bad)
    assert min(bad) < 10
    assert max(bad) > 190
