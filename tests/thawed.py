"""A study under a policy without the engine: the search loop's verbs on a function of the recipe and the step."""

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from hpo.search.contracts.policy import Pause, Policy, Prune, Resume, View, Wait
from hpo.search.terms.domain import Float
from hpo.search.terms.space import Parameter, Space
from hpo.search.terms.trial import Trial

PLANE = Space((Parameter("x", Float(0.0, 1.0)), Parameter("y", Float(0.0, 1.0))))


def loss(values: Mapping[str, Any], step: int) -> float:
    """A bowl in x and y that is learned exponentially."""
    x, y = float(values.get("x", 0.5)), float(values.get("y", 0.5))
    level = (x - 0.3) ** 2 + (y - 0.6) ** 2
    return level + math.exp(-0.25 * (step - 1) * (0.5 + x))


class Study:
    """The search loop's verbs on a function of (values, step), with lanes that all move in step."""

    def __init__(self, policy: Policy, space: Space = PLANE, loss: Any = loss, **view: Any) -> None:
        self.policy, self.loss = policy, loss
        self.view = View(space, {}, "minimize", 0, 16, [], **view)
        self.log: list[tuple[str, int]] = []

    def run(self, steps: int, policies: Any = None) -> "Study":
        while self.points < steps:
            self.fill()
            self.advance()
            if policies is not None:
                self.policy = policies()
        return self

    @property
    def points(self) -> int:
        return sum(len(trial.curve) for trial in self.view.trials)

    @property
    def best(self) -> float:
        sign = -1 if self.view.direction == "maximize" else 1
        return sign * min(sign * value for trial in self.view.trials for _, value in trial.curve)

    def running(self) -> list[int]:
        return [trial.number for trial in self.view.trials if trial.state == "running"]

    def fill(self) -> None:
        while len(self.running()) < self.view.lanes:
            turn = self.policy.next(self.view)
            self.keep(turn)
            if isinstance(turn, Wait):
                assert self.running()
                return
            if isinstance(turn, Resume):
                assert self.view.trials[turn.number].state == "paused"
                self.change(turn.number, state="running")
                self.log.append(("resume", turn.number))
            else:
                assert turn.point is not None
                assert self.view.space.contains(turn.point, self.view.fixed)
                number = len(self.view.trials)
                self.replace([*self.view.trials, Trial(number, dict(turn.point), (), "running")])
                self.log.append(("start", number))

    def advance(self) -> None:
        for number in self.running():
            trial = self.view.trials[number]
            step = len(trial.curve) + 1
            value = self.loss(trial.point, step)
            if not math.isfinite(value):
                self.change(number, state="failed")
                continue
            self.change(number, curve=(*trial.curve, (step, value)), seconds=trial.seconds + 0.1)
            if step == (self.view.horizon or 16):
                self.change(number, state="complete")
                continue
            verdict = self.policy.judge(self.view, number)
            self.keep(verdict)
            if isinstance(verdict, Prune):
                self.change(number, state="pruned")
            elif isinstance(verdict, Pause):
                self.change(number, state="paused")

    def keep(self, turn: Any) -> None:
        if turn.memo is not None:
            self.view = dataclasses.replace(self.view, memo=json.loads(json.dumps(turn.memo)))

    def change(self, number: int, **facts: Any) -> None:
        trials = list(self.view.trials)
        trials[number] = dataclasses.replace(trials[number], **facts)
        self.replace(trials)

    def replace(self, trials: list[Trial]) -> None:
        self.view = dataclasses.replace(self.view, trials=trials)
