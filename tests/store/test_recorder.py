from __future__ import annotations

import math

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from hpo.search.store.changes import Changes, Snapshot, TrialChanges
from hpo.search.store.recorder import Recorder


def fresh(directions: tuple[str, ...] = ("minimize",)) -> Recorder:
    return Recorder(Snapshot("a", directions, {}, {}, []), new=True)


def study_on(storage: optuna.storages.BaseStorage, sampler, pruner) -> optuna.Study:
    return optuna.load_study(study_name="a", storage=storage, sampler=sampler, pruner=pruner)


def objective(trial: optuna.Trial) -> float:
    x = trial.suggest_float("x", -1, 1)
    n = trial.suggest_int("n", 1, 64, log=True)
    kind = trial.suggest_categorical("kind", ["a", "b"])
    trial.set_user_attr("kind", kind)
    for step in range(5):
        trial.report(abs(x) + step / n, step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return x * x + (kind == "a")


@pytest.mark.parametrize(
    ("sampler", "pruner"),
    [
        (lambda: optuna.samplers.TPESampler(seed=1), optuna.pruners.MedianPruner),
        (lambda: optuna.samplers.NSGAIISampler(seed=1, population_size=6), optuna.pruners.SuccessiveHalvingPruner),
        (
            lambda: optuna.samplers.GridSampler({"x": [-1, 0, 1], "n": [1, 2], "kind": ["a", "b"]}, seed=1),
            optuna.pruners.HyperbandPruner,
        ),
    ],
)
def test_optunas_own_search_is_the_same_on_it_as_in_optunas_memory(sampler, pruner):
    memory = optuna.storages.InMemoryStorage()
    memory.create_new_study([optuna.study.StudyDirection.MINIMIZE], "a")
    found = []
    for storage in (memory, fresh()):
        study = study_on(storage, sampler(), pruner())
        study.enqueue_trial({"x": 0.5, "n": 4, "kind": "b"})
        study.optimize(objective, n_trials=30)
        found.append([(t.number, t.state, t.values, t.params, t.intermediate_values) for t in study.get_trials()])
        assert (
            study.best_trial.number
            == min((t for t in study.get_trials(states=[TrialState.COMPLETE])), key=lambda t: t.value).number
        )
    assert found[0] == found[1]


def test_a_trial_that_was_handed_out_does_not_change():
    recorder = fresh()
    number = recorder.create_new_trial(0)
    [before] = recorder.get_all_trials(0, deepcopy=False)
    recorder.set_trial_param(number, "x", 0.5, FloatDistribution(0, 1))
    recorder.set_trial_intermediate_value(number, 1, 0.5)
    recorder.set_trial_user_attr(number, "k", 1)
    recorder.set_trial_system_attr(number, "k", 1)
    recorder.set_trial_state_values(number, TrialState.COMPLETE, [1.0])
    assert (before.params, before.intermediate_values, before.user_attrs, before.state) == (
        {},
        {},
        {},
        TrialState.RUNNING,
    )
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        recorder.set_trial_user_attr(number, "k", 2)


def test_an_attribute_reads_as_it_will_after_a_restart():
    recorder = fresh()
    value = {"pair": (1, 2), 3: "x"}
    recorder.set_study_user_attr(0, "k", value)
    value["pair"] = "changed later"
    assert recorder.get_study_user_attrs(0) == {"k": {"pair": [1, 2], "3": "x"}}
    with pytest.raises(TypeError):
        recorder.set_study_user_attr(0, "k", object())


def test_a_distribution_that_does_not_fit_earlier_ones_is_refused():
    recorder = fresh()
    recorder.set_trial_param(recorder.create_new_trial(0), "k", 0, CategoricalDistribution(("a", "b")))
    with pytest.raises(ValueError, match="dynamic value space"):
        recorder.set_trial_param(recorder.create_new_trial(0), "k", 0, CategoricalDistribution(("a", "b", "c")))
    recorder.rebase(
        [create_trial(params={"k": "a"}, distributions={"k": CategoricalDistribution(("a", "b", "c"))}, value=1.0)]
    )
    recorder.set_trial_param(recorder.create_new_trial(0), "k", 2, CategoricalDistribution(("a", "b", "c")))
    assert recorder.get_trial(1).params == {"k": "c"}


def test_nan_is_a_point_but_not_a_value():
    recorder = fresh()
    number = recorder.create_new_trial(0)
    recorder.set_trial_intermediate_value(number, 1, math.nan)
    with pytest.raises(ValueError, match="cannot be NaN"):
        recorder.set_trial_state_values(number, TrialState.COMPLETE, [math.nan])
    assert recorder.get_trial(number).state == TrialState.RUNNING


def test_it_holds_one_study():
    recorder = fresh()
    for call in (
        lambda: recorder.get_study_id_from_name("b"),
        lambda: recorder.get_study_name_from_id(1),
        lambda: recorder.get_trial(0),
        lambda: recorder.get_trial(-1),
    ):
        with pytest.raises(KeyError):
            call()
    with pytest.raises(NotImplementedError):
        recorder.create_new_study([optuna.study.StudyDirection.MINIMIZE], "b")
    assert [study.study_name for study in recorder.get_all_studies()] == ["a"]


def test_merging_the_same_changes_twice_changes_nothing():
    recorder = fresh()
    study = study_on(recorder, optuna.samplers.RandomSampler(seed=0), optuna.pruners.NopPruner())
    study.optimize(objective, n_trials=3)
    once, twice = Changes(), Changes()
    for target in (once, twice, twice):
        target.merge(recorder.changes)
    assert once == twice
    assert once.urgent


def test_points_alone_are_not_urgent():
    changes = Changes(trials={3: TrialChanges(points={1: 0.5})})
    assert changes
    assert not changes.urgent
    changes.merge(Changes(trials={3: TrialChanges(state=TrialState.COMPLETE)}))
    assert changes.urgent
    assert not Changes()
