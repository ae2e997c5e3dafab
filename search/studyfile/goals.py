"""The ``goal`` of a study file: one text or a list of them, ``minimize val_loss``."""

from __future__ import annotations

from collections.abc import Mapping

from hpo.search.describe.objective import Objective
from hpo.search.studyfile.yaml12 import Node
from hpo.search.terms.errors import Mistake, did_you_mean
from hpo.search.terms.study import AGGREGATES, Goal

DIRECTIONS = ("minimize", "maximize")
_EXAMPLE = "goal: minimize val_loss"
_LOSSES = ("loss", "error", "rmse", "mae", "mse", "perplexity", "brier", "deviance", "cost")
_SCORES = (
    "accuracy", "auc", "f1", "r2", "precision", "recall", "bleu", "mcc", "corrcoef", "jaccard", "variance", "rand",
)  # fmt: skip
_ENDINGS = ("macro", "micro", "weighted", "mean", "score", "samples", "ovo", "ovr", "untuned")


def read_goals(
    root: Node, node: Node | None, objective: Objective | None, mistakes: list[Mistake], remedies: Mapping[str, str]
) -> list[Goal]:
    """Read every goal; those with a mistake are left out.

    Args:
        root: of the file.
        node: of the key; None where it is not there.
        objective: yields the metrics.
        mistakes: filled in.
        remedies: what has an objective yield metrics that it lacks, by the metric's name.
    """
    if node is None:
        mistakes.append(root.mistake("the study names no goal", _EXAMPLE, about="goal"))
        return []
    items = node.value if isinstance(node.value, list) else [node]
    if not items:
        mistakes.append(node.mistake("goal is an empty list", _EXAMPLE))
    goals: list[Goal] = []
    for item in items:
        goal = _goal(item, mistakes)
        if goal is None:
            continue
        if goal.metric in [known.metric for known in goals]:
            mistakes.append(item.mistake(f"{goal.metric} is a goal already"))
            continue
        _check(item, goal, objective, mistakes, remedies)
        goals.append(goal)
    if goals and objective is not None and goals[0].metric in objective.measured:
        told = f"{goals[0].metric} is read off a clock, and trials are stopped and compared by their first goal"
        others = [str(goal) for goal in goals if goal.metric not in objective.measured] or ["maximize val_accuracy"]
        hint = f"name it after another: [{', '.join([others[0], str(goals[0])])}]"
        mistakes.append(items[0].mistake(told, hint))
    return goals


def _goal(item: Node, mistakes: list[Mistake]) -> Goal | None:
    if not isinstance(item.value, str):
        mistakes.append(item.mistake(f"a goal reads 'minimize val_loss', got {item.kind}", _EXAMPLE))
        return None
    words = item.value.split()
    if len(words) == 1 and words[0] not in DIRECTIONS:
        hint = f"did you mean '{better(words[0])} {words[0]}'?"
        mistakes.append(item.mistake(f"the goal {item.value!r} does not say minimize or maximize", hint))
        return None
    if words and words[0] not in DIRECTIONS:
        hint = did_you_mean(words[0], DIRECTIONS)
        mistakes.append(item.mistake(f"a goal starts with minimize or maximize, got {words[0]!r}", hint))
        return None
    if len(words) not in (2, 3):
        hint = "several goals are a list: [minimize val_loss, minimize val_rmse]" if len(words) > 3 else _EXAMPLE
        mistakes.append(item.mistake(f"a goal reads 'minimize val_loss', got {item.value!r}", hint))
        return None
    between = words[1] if len(words) == 3 else None
    aggregate = next((known for known in AGGREGATES if known == between), None)
    if between is not None and aggregate is None:
        problem = f"what of the curve counts is best, last or mean, got {between!r}"
        mistakes.append(item.mistake(problem, f"write '{words[0]} {words[-1]}', or '{words[0]} last {words[-1]}'"))
        return None
    return Goal(words[-1], "minimize" if words[0] == "minimize" else "maximize", aggregate)


def _check(
    item: Node, goal: Goal, objective: Objective | None, mistakes: list[Mistake], remedies: Mapping[str, str]
) -> None:
    if objective is not None and objective.metrics and goal.metric not in (*objective.metrics, *objective.named):
        known = (*objective.metrics, *objective.named)
        hint = remedies.get(goal.metric) or did_you_mean(goal.metric, known)
        mistakes.append(item.mistake(f"{objective.label} yields no metric {goal.metric!r}", hint))
    elif better(goal.metric, goal.direction) != goal.direction:
        other = "minimize" if goal.maximize else "maximize"
        problem = f"{goal.direction} {goal.metric} looks for the worst"
        mistakes.append(item.mistake(problem, f"did you mean '{other} {goal.metric}'?"))


def better(metric: str, otherwise: str = "minimize") -> str:
    """Direction in which a metric of this name gets better, as far as its name says.

    >>> better("val_f1_macro"), better("neg_log_loss", "maximize"), better("gap", "maximize")
    ('maximize', 'maximize', 'maximize')
    """
    words = metric.lower().split("_")
    while len(words) > 1 and words[-1] in _ENDINGS:
        words.pop()
    if "neg" in words or "negative" in words:
        return otherwise
    if "d2" in words:  # a share of a loss that is explained
        return "maximize"
    return "maximize" if words[-1] in _SCORES else "minimize" if words[-1] in _LOSSES else otherwise


def bounds(metric: str) -> tuple[float, float]:
    """Lowest and highest value that a metric of the built-in objectives can have.

    >>> bounds("val_accuracy"), bounds("val_r2")
    ((0.0, 1.0), (-inf, 1.0))
    """
    last = [word for word in metric.split("_") if word not in _ENDINGS][-1]
    inf = float("inf")
    if last in ("r2", "corrcoef", "variance", "rand") or "d2" in metric.split("_"):
        return (-1.0 if last == "corrcoef" else -inf), 1.0
    return 0.0, (1.0 if last in _SCORES or metric.endswith("average_precision") else inf)
