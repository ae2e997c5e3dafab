"""A trial has one value so far, wherever it is looked at: judged, printed, shown, exported, or worked out anew."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hpo
from hpo.search.cli import main
from hpo.search.contracts.policy import Continue, View
from hpo.search.contracts.pruner import Answer, PrunerContext
from hpo.search.engine import plugins
from hpo.search.engine.context import Progress
from hpo.search.engine.entry import Entry
from hpo.search.pruners.common.stopper import curve_of
from hpo.search.pruners.successive_halving import make as halving
from hpo.search.report.study import report
from hpo.search.terms.errors import HpoError
from hpo.search.terms.study import Goal
from hpo.search.terms.value import Tally, course

CURVES: list[list[float]] = []
FOLDS = False


def train(*, which: int = 0, seed: int = 0) -> Iterator[dict[str, float]]:
    for i, value in enumerate(CURVES[which]):
        yield {"acc": value} | ({"fold": i + 1} if FOLDS else {})


def reduced(values: list[float], how: str, *, maximize: bool) -> float:
    """The value of these points, worked out without the code under test."""
    if how == "mean":
        return float(sum(map(Fraction, values)) / len(values))
    return values[-1] if how == "last" else (max if maximize else min)(values)


def near(expected: float, points: list[float]) -> Any:
    """Equal within what a sum of such points can hold."""
    return pytest.approx(expected, rel=1e-12, abs=1e-15 * max(map(abs, points)))


class Listening:
    """Halving, with note taken of what it was given."""

    def __init__(self) -> None:
        self.given: list[tuple[int, int, float]] = []
        self._halving = halving(PrunerContext())

    def judge(self, view: View, number: int) -> Answer:
        step, value = curve_of(view.trials[number], view)[-1]
        self.given.append((number, step, view.sign * value))
        return self._halving.judge(view, number)


class Ends(Progress):
    """What a view is told of each trial's end."""

    def __init__(self) -> None:
        self.values: dict[int, tuple[float, ...]] = {}

    def ended(self, entry: Entry) -> None:
        self.values[entry.number] = entry.values


finite = st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1e308, -1e308, 5e-324])


@given(
    curves=st.lists(st.lists(finite, min_size=1, max_size=6), min_size=2, max_size=8),
    folds=st.booleans(),
    direction=st.sampled_from(["minimize", "maximize"]),
    aggregate=st.sampled_from([None, "best", "last", "mean"]),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_value_is_the_same_wherever_it_is_looked_at(
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
    curves: list[list[float]],
    folds: bool,
    direction: Any,
    aggregate: Any,
) -> None:
    global CURVES, FOLDS
    CURVES, FOLDS = curves, folds
    listening, ends = Listening(), Ends()
    place = tmp_path_factory.mktemp("value") / "s.db"
    goal = str(Goal("acc", direction, aggregate))
    usual = plugins.build

    def build(kind: str, plugin: Any, context: Any) -> Any:
        return listening if kind == "pruner" and plugin.name == "by-points" else usual(kind, plugin, context)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hpo.search.engine.run.build", build)
        patch.chdir(place.parent)
        result = hpo.run(
            train, search={"which": {"choice": list(range(len(curves)))}}, goal=goal, sampler="grid", name="s",
            trials=len(curves), confirm="none", storage=str(place), progress=ends,
        )  # fmt: skip
        capsys.readouterr()
        assert main(["show", "s", "--storage", str(place), "--json"]) == 0
        shown = {trial["number"]: trial for trial in json.loads(capsys.readouterr().out)["trials"]}
        exported = place.with_suffix(".yaml")
        assert main(["export", "s", "--storage", str(place), "--output", str(exported)]) == 0
    how = aggregate or ("mean" if folds else "best")
    maximize = direction == "maximize"
    stored = optuna.load_study(study_name="s", storage=f"sqlite:///{place}").get_trials(deepcopy=False)
    judged: dict[int, float] = {}
    for number, step, value in listening.given:
        points = [v for s, v in sorted(stored[number].intermediate_values.items()) if s <= step]
        assert value == near(reduced(points, how, maximize=maximize), points)
        judged[number] = value
    for trial in report(result.store, "s").trials:
        points = [value for _, value in trial.curve]
        assert trial.values[0] == near(reduced(points, how, maximize=maximize), points)
        if trial.state == "pruned":
            assert trial.values[0] == judged[trial.number]
        assert trial.values == ends.values[trial.number] == tuple(stored[trial.number].values)
        assert list(trial.values) == shown[trial.number]["values"]
    assert result.report.winner is not None
    first = result.report.winner.first
    assert first.searched == tuple(stored[first.trial].values)
    assert f"searched: {first.searched[0]!r}" in exported.read_text() or math.isclose(
        hpo_value(exported), first.searched[0]
    )


def hpo_value(path: Path) -> float:
    from hpo.search.studyfile.yaml12 import parse

    content: Any = parse(path.read_text(), str(path)).plain()
    return float(content["about"]["values"]["acc"]["searched"])


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30), st.booleans())
def test_the_mean_of_finite_values_is_finite_and_within_them(values: list[float], maximize: bool) -> None:
    tally = Tally.of(values, maximize=maximize)
    slack = 1e-12 * max(map(abs, values))
    assert min(values) - slack <= tally.value("mean") <= max(values) + slack
    assert Tally.read(json.loads(json.dumps(tally.plain(), allow_nan=False))).value("mean") == tally.value("mean")


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30), st.booleans())
def test_the_course_of_a_curve_ends_with_its_value_after_every_point(values: list[float], maximize: bool) -> None:
    curve = tuple(enumerate(values, 1))
    for how in ("best", "last", "mean"):
        whole = course(curve, how, maximize=maximize)  # type: ignore[arg-type]
        assert [course(curve[:n], how, maximize=maximize)[-1] for n in range(1, len(curve) + 1)] == list(whole)  # type: ignore[arg-type]


