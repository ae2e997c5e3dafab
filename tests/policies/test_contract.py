"""The contract of policies: every file of the folder keeps it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import falling
import pytest
from falling import EPOCHS

import hpo
from hpo.search.engine import run as engine
from hpo.search.engine.context import Progress
from hpo.search.engine.entry import Entry
from hpo.search.studyfile.plugins import known_names
from hpo.search.studyfile.reader import read
from hpo.search.terms import registry
from hpo.search.terms.study import Plugin
from hpo.search.terms.trial import Trial

POLICIES = [Plugin(name) for name in registry.names("policy")]
EACH = pytest.mark.parametrize("policy", POLICIES, ids=str)


def settings(policy: Plugin, storage: str = ":memory:", **changes: Any) -> dict[str, Any]:
    """A small study under the policy; one that a study cannot name stands behind every sampler."""
    return {
        "name": "study", "objective": falling.__file__, "goal": "minimize loss", "seed": 3,
        "search": {"x": {"float": [0.0, 1.0]}, "kind": {"choice": ["good", "raises", "diverges"]}},
        "budget": {"trials": 14, "steps": 70}, "confirm": "none", "storage": storage, "pruner": "none", **changes,
        "sampler": policy.plain() if policy.name in known_names("sampler") else "random",
    }  # fmt: skip


def search(policy: Plugin, storage: str = ":memory:", **changes: Any) -> list[Trial]:
    return list(hpo.run(settings(policy, storage, **changes)).report.trials)


def told(trials: list[Trial]) -> list[Any]:
    return [[dict(t.point), t.state, [[step, repr(value)] for step, value in t.curve], t.reason] for t in trials]


def one_process() -> dict[str, Any]:
    return {str(policy): told(search(policy)) for policy in POLICIES}


@EACH
def test_every_trial_comes_to_an_end_and_no_budget_is_exceeded(policy: Plugin) -> None:
    trials = search(policy)
    assert 1 < len(trials) <= 14
    paid = sum(len(trial.curve) + (trial.state == "failed") for trial in trials)  # the step that failed was trained too
    assert paid == 70 or (paid < 70 and len(trials) == 14)
    assert {trial.state for trial in trials} <= {"complete", "pruned", "failed"}
    assert all(trial.reason for trial in trials if trial.state in ("pruned", "failed"))
    assert all([step for step, _ in trial.curve] == list(range(1, len(trial.curve) + 1)) for trial in trials)
    assert all(len(trial.curve) == EPOCHS for trial in trials if trial.state == "complete")


@EACH
@pytest.mark.parametrize("budget", [{"trials": 3}, {"steps": 1}, {"steps": EPOCHS * 4}, {"trials": 1, "steps": 2}])
def test_it_neither_starves_nor_overspends(policy: Plugin, budget: dict[str, int]) -> None:
    trials = search(policy, budget=budget, search={"x": {"float": [0.0, 1.0]}})
    steps = sum(len(trial.curve) for trial in trials)
    assert steps <= min(budget.get("steps", math.inf), budget.get("trials", math.inf) * EPOCHS)
    assert steps > 0
    if "trials" not in budget:
        assert steps == budget["steps"]


@EACH
def test_the_same_seed_searches_the_same_and_another_does_not(policy: Plugin) -> None:
    assert told(search(policy)) == told(search(policy)) != told(search(policy, seed=4))


def test_another_process_searches_the_same(elsewhere: Callable[[str], Any]) -> None:
    assert elsewhere("one_process()") == one_process()


class Killed(BaseException):
    """What a SIGKILL is to the process it happens to: nothing more is recorded."""


class Watch(Progress):
    """Notes which trial moved to which step, and kills when so many points have been recorded."""

    def __init__(self, after: int = 0) -> None:
        self.left, self.log = after, list[tuple[int, int]]()

    def moved(self, entry: Entry) -> None:
        self.log.append((entry.number, len(entry.curve)))
        self.left -= 1
        if not self.left:
            raise Killed


@EACH
@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.9])
def test_a_search_interrupted_after_any_point_is_the_one_that_was_not(
    policy: Plugin, share: float, tmp_path: Path
) -> None:
    def ran(file: str, watch: Watch) -> list[Any]:
        study = settings(policy, str(tmp_path / file), budget={"trials": 6, "steps": 30})
        engine.run(read(study), progress=watch)
        return told(list(hpo.run(study).report.trials))

    left_alone, resumed = Watch(), Watch()
    whole = ran("whole.db", left_alone)
    after = 1 + int(share * len(left_alone.log))
    killed = Watch(after)
    with pytest.raises(Killed):
        ran("study.db", killed)
    assert ran("study.db", resumed) == whole
    again = resumed.log[:1] == killed.log[-1:]  # whether the last point had reached the store
    assert killed.log[: after - again] + resumed.log == left_alone.log, "trials train in the same order"
