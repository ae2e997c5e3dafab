"""Processor time that decisions take of a search, for the default, hedge and freeze-thaw, as a study grows.

    python benchmarks/decision_time.py --output benchmarks/results/decision_time.json
    python benchmarks/decision_time.py --sizes --digits 0 1     # of real searches of lr-batch, by seeds

Studies of random recipes in seven dimensions with synthetic curves of 50 steps, as a search leaves them: most trials
stopped after one to four points, one in thirty complete, a hundred paused. From there each rule goes on for some points
in 16 lanes that move in step, or in one. What is measured is all that the rule does between two points: which trial
goes on, which new recipe begins, whether to stop. The default's recipes are drawn at random here; what its sampler
costs is measured by tpe.py. Medians over blocks of points; the longest round, in which hyperparameters are fitted anew
perhaps; the first round of a process, which reads the whole study, as after a restart; and that with all rounds until
every rung has been looked at once.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rows import markdown

from hpo.search import studyfile
from hpo.search.contracts.policy import Pause, Policy, Prune, Resume, Start, View
from hpo.search.contracts.pruner import Pruner, PrunerContext
from hpo.search.curves.single import Library, forecast
from hpo.search.curves.thaw import Settings
from hpo.search.engine import run as engine
from hpo.search.engine.context import Progress
from hpo.search.engine.loop import Loop
from hpo.search.engine.plugins import build
from hpo.search.policies.common.thawing import FreezeThaw
from hpo.search.policies.hedge import make as hedge
from hpo.search.policies.straight import make as straight
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms import registry
from hpo.search.terms.changed import Log
from hpo.search.terms.domain import Float
from hpo.search.terms.space import Parameter, Space
from hpo.search.terms.study import Plugin
from hpo.search.terms.trial import Trial

HORIZON = 50
SPACE = Space(tuple(Parameter(f"x{i}", Float(0.0, 1.0)) for i in range(7)))
PAUSED, ONE_COMPLETE_IN, HELD_IN = 100, 30, 40
BLOCKS = 10
WARM_UP = 160
"""Points after which every rung has been looked at, at which what complete trials promised is worked out once."""


class Search:
    """A study, and the loop that goes on with it."""

    def __init__(self, policy: Policy, pruner: Pruner | None, trials: int, lanes: int) -> None:
        self.policy, self.pruner = policy, pruner
        self.rng, log = np.random.default_rng(0), Log()
        self.trials: list[Trial] = []
        self.view = View(SPACE, {}, "minimize", 0, HORIZON, self.trials, lanes=lanes, log=log)
        drawn = []
        for number in range(trials):
            self.add(self.recipe(), "pruned")
            whole = number % ONE_COMPLETE_IN == 0
            if number % HELD_IN == 0:
                drawn.append(number)
            length = HORIZON if whole or number in drawn[-1:] else int(min(HORIZON - 1, self.rng.geometric(0.5)))
            level = sum((x - 0.4) ** 2 for x in self.trials[number].point.values())
            steps = np.arange(1, length + 1)
            values = level + np.exp(-0.1 * steps) + 0.01 * self.rng.standard_normal(length)
            self.change(number, curve=tuple(zip(steps.tolist(), values.tolist(), strict=True)))
            state: Any = "complete" if length == HORIZON else "paused" if number >= trials - PAUSED else "pruned"
            self.change(number, state=state)
        self.view = replace(self.view, memo={"held": {"open": [], "drawn": drawn}})
        self.spent: list[float] = []
        self.since = 0.0

    def recipe(self) -> dict[str, float]:
        """A random one."""
        return dict(zip(SPACE.names(), self.rng.random(7).tolist(), strict=True))

    def add(self, point: Any, state: Any) -> None:
        """Begin a trial."""
        self.trials.append(Trial(len(self.trials), dict(point), (), state))
        self.noted(len(self.trials) - 1)

    def point(self, number: int) -> None:
        """Train a trial a step."""
        trial = self.trials[number]
        step = len(trial.curve) + 1
        level = sum((x - 0.4) ** 2 for x in trial.point.values())
        value = float(level + np.exp(-0.1 * step) + 0.01 * self.rng.normal())
        self.change(number, curve=(*trial.curve, (step, value)))

    def change(self, number: int, **facts: Any) -> None:
        """Another view of a trial."""
        self.trials[number] = replace(self.trials[number], **facts)
        self.noted(number)

    def noted(self, number: int) -> None:
        """Log it."""
        assert self.view.log is not None
        self.view.log.add(number)

    def asked(self, answer: Callable[[], Any]) -> Any:
        """What the rule says, timed, its memo kept as a store gives it back."""
        began = time.process_time()
        found = answer()
        self.since += time.process_time() - began
        if found.memo is not None:
            self.view = replace(self.view, memo=json.loads(json.dumps(found.memo)))
        return found

    def go_on(self, points: int) -> None:
        """Train so many steps; ``spent`` gets the milliseconds of the decisions for each."""
        running: list[int] = [trial.number for trial in self.trials[-2 * PAUSED :] if trial.state == "running"]
        while points > 0:
            while len(running) < self.view.lanes:
                turn = self.asked(lambda: self.policy.next(self.view))
                number = turn.number if isinstance(turn, Resume) else len(self.trials)
                if isinstance(turn, Start):
                    self.add(turn.point or self.recipe(), "running")
                self.change(number, state="running")
                running.append(number)
            for number in running:
                self.point(number)
            moved, running, points = list(running), [], points - len(running)
            for number in moved:
                if len(self.trials[number].curve) >= HORIZON:
                    self.change(number, state="complete")
                    continue
                verdict = self.asked(lambda number=number: self.policy.judge(self.view, number))
                if not isinstance(verdict, (Pause, Prune)) and self.pruner is not None:
                    verdict = self.asked(lambda number=number: self.pruner.judge(self.view, number))
                if isinstance(verdict, (Pause, Prune)):
                    self.change(number, state="paused" if isinstance(verdict, Pause) else "pruned")
                else:
                    running.append(number)
            self.spent.append(1e3 * self.since / len(moved))
            self.since = 0.0


def pruner() -> Pruner:
    """The default, without what it does for folds."""
    made: Pruner = build("pruner", Plugin("hedged", {"of": Plugin("successive-halving")}), PrunerContext(HORIZON))
    return made


RULES: dict[str, Callable[[], tuple[Policy, Pruner | None]]] = {
    "default": lambda: (straight(None), pruner()),
    "hedge": lambda: (hedge(None), None),
    "freeze-thaw": lambda: (FreezeThaw(Settings()), None),
}


def measure(rule: str, trials: int, lanes: int, points: int) -> dict[str, Any]:
    """One row."""
    search = Search(*RULES[rule](), trials, lanes)
    search.go_on(1)
    first = search.spent[0] * lanes
    search.go_on(WARM_UP)
    taken_up, search.spent = sum(search.spent) * lanes, []
    search.go_on(points)
    blocks = [statistics.fmean(block) for block in np.array_split(search.spent, BLOCKS)]
    return {
        "rule": rule, "trials": trials, "lanes": lanes, "points": points, "mean ms": statistics.fmean(search.spent),
        "median ms": statistics.median(blocks), "longest ms": max(search.spent) * lanes, "first ms": first,
        "warm-up ms": taken_up,
    }  # fmt: skip


def single(complete: int, points: int) -> float:
    """Milliseconds of one forecast."""
    curves = [[(t, 0.3 + 0.01 * k + np.exp(-0.1 * t)) for t in range(1, HORIZON + 1)] for k in range(complete)]
    forecast(curves[0][:points], HORIZON, Library.of(curves, HORIZON), 0)
    began = time.process_time()
    for seed in range(20):
        forecast(curves[0][:points], HORIZON, Library.of(curves, HORIZON), seed)
    return 1e3 * (time.process_time() - began) / 20


def of_digits(rule: str, seed: int, steps: int = 640, lanes: int = 16) -> dict[str, Any]:
    """Processor time in policy and pruner of a search of ``lr-batch``, in all and as a share of the search's own."""
    study: Any = parse(registry.path("study", "lr-batch").read_text(encoding="utf-8"), "lr-batch").plain()
    study |= {"name": "digits", "budget": {"steps": steps}, "seed": seed, "confirm": "none"}
    study |= {"executor": {"cohort": {"lanes": lanes}}, "storage": ":memory:"}
    study |= {} if rule == "default" else {"sampler": rule}
    spent = {"rule": 0.0, "search": 0.0}

    def timed(call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def answer(*given: Any) -> Any:
            began = time.process_time()
            try:
                return call(*given)
            finally:
                spent[name] += time.process_time() - began

        return answer

    class Timed(Progress):
        def opened(self, loop: Loop, phase: str) -> None:
            policy, judge = loop.rules.policy, loop.rules.pruner
            policy.next, policy.judge = timed(policy.next, "rule"), timed(policy.judge, "rule")  # type: ignore[method-assign]
            judge.judge = timed(judge.judge, "rule")  # type: ignore[method-assign]
            loop.run = timed(loop.run, "search")  # type: ignore[method-assign]

    engine.run(studyfile.read(study), progress=Timed())
    return {
        "rule": rule, "seed": seed, "lanes": lanes, "points": steps, "ms a point": 1e3 * spent["rule"] / steps,
        "share": spent["rule"] / spent["search"],
    }  # fmt: skip


def main() -> None:
    """Print a line per size; write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--digits", type=int, nargs="*", default=[], metavar="SEED")
    parser.add_argument("--sizes", type=int, nargs="*", default=[50, 1000, 5000, 20_000, 50_000])
    parser.add_argument("--rules", nargs="+", default=list(RULES))
    parser.add_argument("--lanes", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--points", type=int, default=640)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows = []
    for rule in options.rules:
        for trials in options.sizes:
            for lanes in options.lanes:
                rows.append(measure(rule, trials, lanes, options.points))
                print(json.dumps(rows[-1]), flush=True)
    for rule in options.rules:
        for seed in options.digits:
            print(json.dumps(of_digits(rule, seed)), flush=True)
    if not rows:
        return
    forecasts = {str(complete): single(complete, 12) for complete in (1, 40, 1000)}
    shown = [{k: f"{v:.3g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows]
    print(f"\n{markdown(shown)}\nforecasts from 12 points, by complete curves, ms: {forecasts}")
    if options.output:
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
        result = {
            "command": " ".join(["python", "benchmarks/decision_time.py", *sys.argv[1:]]),
            "commit": commit,
            "python": platform.python_version(),
            "versions": {name: version(name) for name in ("hpo-suite", "numpy", "scipy")},
            "rows": rows,
            "forecast ms": forecasts,
        }
        options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
