"""How a training script becomes a study: what is told to who gives one where a study file belongs."""

from __future__ import annotations

import contextlib
import json
import shlex
from pathlib import Path

from hpo.search.describe.objective import FILLED, Objective, describe
from hpo.search.describe.script_wandb import advice
from hpo.search.describe.source import Source
from hpo.search.studyfile.goals import better
from hpo.search.studyfile.usual import around, usual
from hpo.search.studyfile.yaml12 import dump, flow
from hpo.search.terms.errors import UserError

LENGTH = ("epochs", "seed")
"""Knobs of numbers that say how long and by which luck, not how."""


def explain(script: Path) -> UserError:
    """The message for a script: the study file that it needs, and the command that runs it."""
    name = f"{script.stem}.yaml"
    where = f"./{script}" if not script.is_absolute() else str(script)
    try:
        objective = describe(where, Path())
    except UserError:
        objective = None
    told = f"{script} is a script, not a study: put what is to be searched into a study file, such as {name}"
    if objective is not None:
        return UserError(f"{told}\n\n{_indented(study_text(where, objective))}\n\nthen: hpo run {shlex.quote(name)}")
    with contextlib.suppress(OSError, SyntaxError, ValueError):
        if script.suffix == ".py" and (told_how := advice(Source(script))):
            return UserError(told_how)
    program = "python3 " if script.suffix == ".py" else "sh "
    command = f"{program}{shlex.quote(script.name)} --lr {{lr}}"
    text = f"objective: {{command: {json.dumps(command)}}}\ngoal: minimize loss\nsearch:\n  lr: {_EXAMPLE}\n"
    form = "def train(*, lr: float = 0.1) that yields {'loss': ...} after each epoch"
    return UserError(
        f"{told}\n\n{_indented(text)}\n\nthen: hpo run {shlex.quote(name)}; "
        f'the script prints a line such as {{"loss": 0.5}} after each epoch, or is given {form}'
    )


_EXAMPLE = "{float: [0.0001, 0.1], log: true}"


def study_text(reference: str, objective: Objective) -> str:
    """A study of an objective that searches around the defaults of its knobs."""
    metric = next(iter(objective.metrics), "val_loss")
    knobs = [knob for name, knob in objective.signature.knobs.items() if name not in (*FILLED, *LENGTH)]
    if objective.trained_by_suite:  # it has dozens
        knobs = [knob for knob in knobs if knob.name in ("learning_rate", "dropout")]
    ranges = {knob.name: flow(domain) for knob in knobs if (domain := usual(knob) or around(knob))}
    lines = [f"objective: {dump(reference).splitlines()[0]}", f"goal: {better(metric)} {metric}", "search:"]
    lines += [f"  {name}: {text}" for name, text in ranges.items()] or [f"  learning_rate: {_EXAMPLE}"]
    return "\n".join(lines) + "\n"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.rstrip().splitlines())
