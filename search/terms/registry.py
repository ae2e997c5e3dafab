"""The folder is the registry: which plug-ins and studies exist, found by listing, read without importing.

``sampler: tpe`` is ``search/samplers/tpe.py``; ``objective: mlp`` is ``objectives/mlp.py``; ``data: {table: ...}`` is
``objectives/data/kinds/table.py``; ``--study lr-batch`` is ``studies/lr-batch.yaml``; ``--format axolotl`` is
``search/report/formats/axolotl.py``; what ``hpo new --from`` reads is a file of ``search/drafts``.
A hyphen in a name is an underscore in a file name.
"""

from __future__ import annotations

import ast
import importlib
import importlib.machinery
import itertools
import re
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import ModuleType

from hpo.search.terms.errors import UserError, did_you_mean

_SEARCH = Path(__file__).resolve().parent.parent
_BESIDE = Path(__file__).parent.parent.parent  # of a checkout or an installation, links unresolved
_FOLDERS = {
    "sampler": ("hpo.search.samplers", _SEARCH / "samplers"),
    "pruner": ("hpo.search.pruners", _SEARCH / "pruners"),
    "policy": ("hpo.search.policies", _SEARCH / "policies"),
    "executor": ("hpo.search.executors", _SEARCH / "executors"),
    "command": ("hpo.search.commands", _SEARCH / "commands"),
    "draft": ("hpo.search.drafts", _SEARCH / "drafts"),
    "format": ("hpo.search.report.formats", _SEARCH / "report" / "formats"),
    "objective": ("hpo.objectives", _BESIDE / "objectives"),
    "data": ("hpo.objectives.data.kinds", _BESIDE / "objectives" / "data" / "kinds"),
    "study": ("hpo.studies", _BESIDE / "studies"),
}


@cache
def names(kind: str) -> tuple[str, ...]:
    """Names of all plug-ins of a kind, sorted."""
    folder = _folder(kind)
    suffix = ".yaml" if kind == "study" else ".py"
    files = (path for path in folder.glob(f"*{suffix}") if not path.name.startswith("_"))
    stems = (path.stem if kind == "study" else path.stem.replace("_", "-") for path in files)
    return tuple(sorted(stems))


def path(kind: str, name: str) -> Path:
    """File of a plug-in.

    Raises:
        UserError: no plug-in of that kind has this name.
    """
    _check(kind, name)
    return _folder(kind) / (f"{name}.yaml" if kind == "study" else f"{name.replace('-', '_')}.py")


@cache
def summary(kind: str, name: str) -> str:
    """First line of a plug-in's docstring, or of a study file's opening comment."""
    text = path(kind, name).read_text(encoding="utf-8")
    if kind == "study":
        return first_comment(text)
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def first_comment(text: str) -> str:
    """The comment line that opens a study file, without its mark; one that only names the file is passed over.

    >>> first_comment("# How fast?\\nobjective: mlp\\n"), first_comment("# mine.yaml\\n# How fast?\\nobjective: mlp\\n")
    ('How fast?', 'How fast?')
    """
    lines = [line for line in text.splitlines() if line.strip()]
    opening = [line.lstrip("# ").rstrip() for line in itertools.takewhile(lambda line: line.startswith("#"), lines)]
    return next((line for line in opening if not re.fullmatch(r"\S+\.ya?ml", line)), "")


def load(kind: str, name: str) -> ModuleType:
    """Import a plug-in.

    Raises:
        UserError: no plug-in of that kind has this name.
    """
    _check(kind, name)
    return importlib.import_module(f"{_FOLDERS[kind][0]}.{name.replace('-', '_')}")


def part(name: str) -> ModuleType:
    """Package of ``objectives/`` that its objectives are made of: ``data`` or ``trainer``.

    The engine reaches them by name, here and nowhere else: it trains nothing itself, and can be read and used without.
    """
    return importlib.import_module(f"hpo.objectives.{name}")


def part_file(name: str, file: str) -> Path:
    """A file of such a package, to be read without importing it."""
    return _folder("objective") / name / file


def module_file(dotted: str, extra: Iterable[str] = ()) -> Path | None:
    """File of an importable module, found without importing it or its packages; None when there is none.

    ``extra`` folders are looked at after ``sys.path``, so that a user's folder shadows nothing.
    """
    search: list[str] | None = [*sys.path, *extra]
    spec = None
    parts = dotted.split(".")
    if not all(part.isidentifier() for part in parts):
        return None
    for i in range(len(parts)):
        try:
            spec = importlib.machinery.PathFinder.find_spec(".".join(parts[: i + 1]), search)
        except OSError:  # a name too long for a file
            return None
        if spec is None:
            return None
        search = list(spec.submodule_search_locations or [])
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def _check(kind: str, name: str) -> None:
    if name not in names(kind):
        hint = did_you_mean(name, names(kind))
        raise UserError(f"no {kind} is called {name!r}" + (f": {hint}" if hint else ""))


def _folder(kind: str) -> Path:
    package, beside = _FOLDERS[kind]
    if beside.is_dir():
        return beside
    found = module_file(package)
    if found is None:
        raise UserError(f"{package} is missing from this installation: reinstall hpo-suite")
    return found.parent
