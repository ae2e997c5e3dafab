"""A training script as a study: its options are the knobs, what its text prints are the metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpo.search.contracts.draft import Draft
from hpo.search.describe.objective import describe
from hpo.search.describe.program import SCRIPT
from hpo.search.describe.script_options import options_of
from hpo.search.describe.source import Source
from hpo.search.describe.told_metrics import metrics_of
from hpo.search.studyfile.goals import better
from hpo.search.studyfile.usual import around, usual
from hpo.search.terms.knobs import REQUIRED, UNKNOWN, Knob
from hpo.search.terms.named import canonical

_HELD_OUT = ("val", "eval", "dev", "test", "heldout", "holdout")


def is_script(path: Path) -> bool:
    """Whether a Python file declares a command line that its text tells."""
    try:
        options = options_of(Source(path))
    except (OSError, SyntaxError, ValueError):
        return False
    return bool(options.declared) or options.open


def draft_of(path: Path, name: str) -> Draft:
    """The study that a script suggests.

    Args:
        path: the script.
        name: as the study's folder sees it.

    Raises:
        UserError: it cannot be read, or declares no options.
    """
    objective = describe(SCRIPT + str(path.resolve()), Path())
    knobs = [knob for knob in objective.signature.knobs.values() if knob.name not in objective.filled]
    found = {knob.name: domain for knob in knobs if (domain := usual(knob)) is not None}
    found = found or {knob.name: domain for knob in knobs if (domain := _near(knob)) is not None}
    metrics = metrics_of(Source(path))
    goal = goal_among(metrics)
    draft = Draft(path.stem, objective.doc or f"Which options of {path.name} give the best result?")
    draft.study = {"objective": {"script": name}, "goal": goal or "minimize val_loss", "search": found}
    others = [metric for metric in metrics if goal is None or metric != goal.rpartition(" ")[2]]
    draft.why["goal"] = f"its text also tells {', '.join(others[:6])}" if others and goal else ""
    for knob in knobs:
        if knob.name in found:
            draft.why[f"search.{knob.name}"] = _default(knob)
    _ask(draft, path, knobs, goal, seed="seed" in objective.signature.knobs)
    rest = [knob for knob in knobs if knob.name not in found and knob.default is not REQUIRED]
    if rest:
        shown = ", ".join(f"{knob.name} {_value(knob)}".rstrip() for knob in rest[:12])
        draft.why["search"] = f"at their defaults: {shown}{' and others' if len(rest) > 12 else ''}"
    return draft


def _ask(draft: Draft, path: Path, knobs: list[Knob], goal: str | None, *, seed: bool) -> None:
    needed = [knob.name for knob in knobs if knob.default is REQUIRED and knob.name not in draft.study["search"]]
    if needed:
        draft.asks.append(f"{path.name} needs {', '.join(needed)}: under fixed, or --set {needed[0]}=VALUE")
    if goal is None:
        draft.asks.append(
            f"its text does not tell what {path.name} prints: name the goal's metric, --goal 'minimize val_loss' "
            "(hpo check --first-run shows what a run tells)"
        )
    if not draft.study["search"]:
        draft.asks.append("none of its options has a default that tells a range: put ranges under search")
    if not seed:
        draft.left.append(f"{path.name} has no option seed, so that fresh runs of the winner differ by chance alone")


def goal_among(metrics: list[str]) -> str | None:
    """The goal that one would choose: a metric of held-out data whose better direction its name tells."""
    known = [name.replace(" ", "_") for name in metrics if _direction(name)]
    held_out = [name for name in known if any(word in canonical(name).split("_") for word in _HELD_OUT)]
    plain = [name for name in known if "train" not in canonical(name).split("_")]
    chosen = next(iter([*held_out, *plain, *known]), None)
    return None if chosen is None else f"{_direction(chosen)} {chosen}"


def _direction(name: str) -> str:
    return better(canonical(name), "")


def _near(knob: Knob) -> dict[str, Any] | None:
    return around(knob) if isinstance(knob.default, float) else None


def _default(knob: Knob) -> str:
    return ", ".join(filter(None, [knob.doc, f"its default is {_value(knob)}" if _value(knob) else ""]))


def _value(knob: Knob) -> str:
    return "" if knob.default in (REQUIRED, UNKNOWN, None) else str(knob.default)


def study_of_script(path: Path) -> tuple[dict[str, Any], list[str]] | None:
    """The study that a script is when it is run without a study file, and what to tell of it; None for other files.

    A key that its text does not tell is left out, for the command line to give.
    """
    if not is_script(path):
        return None
    draft = draft_of(path, path.name)
    study = dict(draft.study)
    told = not any("its text does not tell" in ask for ask in draft.asks)
    if not told:
        del study["goal"]
    knobs = ", ".join(study["search"]) or "nothing"
    goal = f", goal {study['goal']}" if told else ""
    notes = [f"taken from the text of {path.name}: search {knobs}{goal}; hpo new {path.name} writes it as a study file"]
    return study, [*notes, *draft.left]
