import dataclasses
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from thawed import PLANE, Study, loss

import hpo
from hpo.search.contracts.policy import Prune, Resume, Start, View
from hpo.search.curves.thaw import Settings
from hpo.search.engine.context import Progress
from hpo.search.engine.ledger import Entry
from hpo.search.engine.loop import Loop
from hpo.search.policies.common.thawing import FreezeThaw
from hpo.search.policies.freeze_thaw import make
from hpo.search.terms.domain import Choice, Float, Int, Scalar
from hpo.search.terms.errors import Interrupted, UserError
from hpo.search.terms.space import Parameter, Space
from hpo.search.terms.trial import Trial

MIXED = Space(
    (
        Parameter("optimizer", Choice(("sgd", "adam"))),
        Parameter("momentum", Float(0.0, 0.9), when=(("optimizer", ("sgd",)),)),
        Parameter("rate", Float(1e-4, 1e-1, log=True)),
        Parameter("layers", Int(1, 4)),
    )
)


def mixed_loss(values: Mapping[str, Any], step: int) -> float:
    miss = abs(math.log10(values["rate"]) + 2) + 0.3 * (values["optimizer"] == "sgd") + 0.1 * values["layers"]
    return miss + math.exp(-0.2 * step)


def policy(**options: Any) -> FreezeThaw:
    return FreezeThaw(Settings(uniform=30, near=30), **options)


def plain(study: Study) -> list[tuple[Mapping[str, Scalar], Any]]:
    return [(trial.point, list(trial.curve)) for trial in study.view.trials]


