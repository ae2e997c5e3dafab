"""The model card of a trained model's folder: what it is for, what it scored, how to use it (Mitchell et al. 2019)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hpo.search.report import text
from hpo.search.report.exported import RecipeFile

_CODE = """```python
import hpo

model = hpo.load("{folder}")
model.predict(rows)         # {rows}
```"""

_TEXT = """```python
import hpo

model = hpo.load("{folder}")
model.score(texts)          # bits per byte, nats per token
model.generate("Once")      # what it writes; of a masked model: model.fill("Once [MASK] a time")
```"""


def compose(exported: RecipeFile, recipe: Mapping[str, Any], metrics: Mapping[str, Any], folder: str) -> str:
    """Text of the card.

    Args:
        exported: what was trained.
        recipe: every knob value.
        metrics: ``validation``, ``test`` and ``evaluated`` as ``hpo train`` measured them.
        folder: name of the model's folder.
    """
    goal, objective = exported.goals[0], exported.objective
    parts = [
        f"# {exported.study}",
        f"A model of {objective.label}, trained by `hpo train` to {goal.direction} {goal.metric}.",
    ]
    data = exported.task.data if exported.task.data is not None else objective.default_data
    ensemble = exported.ensemble if "ensemble" in metrics else None
    recipes = [member.recipe for member in ensemble.members] if ensemble is not None else [recipe]
    rows = [
        (f"`{name}`", *(f"`{_plain(one.get(name))}`" for one in recipes))
        for name in sorted({name for one in recipes for name in one})
    ]
    scores = [
        (where, name, text.short(value))
        for where in ("validation", "test")
        for name, value in dict(metrics.get(where) or {}).items()
        if isinstance(value, (int, float)) and name != "step"
    ]
    parts += ["## Scores", _table(("part", "metric", "value"), scores)]
    parts.append(
        "The validation part chose the recipe, so its scores flatter; the test part was measured once, after training."
        if metrics.get("test")
        else "The validation part chose the recipe, so its scores flatter; no test part was measured."
    )
    parts += ["## Data", f"`{_plain(data)}`, split by the seed {exported.task.split_seed}."]
    if objective.text:
        parts += ["## Use", _TEXT.format(folder=folder)]
        parts.append(f"Or `hpo predict {folder} --data new.txt --output scores.csv`, a row for each document.")
    elif objective.kind == "builtin":
        used = "a frame with the columns it was trained on, or an array"
        parts += ["## Use", _CODE.format(folder=folder, rows=used)]
        parts.append(f"Or `hpo predict {folder} --data new.csv --output predictions.csv`.")
    if ensemble is None:
        parts += ["## Recipe", _table(("knob", "value"), rows)]
        return "\n\n".join(parts) + "\n"
    weights = ensemble.combination.get("weights") or ["-"] * len(recipes)
    heads = [f"model {place}" for place in range(len(recipes))]
    parts.append(f"## Recipes of the {len(recipes)} models that are combined ({ensemble.combination.get('kind')})")
    shown = (weight if isinstance(weight, str) else text.short(weight) for weight in weights)
    parts.append(_table(("knob", *heads), [("weight", *shown), *rows]))
    return "\n\n".join(parts) + "\n"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