def test_a_point_is_judged_only_where_something_may_be_left_to_train() -> None:
    judged: list[int] = []

    class Noting:
        def judge(self, view: View, number: int) -> Answer:
            judged.append(number)
            return Continue()

    usual = plugins.build
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "hpo.search.engine.run.build",
            lambda kind, plugin, context: Noting() if kind == "pruner" else usual(kind, plugin, context),
        )
        hpo.run(
            lambda *, x=0.0: (x - 2) ** 2, search={"x": {"float": [0, 4]}}, goal="minimize value", trials=20,
            confirm="none", storage=":memory:", name="bowl",
        )  # fmt: skip
    assert not judged


FOLDED = {"a": (0.95, 0.95, 0.50, 0.95, 0.95), "b": (0.6,) * 5, "c": (0.55, 0.55, 0.62, 0.55, 0.55)}


def folded(*, which: str = "a") -> Iterator[dict[str, float]]:
    for i, value in enumerate({**FOLDED, "d": (0.5, 0.5, 0.61, 0.5, 0.5)}[which]):
        yield {"fold": i + 1, "acc": value}


@pytest.mark.parametrize("order", ["bcda", "abcd", "dcba"])
def test_a_weak_fold_does_not_cost_a_recipe_the_win(order: str) -> None:
    result = hpo.run(
        folded, search={"which": {"choice": list(order)}}, goal="maximize mean acc", sampler="grid", confirm="none",
        storage=":memory:", name="folded",
    )  # fmt: skip
    assert result.recipe["which"] == "a"
    assert result.value == pytest.approx(0.86)


def nan_from(*, x: float = 0.0, seed: int = 0) -> Iterator[dict[str, float]]:
    yield {"loss": x}
    yield {"loss": math.nan if x > 0.4 else x}


def raising(*, x: float = 0.0, seed: int = 0) -> Iterator[dict[str, float]]:
    if x > 0.4:
        raise ValueError("no")
    yield {"loss": x}


def sparse(*, x: float = 0.0, seed: int = 0) -> Iterator[dict[str, float]]:
    yield {"loss": x}
    while True:
        yield {"train_loss": x}


@pytest.mark.parametrize("objective", [nan_from, raising, sparse])
@pytest.mark.parametrize("policy", ["random", "freeze-thaw"])
def test_a_budget_in_steps_ends_whatever_comes_of_the_steps(objective: Any, policy: str) -> None:
    result = hpo.run(
        objective, search={"x": {"float": [0, 1]}}, goal="minimize loss", sampler=policy, steps=60, confirm="none",
        storage=":memory:", name="steps", seed=3,
    )  # fmt: skip
    assert result.report.points <= 60
    assert len(result.report.trials) <= 61


def renamed(*, x: float = 0.0, seed: int = 0) -> Iterator[dict[str, float]]:
    yield {"loss": x + 1}
    yield {"value": -5.0}
    yield {"loss": x + 1}


