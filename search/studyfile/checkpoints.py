"""Where checkpoints are kept, how often, and up to which size."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from hpo.search.describe.objective import Objective
from hpo.search.studyfile.yaml12 import Node
from hpo.search.terms.errors import Mistake, did_you_mean, spelt
from hpo.search.terms.keeping import LOCAL, SCHEME, Keeping, problem_with

_SETTINGS = ("at", "every", "limit")


def read_checkpoints(
    node: Node | None, objective: Objective | None, folder: Path, mistakes: list[Mistake]
) -> tuple[str | None, Keeping]:
    """The place for checkpoints, None for beside the store, and how they are kept.

    Args:
        node: a place, or ``{at: PLACE, every: STEPS, limit: MIB}``.
        objective: of the study, if known.
        folder: what a relative path starts from, unless it was typed on the command line.
        mistakes: takes what is found.
    """
    if node is None or node.value is None:
        return None, Keeping()
    if objective is not None and "checkpoint" not in objective.signature.knobs:
        hint = "give its function a parameter checkpoint: str, or leave checkpoints out"
        mistakes.append(node.mistake(f"{objective.label} saves no checkpoints", hint))
        return None, Keeping()
    if not isinstance(node.value, dict):
        return _place(node, folder, mistakes), Keeping()
    at: str | None = None
    keeping = Keeping()
    for name, item in node.value.items():
        if name not in _SETTINGS:
            hint = did_you_mean(name, _SETTINGS)
            mistakes.append(node.keys[name].mistake(f"checkpoints has no setting {name!r}", hint))
        elif item.value is None:
            continue
        elif name == "at":
            at = _place(item, folder, mistakes)
        elif isinstance(item.value, bool) or not isinstance(item.value, (int, float)) or not 0 < item.value < 2**53:
            mistakes.append(item.mistake(f"{name} must be a number above 0, got {_shown(item)}"))
        elif name == "limit":
            keeping = replace(keeping, limit=float(item.value))
        elif item.value != int(item.value):
            mistakes.append(item.mistake(f"every is a whole number of steps, got {_shown(item)}"))
        else:
            keeping = replace(keeping, every=int(item.value))
    return at, keeping


def _place(node: Node, folder: Path, mistakes: list[Mistake]) -> str | None:
    if not isinstance(node.value, str) or not node.value.strip():
        hint = "write a folder, a location such as s3://bucket/folder, or {at: ..., every: 10, limit: 500}"
        mistakes.append(node.mistake(f"checkpoints is a place or a mapping, got {_shown(node)}", hint))
        return None
    where = node.value.strip()
    wrong = problem_with(where)
    if wrong is not None:
        mistakes.append(replace(node.mistake(*wrong), text=""))  # the line may hold a password
        return None
    scheme = SCHEME.fullmatch(where)
    if scheme is not None and scheme[1].lower() not in LOCAL:
        return where.rstrip("/")
    start = Path.cwd() if node.source.startswith("--") else folder  # what is typed means what it means there
    try:
        return os.path.abspath(start / Path(scheme[2] if scheme else where).expanduser())
    except (RuntimeError, ValueError) as error:
        mistakes.append(node.mistake(f"checkpoints cannot lie there: {error}"))
        return None


def _shown(node: Node) -> str:
    return node.kind if isinstance(node.value, (list, dict)) else spelt(node.value)
