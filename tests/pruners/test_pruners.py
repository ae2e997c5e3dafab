"""Contract of every pruner in the folder, and what each one decides."""

from __future__ import annotations

import inspect
import math
from array import array
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.pruners import BasePruner
from optuna.trial import TrialState
from promises import promises
from pruning import AsOptunas, answer, prunes

from hpo.search.contracts.policy import Continue, Prune, View
from hpo.search.contracts.pruner import Pruner, PrunerContext
from hpo.search.pruners.common.percentile import quantile
from hpo.search.pruners.hyperband import first_rungs
from hpo.search.terms import registry
from hpo.search.terms.errors import UserError

optuna.logging.set_verbosity(optuna.logging.WARNING)

OPTIONS: dict[str, dict[str, Any]] = {"threshold": {"upper": 50.0, "lower": -50.0}}
NAMES = registry.names("pruner")


def make(name: str, horizon: int | None = None, **options: Any) -> Pruner:
    context = PrunerContext(horizon)
    maker = registry.load("pruner", name).make
    asked = [option for option, kind in inspect.get_annotations(maker).items() if "Pruner |" in str(kind)]
    for option in asked[:1]:  # of those that it asks
        options.setdefault(option, make("median", horizon, n_startup_trials=1))
    made: Pruner = maker(context, **{**OPTIONS.get(name, {}), **options})
    return made


def new_study(direction: str = "minimize") -> optuna.Study:
    return optuna.create_study(direction=direction)


def replay(
    study: optuna.Study,
    pruner: Pruner | BasePruner | Callable[[], Pruner],
    curves: Sequence[Sequence[tuple[int, float]]],
    sign: float = 1.0,
    lanes: int = 1,
) -> list[int | None]:
    """Train the curves, some side by side; per trial the step at which it was pruned."""
    stopped: list[int | None] = [None] * len(curves)
    waiting, running = list(range(len(curves)))[::-1], {}
    numbers = {}
    while waiting or running:
        while waiting and len(running) < lanes:
            i = waiting.pop()
            trial = study.ask()
            numbers[i], running[i] = trial, list(curves[i])
        for i, rest in list(running.items()):
            trial = numbers[i]
            if rest:
                step, value = rest.pop(0)
                study._storage.set_trial_intermediate_value(trial._trial_id, step, sign * value)
                judge = pruner if isinstance(pruner, (Pruner, BasePruner)) else pruner()
                if prunes(judge, study, trial):
                    stopped[i] = step
                    study.tell(trial, state=TrialState.PRUNED)
                    del running[i]
                    continue
            if not rest:
                mean = sum(value for _, value in curves[i]) / max(len(curves[i]), 1)
                if math.isnan(mean):
                    study.tell(trial, state=TrialState.FAIL)
                else:
                    study.tell(trial, sign * mean)
                del running[i]
    return stopped


def learning_curves(trials: int, steps: int, seed: int = 0) -> list[list[tuple[int, float]]]:
    rng = np.random.default_rng(seed)
    ends, starts = rng.normal(0.0, 1.0, trials), rng.normal(3.0, 1.0, trials)
    return [
        [(t, float(end + start / t + rng.normal(0.0, 0.2))) for t in range(1, steps + 1)]
        for end, start in zip(ends, starts, strict=True)
    ]