def test_it_finds_the_bowl_and_leaves_weak_trials_paused() -> None:
    study = Study(policy()).run(150)
    assert study.best < 0.06
    lengths = sorted(len(trial.curve) for trial in study.view.trials)
    assert lengths[-1] >= 12
    assert lengths[len(lengths) // 2] <= 3


def test_paused_trials_are_taken_up_again() -> None:
    study = Study(policy()).run(60)
    assert sum(kind == "resume" for kind, _ in study.log) > 3


def test_what_is_paused_stays_few() -> None:
    frugal = FreezeThaw(Settings(uniform=30, near=30, paused=6))
    study = Study(frugal).run(120)
    states = [trial.state for trial in study.view.trials]
    assert states.count("pruned") > 10
    assert states.count("paused") < 20
    assert study.best < 0.1


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_restart_at_any_point_changes_nothing(lanes: int) -> None:
    whole = Study(policy(), lanes=lanes).run(60)
    interrupted = Study(policy(), lanes=lanes).run(60, policies=policy)
    assert plain(interrupted) == plain(whole)


def test_another_seed_is_another_study() -> None:
    first, second = Study(policy()), Study(policy())
    second.view = dataclasses.replace(second.view, seed=1)
    assert plain(first.run(12)) != plain(second.run(12))


def test_maximizing_mirrors_minimizing() -> None:
    down = Study(policy()).run(50)
    up = Study(policy(), loss=lambda values, step: -loss(values, step))
    up.view = dataclasses.replace(up.view, direction="maximize")
    up.run(50)
    assert [trial.point for trial in up.view.trials] == [trial.point for trial in down.view.trials]


def test_recipes_in_flight_are_not_started_twice() -> None:
    study = Study(policy(), lanes=6).run(60)
    points = [tuple(trial.point.values()) for trial in study.view.trials]
    assert len(set(points)) == len(points)
    assert study.best < 0.3


def test_mixed_and_conditional_spaces_are_searched() -> None:
    study = Study(policy(), space=MIXED, loss=mixed_loss).run(120)
    best = min((t for t in study.view.trials), key=lambda t: min(value for _, value in t.curve))
    assert best.point["optimizer"] == "adam"
    assert 3e-3 < best.point["rate"] < 3e-2


def test_diverging_recipes_are_avoided() -> None:
    study = Study(policy(), loss=lambda values, step: math.nan if values["x"] > 0.5 else loss(values, step)).run(100)
    late = study.view.trials[len(study.view.trials) // 2 :]
    assert sum(trial.state == "failed" for trial in late) < 0.3 * len(late)


def test_a_space_that_is_used_up_ends_with_its_paused_trials() -> None:
    space = Space((Parameter("x", Choice((0.1, 0.3, 0.9))),))
    study = Study(policy(), space=space)
    while any(trial.state != "complete" for trial in study.view.trials) or len(study.view.trials) < 3:
        study.run(study.points + 1)
    assert study.points == 3 * 16
    assert study.policy.next(study.view) == Start(None, study.policy.next(study.view).memo)


def test_a_plateau_of_noise_is_left_behind() -> None:
    def late(values: Mapping[str, Any], step: int) -> float:
        noise = math.sin(1e4 * (values["x"] + 3.0 * values["y"]) + 7.0 * step)
        learns = values["x"] > 0.7 and step > 4
        return 1.0 + 1e-3 * noise - (0.1 * (step - 4) if learns else 0.0)

    assert Study(policy(), loss=late).run(150).best < 0.5


def test_halving_prefers_a_trial_that_still_falls_to_flat_ones_that_are_lower() -> None:
    def curve(number: int) -> list[tuple[int, float]]:
        if number == 5:
            return [(t, 0.704 - 0.001 * t) for t in range(1, 10)]
        return [
            (t, 0.6931 + 0.01 * math.exp(2.0 * (1.0 - t)) + 1e-5 * math.sin(number + 7.0 * t)) for t in range(1, 10)
        ]

    trials = [Trial(i, {"x": i / 10, "y": i * 0.37 % 1.0}, curve(i), "paused") for i in range(10)]
    view = View(PLANE, {}, "minimize", 0, 50, trials)
    turn = FreezeThaw(dataclasses.replace(Settings(), halving=1.0)).next(view)
    assert turn == Resume(5)


def test_what_failed_holds_no_rung_against_trials_that_can_go_on() -> None:
    alive = [
        Trial(i, {"x": i / 12, "y": 0.5}, [(t, 2.0 + 0.01 * i - 0.3 * t) for t in (1, 2, 3)], "paused")
        for i in range(8)
    ]
    wild = [(1, 2.3), (2, 500.0), (3, 2.3)]
    lost = [Trial(i, {"x": i / 12, "y": 0.5}, wild, "failed") for i in range(8, 12)]
    view = View(PLANE, {}, "minimize", 0, 50, alive + lost)
    assert FreezeThaw(dataclasses.replace(Settings(), halving=1.0)).next(view) == Resume(0)


def test_a_trial_that_promises_most_is_not_ended_for_lower_flat_ones() -> None:
    def flat(number: int) -> Trial:
        curve = [(t, 0.6931 + 1e-6 * number + 0.01 * math.exp(2.0 * (1.0 - t))) for t in range(1, 10)]
        return Trial(number, {"x": number / 50, "y": number * 0.37 % 1.0}, curve, "paused")

    falling = Trial(45, {"x": 0.99, "y": 0.5}, [(t, 0.704 - 0.001 * t) for t in range(1, 10)], "running")
    view = View(PLANE, {}, "minimize", 0, 50, [*map(flat, range(45)), falling])
    assert not isinstance(FreezeThaw(Settings()).judge(view, 45), Prune)


def test_curves_of_one_point_are_searched_as_by_bayesian_optimization() -> None:
    study = Study(policy(), loss=lambda values, step: loss(values, 30))
    study.view = dataclasses.replace(study.view, horizon=1)
    study.run(40)
    assert len(study.view.trials) == 40
    assert study.best < 0.03


def test_an_unknown_horizon_is_learned() -> None:
    study = Study(policy())
    study.view = dataclasses.replace(study.view, horizon=None)
    assert study.run(80).best < 0.3


def test_a_wrong_prior_is_outweighed_and_a_right_one_helps() -> None:
    def found(prior: dict[str, Scalar], steps: int) -> float:
        return Study(policy(), prior=prior).run(steps).best

    assert found({"x": 0.3, "y": 0.6}, 20) <= found({}, 20)
    assert found({"x": 1.0, "y": 0.0}, 150) < 0.1


def test_an_earlier_study_helps_from_the_first_decision_on() -> None:
    earlier = Study(policy()).run(100).view.trials
    best = min(earlier, key=lambda trial: min(value for _, value in trial.curve))
    warm, cold = Study(policy(), earlier=earlier).run(30), Study(policy()).run(30)
    assert warm.view.trials[0].point == pytest.approx(best.point)
    assert warm.best < cold.best


def test_a_misleading_earlier_study_is_outweighed() -> None:
    earlier = Study(policy(), loss=lambda values, step: -loss(values, step)).run(60).view.trials
    assert Study(policy(), earlier=earlier).run(150).best < 0.1


def test_per_second_favours_cheap_steps() -> None:
    def share(per: str, seed: int) -> float:
        study = Study(make(SimpleNamespace(sampler=None), per=per), loss=lambda values, step: loss({}, step))
        study.view = dataclasses.replace(study.view, seed=seed)
        while study.points < 60:
            study.fill()
            study.advance()
            for trial in study.view.trials:
                cost = 10.0 if trial.point["x"] > 0.5 else 0.1
                study.change(trial.number, seconds=cost * len(trial.curve))
        dear = [trial for trial in study.view.trials if trial.point["x"] > 0.5]
        return sum(len(trial.curve) for trial in dear) / study.points

    assert sum(share("second", seed) for seed in range(8)) < sum(share("step", seed) for seed in range(8))


def bowl(*, x: float = 0.0, y: float = 0.0, epochs: int = 12, seed: int = 0) -> Iterator[dict[str, float]]:
    for step in range(1, epochs + 1):
        yield {"loss": loss({"x": x, "y": y}, step)}


class Stop(Progress):
    """Interrupts the search after so many points."""

    def __init__(self, points: int) -> None:
        self.left = points

    def opened(self, loop: Loop, phase: str) -> None:
        self.loop = loop

    def moved(self, entry: Entry) -> None:
        self.left -= 1
        self.loop.stop = self.loop.stop or self.left <= 0


def search(storage: str, **settings: Any) -> Any:
    space = {"x": {"float": [0, 1]}, "y": {"float": [0, 1]}}
    return hpo.run(
        bowl, goal="minimize loss", search=space, steps=50, seed=3, confirm="none", storage=storage, **settings
    )  # fmt: skip


@pytest.mark.parametrize("sampler", ["freeze-thaw", {"freeze-thaw": {"of": "random"}}])
def test_a_study_spends_its_budget_exactly_and_survives_interruptions(tmp_path: Path, sampler: Any) -> None:
    whole = search(":memory:", sampler=sampler).report.trials
    assert sum(len(trial.curve) for trial in whole) == 50
    url = f"sqlite:///{tmp_path}/study.db"
    for points in (7, 12, 5):
        with pytest.raises(Interrupted):
            search(url, sampler=sampler, progress=Stop(points))
    parts = search(url, sampler=sampler).report.trials
    assert [(trial.point, trial.curve) for trial in parts] == [(trial.point, trial.curve) for trial in whole]


def test_another_sampler_may_propose_the_recipes() -> None:
    named = make(SimpleNamespace(sampler=SimpleNamespace(options={"of": "tpe"})))
    view = View(PLANE, {}, "minimize", 0, 16, [])
    assert named.next(view) == Start()


def test_a_misspelt_cost_is_refused() -> None:
    with pytest.raises(UserError, match="per is step or second"):
        make(SimpleNamespace(sampler=None), per="hour")
