"""A table as a study: the study file that is made of a CSV or Parquet file and the name of its target.

What it chooses follows from the data alone, each choice with its reason in a comment, so that it can be kept as a file
and changed.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpo.search.studyfile.yaml12 import dump, parse
from hpo.search.terms import registry
from hpo.search.terms.errors import UserError
from hpo.search.terms.recipe import derive_seed

SUFFIXES = (".csv", ".tsv", ".parquet", ".pq")
"""Of files that are taken for tables, packed or not."""

_PACKED = (".gz", ".bz2", ".xz", ".zip")
_COLUMN = "budget.target"
"""What ``--target`` is where a study file is run: a value; of a table it is the column."""

RARE = 0.3
"""Share of the rows below which the rarer of two classes counts as rare."""

_BOOSTING = """\
search:
  learning_rate: {{float: [0.01, 0.3], log: true}}
  max_leaf_nodes: {{int: [4, 64], log: true}}
  min_samples_leaf: {{int: [5, 100], log: true}}
  l2_regularization: {{float: [1e-3, 30], log: true}}
  max_features: {{float: [0.3, 1]}}            # share of the columns that a split may choose from
fixed: {{estimator: HistGradientBoosting{kind}, max_iter: 200, epochs: 20{further}}}   # 20 points of 10 trees
"""
_LINEAR = """\
search:
  {strength}
  text_unit: {{choice: [word, character]}}
  text_ngrams: {{int: [1, 5]}}
  text_features: {{choice: [2000, 8000]}}
fixed: {{estimator: {estimator}{further}}}
"""


def table_of(study: str) -> Path | None:
    """The table that stands where a study belongs; None where that is something else.

    Raises:
        UserError: there is no such file.
    """
    path = Path(study).expanduser()
    inner = path.with_suffix("") if path.suffix in _PACKED else path
    if inner.suffix.lower() not in SUFFIXES:
        return None
    if not path.is_file():
        raise UserError(f"there is no file {study}")
    return path


def target_of(overrides: Sequence[tuple[str, str]]) -> tuple[str | None, list[tuple[str, str]]]:
    """The column that ``--target`` names, and what else is laid over the study."""
    named = [value for key, value in overrides if key == _COLUMN]
    return (named[-1] if named else None), [(key, value) for key, value in overrides if key != _COLUMN]


def study_text(path: Path, target: str | None, command: str = "run") -> str:
    """The study file of a table, with a comment for each choice; relative paths start from the working directory.

    Args:
        path: the table.
        target: the column to predict.
        command: of `hpo`, for the message where no target is named.

    Raises:
        UserError: no target is named, the table has none of this name, or nothing can be learned from it.
    """
    data = registry.part("data")
    if target is None:
        names = [column.name for column in data.summary({"table": {"path": str(path)}}).columns]
        shown = ", ".join(names[:30]) + (f" and {len(names) - 30} more" if len(names) > 30 else "")
        raise UserError(
            f"{path.name}: which column is to be predicted? it has {shown}; "
            f"name one: hpo {command} {shlex.quote(str(path))} --target COLUMN"
        )
    spec = {"table": {"path": str(path), "target": target}}
    problems = data.check(spec)
    if problems:
        raise UserError("\n".join(problems))
    found = data.summary(spec, derive_seed(0, "split"))
    goal, why, cut = _goal(found)
    texts = [column.name for column in found.columns if column.kind == "text"]
    head = [f"# What predicts {_plain(target)} in {path.name}?", f"# {_told(found)}", f"name: {_scalar(_name(path))}"]
    lines = [
        *head,
        "objective: sklearn",
        "data:",
        "  table:",
        f"    path: {_scalar(str(path))}",
        f"    target: {_scalar(target)}",
        f"goal: {goal}   # {why}",
    ]
    further = f", threshold: {cut}" if cut else ""
    if texts:
        lines += [f"# {', '.join(map(_plain, texts))}: free text, which linear models of n-grams suit"]
        lines += _linear(found.task, further).splitlines()
    else:
        kind = "Classifier" if found.task == "classification" else "Regressor"
        lines += ["# histogram gradient boosting: strong on tables, takes missing values and columns of any scale"]
        lines += _BOOSTING.format(kind=kind, further=further).splitlines()
    if cut:
        lines.append(f"# threshold: where the rarer class is predicted is tuned for {cut.replace('_', ' ')}")
    lines.append("budget: {trials: 40, minutes: 10}")
    return "\n".join(lines) + "\n"


def chosen(path: Path, target: str, text: str) -> str:
    """What is told of a study that was made of a table."""
    where = f"hpo new {shlex.quote(str(path))} --target {shlex.quote(target)}"
    indented = "\n".join(f"    {line}" for line in text.rstrip().splitlines())
    return f"no study file was given, so this one was made of the table (to keep and change it: {where})\n{indented}"


def _linear(task: str, further: str) -> str:
    if task == "classification":
        strength = "C: {float: [0.1, 100], log: true}"
        return _LINEAR.format(strength=strength, estimator="LogisticRegression, max_iter: 1000", further=further)
    return _LINEAR.format(strength="alpha: {float: [0.01, 100], log: true}", estimator="Ridge", further=further)


def _goal(found: Any) -> tuple[str, str, str]:
    """Goal, the reason for it, and what the threshold is tuned for, or nothing."""
    if found.task == "regression":
        return "minimize val_rmse", "the target is a quantity: root mean squared error, in its own units", ""
    classes: Mapping[str, int] = found.classes
    shares = {label: count / sum(classes.values()) for label, count in classes.items()}
    rarest = min(shares, key=lambda label: shares[label])
    told = f"{shares[rarest]:.1%} of the rows are {_plain(rarest)}"
    if len(shares) == 2 and shares[rarest] < RARE:
        if rarest == list(shares)[1]:
            return "maximize val_average_precision", f"{told}: how well they are ranked first", "f1"
        return "maximize val_roc_auc", f"{told}: how well they are ranked last", "balanced_accuracy"
    if shares[rarest] < 0.5 / len(shares):
        return "maximize val_balanced_accuracy", f"{told}, the rarest of {len(shares)} classes: each counts alike", ""
    return "maximize val_accuracy", f"the {len(shares)} classes are of like size", ""


def _told(found: Any) -> str:
    """The table in a line."""
    kinds = [column.kind for column in found.columns]
    named = {kind: kinds.count(kind) for kind in ("number", "category", "date", "text", "dropped") if kind in kinds}
    columns = ", ".join(f"{count} {kind}" for kind, count in named.items())
    parts = " / ".join(f"{count} {name}" for name, count in found.parts.items())
    return f"{found.rows} rows ({parts}), {found.task}; columns by kind: {columns}"


def _scalar(text: str) -> str:
    """A text as YAML has it, in one line."""
    written = dump(text).splitlines()[0]
    return written if parse(written, "", []).value == text else json.dumps(text)


def _name(path: Path) -> str:
    """Name of the study: the file's, without what no name may hold."""
    return re.sub(r"[^\w.-]+", "-", path.name.split(".")[0]).strip("-.") or "table"


def _plain(text: Any) -> str:
    """A name in a comment: in one line."""
    return " ".join(str(text).split())