anything = st.floats(-1e3, 1e3) | st.sampled_from([math.nan, math.inf, -math.inf])
wild_curves = st.lists(
    st.dictionaries(st.integers(0, 40), anything, max_size=8).map(lambda found: sorted(found.items())),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize("name", NAMES)
@given(curves=wild_curves, lanes=st.integers(1, 3), direction=st.sampled_from(["minimize", "maximize"]))
@settings(max_examples=25, deadline=None)
def test_it_copes_with_nan_infinite_short_and_irregular_curves(
    name: str, curves: list[list[tuple[int, float]]], lanes: int, direction: str
) -> None:
    replay(new_study(direction), make(name), curves, lanes=lanes)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lanes", [1, 4])
def test_it_prunes_what_is_maximized_as_what_is_minimized(name: str, lanes: int) -> None:
    curves = learning_curves(40, 12)
    least = replay(new_study("minimize"), make(name), curves, lanes=lanes)
    assert least == replay(new_study("maximize"), make(name), curves, sign=-1.0, lanes=lanes)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("horizon", [None, 12])
def test_it_decides_by_the_recorded_curves_alone(name: str, horizon: int | None) -> None:
    curves = learning_curves(40, 12)
    kept = replay(new_study(), make(name, horizon=horizon), curves, lanes=3)
    assert kept == replay(new_study(), lambda: make(name, horizon=horizon), curves, lanes=3)


@pytest.mark.parametrize("name", NAMES)
def test_it_never_prunes_the_only_trial(name: str) -> None:
    for curve in learning_curves(20, 12):
        worsening = [(step, -value) for step, value in curve]
        assert replay(new_study(), make(name), [curve]) == [None]
        assert replay(new_study(), make(name), [worsening]) == [None]


@pytest.mark.parametrize("name", NAMES)
def test_it_never_prunes_a_trial_better_than_all_others_from_the_start(name: str) -> None:
    curves = learning_curves(30, 12)
    curves.append([(step, -20.0 - 1.0 / step) for step in range(1, 13)])
    assert replay(new_study(), make(name), curves)[-1] is None


@pytest.mark.parametrize("name", NAMES)
def test_it_does_not_prune_a_trial_that_has_come_to_its_end(name: str) -> None:
    curves = [[(9, float(i))] for i in range(30)]
    options = {"upper": 3.0} if name == "threshold" else {}
    assert replay(new_study(), make(name, horizon=9, **options), curves) == [None] * 30


@pytest.mark.parametrize("name", [name for name in NAMES if promises("pruner", name, "ever prunes")])
def test_it_gives_its_reason_in_words_and_numbers(name: str) -> None:
    options = {"threshold": {"upper": 3.0}, "patient": {"patience": 2}}.get(name, {})
    pruner = make(name, **options)
    curves = learning_curves(60, 12) + [[(s, 20.0 + s) for s in range(1, 13)]] * 3
    said: list[Prune] = []
    judge = pruner.judge

    def listen(view: View, number: int) -> Any:
        found = judge(view, number)
        said.extend([found] if isinstance(found, Prune) else [])
        return found

    pruner.judge = listen  # type: ignore[method-assign]
    assert any(replay(new_study(), pruner, curves))
    assert all(prune.reason for prune in said)


def one_process() -> dict[str, list[int | None]]:
    """Where each pruner stops some trials."""
    return {name: replay(new_study(), make(name, 12), learning_curves(30, 12), lanes=2) for name in NAMES}


def test_another_process_decides_the_same(elsewhere: Callable[[str], Any]) -> None:
    assert elsewhere("one_process()") == one_process()


def shifted(curves: Sequence[Sequence[tuple[int, float]]], by: int) -> list[list[tuple[int, float]]]:
    return [[(step + by, value) for step, value in curve] for curve in curves]


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("first", [1, 2])
def test_successive_halving_decides_as_in_optuna(lanes: int, factor: int, first: int) -> None:
    curves = learning_curves(60, 27)
    ours = make("successive-halving", min_resource=first, reduction_factor=factor)
    theirs = optuna.pruners.SuccessiveHalvingPruner(first, factor)
    stopped = replay(new_study(), ours, curves, lanes=lanes)
    assert stopped == replay(new_study(), theirs, curves, lanes=lanes)
    assert 30 < sum(step is not None for step in stopped) < 60


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("warmup", [0, 3])
@pytest.mark.parametrize("interval", [1, 4])
@pytest.mark.parametrize("percentile", [25.0, 50.0, 80.0])
def test_percentiles_decide_as_in_optuna_with_steps_counted_from_one(
    lanes: int, warmup: int, interval: int, percentile: float
) -> None:
    curves = learning_curves(60, 15)
    options = {"n_warmup_steps": warmup, "interval_steps": interval}
    ours = make("percentile", percentile=percentile, **options)
    theirs = optuna.pruners.PercentilePruner(percentile, **options)
    stopped = replay(new_study(), ours, curves, lanes=lanes)
    expected = replay(new_study(), theirs, shifted(curves, -1), lanes=lanes)
    assert stopped == [None if step is None else step + 1 for step in expected]
    assert any(stopped)
    if percentile == 50.0:
        assert stopped == replay(new_study(), make("median", **options), curves, lanes=lanes)


@pytest.mark.parametrize("patience", [0, 2])
def test_patience_decides_as_in_optuna(patience: int) -> None:
    curves = learning_curves(60, 15)
    inner = make("successive-halving", reduction_factor=2)
    theirs = optuna.pruners.PatientPruner(AsOptunas(inner), patience, 0.05)
    ours = make("patient", of=inner, patience=patience, min_delta=0.05)
    stopped = replay(new_study(), ours, curves)
    assert stopped == replay(new_study(), theirs, curves)
    alone = make("patient", of=None, patience=patience)
    stopped = replay(new_study(), alone, curves)
    assert stopped == replay(new_study(), optuna.pruners.PatientPruner(None, patience), curves)
    assert any(stopped)


def test_wilcoxon_decides_as_in_optuna() -> None:
    rng = np.random.default_rng(0)
    folds, levels = rng.normal(0, 1, 12), rng.normal(0, 0.5, 60)
    curves = [[(i, float(fold + level + rng.normal(0, 0.3))) for i, fold in enumerate(folds, 1)] for level in levels]
    stopped = replay(new_study(), make("wilcoxon"), curves)
    assert stopped == replay(new_study(), optuna.pruners.WilcoxonPruner(), curves)
    assert any(stopped)


def test_hyperband_has_all_its_brackets_where_logarithms_round_down() -> None:
    assert len(first_rungs(1, 243, 3)) == 6
    assert len(first_rungs(1, 1000, 10)) == 4
    assert first_rungs(2, 17, 3) == (2, 6)


def test_hyperband_depends_on_the_seed_and_not_on_the_name_of_the_study() -> None:
    curves = learning_curves(80, 27)
    first, again = (replay(new_study(), make("hyperband", horizon=27), curves) for _ in range(2))
    assert first == again  # each study has a random name
    halved = replay(new_study(), make("successive-halving", horizon=27), curves)
    assert sum(step is None for step in first) > sum(step is None for step in halved)


def test_hyperband_waits_for_a_complete_trial_where_the_length_is_unknown() -> None:
    curves = learning_curves(40, 9)
    stopped = replay(new_study(), make("hyperband"), curves)
    assert stopped[0] is None
    assert any(stopped)


def test_warmup_counts_the_first_steps_that_are_safe() -> None:
    curves = [[(step, float(i > 5)) for step in range(1, 9)] for i in range(8)]
    assert replay(new_study(), make("median", n_warmup_steps=3), curves)[-2:] == [4, 4]


def test_infinite_values_are_ordered_like_any_other() -> None:
    curves: list[list[tuple[int, float]]] = [[(1, v)] for v in (1.0, math.inf, math.inf, math.inf, -math.inf)]
    assert replay(new_study(), make("median", n_startup_trials=1), curves)[-1] is None
    assert replay(new_study(), make("successive-halving"), [*curves, [(1, 2.0)]])[-2:] == [None, 1]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("percentile", {"percentile": 120.0}),
        ("median", {"interval_steps": 0}),
        ("successive-halving", {"reduction_factor": 1}),
        ("successive-halving", {"min_resource": 0}),
        ("hyperband", {"min_resource": 0}),
        ("hyperband", {"min_resource": 9, "max_resource": 3}),
        ("patient", {"patience": -1}),
        ("threshold", {"lower": 3.0, "upper": 1.0}),
        ("threshold", {"lower": None, "upper": None}),
        ("threshold", {"interval_steps": 0}),
        ("wilcoxon", {"p_threshold": 2.0}),
    ],
)
def test_an_option_out_of_range_is_the_users_mistake(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        make(name, **options)


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), share=st.floats(0, 1))
def test_quantiles_are_those_of_numpy(values: list[float], share: float) -> None:
    assert quantile(array("d", sorted(values)), share) == pytest.approx(np.percentile(values, 100 * share), rel=1e-9)


