"""An estimator's parameters, read from its source: ``hpo check`` must not wait for scikit-learn's import.

Only the text of the class is parsed, not its module; imports are followed by file.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import Any

PACKAGES = (
    "ensemble",
    "linear_model",
    "svm",
    "neighbors",
    "naive_bayes",
    "tree",
    "neural_network",
    "discriminant_analysis",
    "gaussian_process",
    "kernel_ridge",
    "semi_supervised",
    "cross_decomposition",
    "calibration",
    "isotonic",
    "dummy",
)
"""Modules of scikit-learn that hold classifiers and regressors, most used first."""

_NEITHER = re.compile(
    r"^Base|Mixin$|Tree$|Forest$|Embedding$|Transformer$|Display$|Density$|Neighbors$|Factor$|OneClass|RBM$"
    r"|^PLSSVD$|^VALID|Components"
)


def module_of(estimator: str) -> str | None:
    """Module to import an estimator from: ``sklearn.ensemble`` for a bare name, else the path before the last dot."""
    if "." in estimator:
        return estimator.rpartition(".")[0]
    for package in PACKAGES:
        if estimator in _public(package):
            return f"sklearn.{package}"
    return None


def estimators() -> list[str]:
    """Names of scikit-learn's classifiers and regressors, sorted."""
    names = {name for package in PACKAGES for name in _public(package)}
    return sorted(name for name in names if name[0].isupper() and not _NEITHER.search(name))


def constructor(estimator: str) -> dict[str, Any] | None:
    """Parameters of an estimator's constructor and their defaults, ``...`` for what is no literal or is required.

    None when the class is not found or takes keywords that its source does not name.
    """
    module = module_of(estimator)
    return None if module is None else _constructor(module, estimator.rpartition(".")[2], 0)


@cache
def _public(package: str) -> frozenset[str]:
    """Names in a module's ``__all__``, or the classes it defines."""
    text = _text(f"sklearn.{package}") or ""
    listed = re.search(r"^__all__ = \[(.*?)\]", text, re.DOTALL | re.MULTILINE)
    return frozenset(re.findall(r"\"(\w+)\"", listed[1]) if listed else re.findall(r"^class (\w+)", text, re.MULTILINE))


def _constructor(module: str, name: str, depth: int) -> dict[str, Any] | None:
    text = _text(module)
    if text is None or depth > 8:
        return None
    start = re.search(rf"^class {name}\b", text, re.MULTILINE)
    if start is None:
        elsewhere = _imported_from(module, text, name)
        return _constructor(*elsewhere, depth + 1) if elsewhere else None
    node = _class(text[start.start() :])
    if node is None:
        return None
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return _parameters(item.args)
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id != "object":
            found = _constructor(module, base.id, depth + 1)
            if found is not None:
                return found
    return {} if depth == 0 and not node.bases else None


def _class(text: str) -> ast.ClassDef | None:
    """Parse the class that a text begins with, up to the next line that starts at the margin."""
    first, _, rest = text.partition("\n")
    end = re.search(r"^[^\s)#]", rest, re.MULTILINE)
    try:
        node = ast.parse(f"{first}\n{rest[: end.start()] if end else rest}").body[0]
    except SyntaxError:
        return None
    return node if isinstance(node, ast.ClassDef) else None


def _parameters(arguments: ast.arguments) -> dict[str, Any] | None:
    if arguments.kwarg is not None:
        return None
    positional = [*arguments.posonlyargs, *arguments.args][1:]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    found: dict[str, Any] = {}
    for argument, default in [
        *zip(positional, defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]:
        try:
            found[argument.arg] = ... if default is None else ast.literal_eval(default)
        except (ValueError, TypeError):
            found[argument.arg] = ...
    return found


def _imported_from(module: str, text: str, name: str) -> tuple[str, str] | None:
    """Module and name that ``from ... import`` binds a name to."""
    pattern = r"^from\s+(\.*[\w.]*)\s+import\s+(?:\(([^)]*)\)|([^\n]*))"
    for match in re.finditer(pattern, text, re.MULTILINE):
        for part in re.sub(r"#.*", "", match[2] or match[3] or "").split(","):
            words = part.split()
            if words and words[-1] == name:
                return _absolute(module, match[1]), words[0]
    return None


def _absolute(module: str, target: str) -> str:
    dots = len(target) - len(target.lstrip("."))
    if not dots:
        return target
    path = _file(module)
    levels = dots - 1 if path is not None and path.name == "__init__.py" else dots
    return ".".join([*module.split(".")[: len(module.split(".")) - levels], *target.lstrip(".").split(".")])


def _text(module: str) -> str | None:
    path = _file(module)
    return None if path is None else path.read_text(encoding="utf-8")


@cache
def _file(module: str) -> Path | None:
    """Source file of a module; finding it imports nothing, as only the top package is asked for."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not spec.submodule_search_locations:
        return Path(spec.origin) if spec.origin and not rest and spec.origin.endswith(".py") else None
    for location in spec.submodule_search_locations:
        stem = Path(location, *rest)
        for path in (stem / "__init__.py", stem.with_suffix(".py")):
            if path.is_file():
                return path
    return None
