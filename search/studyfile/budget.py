"""The ``budget`` and ``confirm`` sections of a study file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hpo.search.describe.objective import Objective
from hpo.search.studyfile.goals import bounds
from hpo.search.studyfile.yaml12 import Node
from hpo.search.terms.budget import Budget
from hpo.search.terms.errors import Mistake, did_you_mean, spelt
from hpo.search.terms.study import Confirm, Goal

LIMITS = ("trials", "steps", "minutes", "target")
"""What a budget may limit."""

TRIALS = 50
"""Trials of a study that sets no limit and whose space holds as many recipes."""

_CONFIRM = ("top", "seeds", "ensemble")

LARGEST = 1_000_000_000
"""Most trials or steps that a budget may name."""


def read_limits(node: Node | None, mistakes: list[Mistake]) -> dict[str, Node]:
    """The limits that can be used, each a positive finite number; whole where it counts something."""
    if node is None or node.value is None:
        return {}
    if not isinstance(node.value, dict):
        hint = "budget: {trials: 60, minutes: 10}"
        mistakes.append(node.mistake(f"budget must be a mapping, got {node.kind}", hint))
        return {}
    found = {}
    for name, item in node.value.items():
        value = item.value
        if name not in LIMITS:
            mistakes.append(node.keys[name].mistake(f"unknown budget {name!r}", did_you_mean(name, LIMITS)))
        elif isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            mistakes.append(item.mistake(f"{name} must be a number, got {_shown(item)}"))
        elif name != "target" and value <= 0:
            mistakes.append(item.mistake(f"{name} must be above 0, got {value}", "leave it out for no limit"))
        elif name in ("trials", "steps") and value != int(value):
            mistakes.append(item.mistake(f"{name} must be whole, got {value}"))
        elif name in ("trials", "steps") and value > LARGEST:
            mistakes.append(item.mistake(f"{name} must be at most {LARGEST}, got {value}", "leave it out for no limit"))
        else:
            found[name] = item
    return found


def check_limits(
    limits: Mapping[str, Node],
    goals: Sequence[Goal],
    objective: Objective | None,
    points: int | None,
    size: int | None,
    mistakes: list[Mistake],
) -> None:
    """Refuse a budget that cannot be spent or a target that cannot be reached.

    Args:
        limits: from ``read_limits``.
        goals: of the study; none when they could not be read.
        objective: of the study, if known.
        points: fewest steps that one complete trial takes, None when unknown.
        size: number of recipes, None when infinite or repeats are allowed.
        mistakes: takes what is found.
    """
    trials, steps, target = (limits[name].value if name in limits else None for name in ("trials", "steps", "target"))
    if size is not None and isinstance(trials, (int, float)) and trials > size:
        hint = f"set trials to {size} or less, or repeats: true"
        mistakes.append(limits["trials"].mistake(f"{trials} trials, but the space holds {size} recipes", hint))
    if points is not None and isinstance(steps, (int, float)) and steps < points:
        problem = f"{steps} steps in all do not pay for one trial of {points} points"
        mistakes.append(limits["steps"].mistake(problem, f"raise steps to {points} or more, or make trials shorter"))
    if not isinstance(target, (int, float)):
        return
    if len(goals) > 1:
        mistakes.append(limits["target"].mistake("a target needs a single goal"))
    elif goals and objective is not None and objective.kind == "builtin":
        (goal,) = goals
        low, high = bounds(goal.metric)
        if goal.maximize and target > high:
            problem = f"{goal.metric} never exceeds {high:g}, so the target {target} is never reached"
            hint = f"did you mean {target / 100:g}?" if high == 1 and 1 < target <= 100 else ""
            mistakes.append(limits["target"].mistake(problem, hint))
        if not goal.maximize and target < low:
            problem = f"{goal.metric} never falls below {low:g}, so the target {target} is never reached"
            mistakes.append(limits["target"].mistake(problem))


def budget_of(limits: Mapping[str, Node], default: int | None) -> Budget:
    """The budget; ``default`` trials where nothing limits the search."""
    values: dict[str, Any] = {
        name: int(node.plain()) if name in ("trials", "steps") else float(node.plain()) for name, node in limits.items()
    }
    if not {"trials", "steps", "minutes"} & set(values):
        values["trials"] = default
    return Budget(**values)


def read_confirm(
    node: Node | None, objective: Objective | None, goals: Sequence[Goal], mistakes: list[Mistake]
) -> Confirm | None:
    """How the winner is chosen; None for ``confirm: none``.

    Where models are combined and nothing else is said, as many recipes are trained again as may be combined.
    """
    if node is None:
        return Confirm()
    if node.value is None or node.value is False or node.value == "none":
        return None
    if not isinstance(node.value, dict):
        mistakes.append(
            node.mistake(f"confirm is none or {{top: 3, seeds: 2}}, got {_shown(node)}", "leave it out for that")
        )
        return None
    values: dict[str, int] = {}
    for name, item in node.value.items():
        if name not in _CONFIRM:
            hint = did_you_mean(name, _CONFIRM)
            mistakes.append(node.keys[name].mistake(f"confirm has no setting {name!r}", hint))
        elif isinstance(item.value, bool) or not isinstance(item.value, int) or not 1 <= item.value <= 1000:
            hint = "confirm: none chooses by the search alone" if item.value == 0 else ""
            mistakes.append(item.mistake(f"{name} must be a whole number from 1 to 1000, got {_shown(item)}", hint))
        elif name == "ensemble" and (refused := _uncombined(item.value, objective, goals)):
            mistakes.append(item.mistake(*refused))
        else:
            values[name] = item.value
    if "ensemble" in values:
        values.setdefault("top", max(Confirm.top, values["ensemble"]))
    confirm = Confirm(**values)
    if confirm.ensemble > confirm.top * confirm.seeds:
        runs = f"{confirm.top * confirm.seeds} fresh runs, {confirm.top} recipes with {confirm.seeds} seeds each"
        problem = f"ensemble: {confirm.ensemble} models cannot be combined out of {runs}"
        mistakes.append(node.mistake(problem, f"raise top to {-(-confirm.ensemble // confirm.seeds)}"))
    return confirm


def _uncombined(most: int, objective: Objective | None, goals: Sequence[Goal]) -> tuple[str, str] | None:
    """Why models cannot be combined, and what to do."""
    if most < 2:
        return f"ensemble: {most} model is not combined", "name how many may be, from 2 on, or leave it out"
    if len(goals) > 1:
        return "ensemble: models are combined for one goal, and this study has several", "leave ensemble out"
    if objective is None or (not objective.text and (objective.trained_by_suite or objective.kind == "builtin")):
        return None
    what = "models of text predict tokens" if objective.text else f"{objective.label} trains by itself"
    return (
        f"ensemble: {what}, so there are no predictions that the suite can combine",
        "leave ensemble out; it is for mlp, cnn, sklearn, and files with build and data",
    )


def _shown(item: Node) -> str:
    return item.kind if isinstance(item.value, (list, dict)) else spelt(item.value)