def test_decisions_read_only_the_curve_they_are_given() -> None:
    study = new_study()
    replay(study, make("none"), learning_curves(10, 5))
    trial = study.ask()
    for name in NAMES:
        assert answer(make(name), study, trial.number) == Continue()  # nothing reported yet


def test_the_first_at_a_rung_stop_there_where_they_bootstrap() -> None:
    curves = [[(1, 0.3)], [(1, 0.2)], [(1, 0.1), (2, 0.1), (3, 0.1)], [(1, 0.4)], [(1, 0.5)], [(1, 0.05), (2, 0.05)]]
    assert replay(new_study(), make("successive-halving", bootstrap_count=2), curves) == [1, 1, 3, 1, 1, None]
    with pytest.raises(UserError, match="bootstrap_count is 0 or more, got -1"):
        make("successive-halving", bootstrap_count=-1)


@given(st.lists(st.lists(st.floats(-10, 10), min_size=12, max_size=12), min_size=1, max_size=12), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_more_slack_lets_everything_go_on_that_less_does_at_the_first_rung(
    values: list[list[float]], lanes: int
) -> None:
    curves = [list(enumerate(curve, start=1)) for curve in values]
    options = {"horizon": 12, "min_resource": 6, "reduction_factor": 9}
    pruners = [make("successive-halving", slack=slack, **options) for slack in (0.0, 0.3, 1.0)]
    stopped = [replay(new_study(), pruner, curves, lanes=lanes) for pruner in pruners]
    for less, more in pairwise(stopped):
        assert all(later is None or earlier is not None for earlier, later in zip(less, more, strict=True))


def test_just_behind_the_best_is_good_enough_with_slack() -> None:
    curves = [[(1, value), (2, value)] for value in (0.0, 1.0, 2.0, 10.0, 2.1, 2.9, 3.2)]
    options = {"reduction_factor": 3, "min_resource": 1}
    assert replay(new_study(), make("successive-halving", 2, **options), curves) == [None, 1, 1, 1, 1, 1, 1]
    slack = make("successive-halving", 2, slack=1.0, **options)
    assert replay(new_study(), slack, curves) == [None, None, 1, 1, 1, None, 1]


@pytest.mark.parametrize(("horizon", "rung"), [(20, 2), (100, 10), (5, 1), (None, 1)])
def test_a_first_rung_below_one_is_a_share_of_a_complete_trial(horizon: int | None, rung: int) -> None:
    good, bad = ([(step, value) for step in range(1, 31)] for value in (0.0, 1.0))
    stopped = replay(new_study(), make("successive-halving", horizon, min_resource=0.1), [good, bad])
    assert stopped == [None, rung]