def test_a_metric_that_is_called_value_is_not_the_goals(tmp_path: Path) -> None:
    result = hpo.run(
        renamed, search={"x": {"float": [0, 1]}}, goal="minimize loss", sampler="random", trials=4, confirm="none",
        storage=":memory:", name="renamed", pruner="none",
    )  # fmt: skip
    assert result.value is not None
    assert result.value >= 1
    assert all(len(trial.curve) == 2 for trial in result.report.trials)


def summed(*, a: str = "steady", seed: int = 0) -> Iterator[dict[str, float]]:
    folds = [4.0, 4.0, 4.0] if a == "steady" else [1.0, 9.0, 9.0]
    for fold, loss in enumerate(folds):
        yield {"loss": loss, "fold": math.nan if fold == 2 else fold}
    yield {"loss": sum(folds) / 3}


def test_a_summary_after_the_folds_changes_no_value() -> None:
    result = hpo.run(
        summed, search={"a": {"choice": ["wild", "steady"]}}, goal="minimize loss", sampler="grid", pruner="none",
        storage=":memory:", name="summed",
    )  # fmt: skip
    assert result.recipe["a"] == "steady"
    assert result.value == 4.0
    assert all(len(trial.curve) == 3 for trial in result.report.trials)


@pytest.mark.parametrize("metric", ["steps", "state", "seed", "seconds", "reason", "params_x"])
def test_a_goal_called_like_a_column_keeps_its_value_in_the_table(metric: str) -> None:
    def train(*, x: float = 0.0) -> Iterator[dict[str, float]]:
        yield {metric: x + 7}

    result = hpo.run(
        train, search={"x": {"float": [0, 1]}}, goal=f"minimize {metric}", trials=3, confirm="none",
        storage=":memory:", name="columns",
    )  # fmt: skip
    assert (result.trials[f"goal_{metric}"] >= 7).all()
    assert set(result.trials["state"]) == {"complete"}


def test_where_fresh_runs_lie_no_study_may_be() -> None:
    with pytest.raises(HpoError, match="the fresh runs of 'q' lie there"):
        hpo.run(
            summed, search={"a": {"choice": ["wild"]}}, goal="minimize loss", name="q (confirm)", storage=":memory:"
        )


OUTLOOKS: list[list[float | None]] = []


def ahead(*, which: int = 0, epochs: int = 9, seed: int = 0) -> Iterator[dict[str, float]]:
    for value, outlook in zip(CURVES[which], OUTLOOKS[which], strict=True):
        yield {"acc": value} | ({"outlook": outlook} if outlook is not None else {})


@given(
    st.lists(st.lists(st.tuples(finite, st.none() | finite | st.just(math.nan)), min_size=1, max_size=6), min_size=2),
    st.sampled_from(["minimize", "maximize", "minimize last", "maximize mean"]),
)
@settings(max_examples=10, deadline=None)
def test_where_a_trial_is_heading_decides_whether_it_is_stopped_and_not_what_it_is_worth(
    points: list[list[tuple[float, float | None]]], goal: str
) -> None:
    global CURVES, OUTLOOKS
    CURVES = [[value for value, _ in curve] for curve in points]
    OUTLOOKS = [[outlook for _, outlook in curve] for curve in points]
    direction, _, how = goal.partition(" ")
    maximize, how = direction == "maximize", how or "best"
    seen: dict[int, Any] = {}

    class Noting(Progress):
        def ended(self, entry: Entry) -> None:
            seen[entry.number] = entry.view()

    result = hpo.run(
        ahead, search={"which": {"choice": list(range(len(points)))}}, goal=f"{goal} acc", sampler="grid", name="s",
        confirm="none", storage=":memory:", pruner="successive-halving", progress=Noting(),
    )  # fmt: skip
    for trial in result.report.trials:
        own = points[trial.point["which"]][: len(trial.curve)]
        values = [value for value, _ in own]
        assert trial.values[0] == near(reduced(values, how, maximize=maximize), values)
        assert trial.outlook == tuple((i, o) for i, (_, o) in enumerate(own, 1) if o is not None and math.isfinite(o))
        best = max if maximize else min
        judged = [v if o is None or not math.isfinite(o) or how == "mean" else best(v, o) for v, o in own]
        course = trial.course or trial.curve
        for n, (_, value) in enumerate(course, 1):
            assert value == near(reduced(judged[:n], how, maximize=maximize), [*judged, *values])
        live = seen[trial.number]
        assert (live.course or live.curve, live.outlook) == (course, trial.outlook)
