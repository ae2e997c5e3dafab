"""An estimator's parameters, read from its source: ``hpo check`` must not wait for scikit-learn's import.

Only the text of the class is parsed, not its module; imports are followed by file.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
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
    "compose",
    "pipeline",
    "dummy",
)
"""Modules of scikit-learn that hold classifiers and regressors, most used first."""

STEPS = (
    "preprocessing", "decomposition", "feature_selection", "kernel_approximation", "random_projection", "manifold",
    "cluster", "impute",
)  # fmt: skip
"""Modules of scikit-learn that hold the other steps of a pipeline."""

BOOSTERS = {
    "LGBMClassifier": "lightgbm", "LGBMRegressor": "lightgbm", "XGBClassifier": "xgboost", "XGBRegressor": "xgboost",
    "CatBoostClassifier": "catboost", "CatBoostRegressor": "catboost",
}  # fmt: skip
"""Gradient boosting of other packages that is known by its class alone."""

_PARAMETER = re.compile(r"^(\w[\w, ]*?) ?: ([^\n]*(?:\\\n[^\n]*)*)\n((?:(?:[ ]{4}[^\n]*)?\n?)*)", re.MULTILINE)
"""A parameter in NumPy's form of docstrings: names, type, indented text."""
_NEITHER = re.compile(
    r"^Base|Mixin$|Tree$|Forest$|Embedding$|Transformer$|Display$|Density$|Neighbors$|Factor$|OneClass|RBM$"
    r"|^PLSSVD$|^VALID|Components|^FeatureUnion$|^ColumnTransformer$"
)


def module_of(estimator: str) -> str | None:
    """Module to import an estimator from: ``sklearn.ensemble`` for a bare name, else the path before the last dot."""
    if "." in estimator:
        return estimator.rpartition(".")[0]
    if estimator in BOOSTERS:
        return BOOSTERS[estimator]
    for package in (*PACKAGES, *STEPS):
        if estimator in _public(package):
            return f"sklearn.{package}"
    return None


def estimators() -> list[str]:
    """Names of scikit-learn's classifiers and regressors, and of the boosters, sorted."""
    names = {name for package in PACKAGES for name in _public(package)}
    return sorted([*BOOSTERS, *(name for name in names if name[0].isupper() and not _NEITHER.search(name))])


def constructor(estimator: str) -> dict[str, Any] | None:
    """Parameters of an estimator's constructor and their defaults, ``...`` for what is no literal or is required.

    None when the class is not found or takes keywords that its source does not name.
    """
    arguments = _initializer(estimator)
    return arguments if arguments is None or isinstance(arguments, dict) else _parameters(arguments)


def documented(estimator: str) -> dict[str, str]:
    """What its class says of each parameter: the first sentence, and the type in brackets."""
    lineage = _found(estimator)
    text = ast.get_docstring(lineage[0]) if lineage and lineage[0] is not None else None
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w+\n-+$|\Z)", text or "", re.DOTALL | re.MULTILINE)
    found: dict[str, str] = {}
    for names, kind, told in _PARAMETER.findall(section[1]) if section else ():
        first = re.split(r"(?<=\.)\s(?=[A-Z`])", " ".join(told.split()), maxsplit=1)[0]
        kind = re.sub(r",?\s*default\s*[=:]?\s*\S+$", "", " ".join(kind.split()))
        found |= {name.strip(): f"{first} [{kind}]" for name in names.split(",")}
    return found


def required(estimator: str) -> list[str]:
    """Parameters that its constructor has no default for, as far as its source says."""
    arguments = _initializer(estimator)
    if not isinstance(arguments, ast.arguments):
        return []
    positional = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)][1:]
    bare = positional[: len(positional) - len(arguments.defaults)]
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return bare + [argument.arg for argument, default in pairs if default is None]


def defines(estimator: str, method: str) -> bool | None:
    """Whether an estimator has a method of this name, its own or inherited; None when its source does not tell."""
    lineage = _found(estimator)
    if any(node is not None and method in _methods(node) for node in lineage):
        return True
    return False if lineage and lineage[0] is not None else None


def _initializer(estimator: str) -> ast.arguments | dict[str, Any] | None:
    """Arguments of the first ``__init__`` of its lineage; none for a class without bases and without one."""
    lineage = _found(estimator)
    for node in lineage:
        made = _methods(node).get("__init__") if node is not None else None
        if made is not None:
            return made.args
    return {} if lineage and lineage[0] is not None and not lineage[0].bases else None


@cache
def _public(package: str) -> frozenset[str]:
    """Names in a module's ``__all__``, or the classes it defines."""
    text = _text(f"sklearn.{package}") or ""
    listed = re.search(r"^__all__ = \[(.*?)\]", text, re.DOTALL | re.MULTILINE)
    return frozenset(re.findall(r"\"(\w+)\"", listed[1]) if listed else re.findall(r"^class (\w+)", text, re.MULTILINE))


def _lineage(module: str, name: str, depth: int = 0) -> Iterator[ast.ClassDef | None]:
    """A class and those it inherits from, depth first; None for one whose source is not found."""
    text = _text(module)
    if text is None or depth > 8:
        yield None
        return
    start = re.search(rf"^class {name}\b", text, re.MULTILINE)
    if start is None:
        elsewhere = _imported_from(module, text, name)
        if elsewhere is None:
            yield None
        else:
            yield from _lineage(*elsewhere, depth + 1)
        return
    node = _class(text[start.start() :])
    yield node
    for base in node.bases if node is not None else ():
        if isinstance(base, ast.Name) and base.id != "object":
            yield from _lineage(module, base.id, depth + 1)


@cache
def _found(estimator: str) -> tuple[ast.ClassDef | None, ...]:
    module = module_of(estimator)
    return () if module is None else tuple(_lineage(module, estimator.rpartition(".")[2]))


def _methods(node: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    return {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}


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
