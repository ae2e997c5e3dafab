"""The plan of the house: every folder of code on its floor, and the imports between them, read from the sources.

``house.py`` draws it, tests/house holds the code against it. Standard library only.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BY_NAME = Path("search/terms/registry.py")
"""The one file that imports by a computed name what stands above it: plug-ins, and the packages of objectives/."""

FLOORS: tuple[dict[str, str], ...] = (
    {"search": "the front doors: `cli.py`, the command, and `api.py`, what Python scripts import"},
    {"search/commands": "one file per command of `hpo`"},
    {
        "search/views": "what shows a run while it goes on",
        "search/commands/common": "options that several commands take",
    },
    {"search/engine": "one study from its first trial to its winner; `loop.py` is the place to start reading"},
    {
        "objectives": "what is trained, one file per objective",
        "objectives/models": "trained models out of their folders, which predict on raw rows",
        "search/executors": "what trains the trials, one file per executor",
        "search/drafts": "a first study file from what somebody has already, one file per kind of source",
        "search/dashboard": "optuna-dashboard over a store, and what it is told",
        "search/report/page": "a study as one HTML file and in a notebook, with figures in SVG",
        "search/report/scaling": "the best rate and batch from small to large: fits, laws, predictions",
    },
    {
        "objectives/compression": "what makes a trained network small: rows, rank, zeros, 8 bits; how long it takes",
        "objectives/data/kinds": "kinds of data beside the bundled sets, one file per kind",
        "objectives/estimators": "what the scikit-learn objective is made of",
        "objectives/trainer": "many trials trained as one batched model",
        "search/drafts/common": "ranges, programs and the text of a study file, for all kinds of source",
        "search/executors/common": "worker processes, and cohorts spread over them",
        "search/report": "what a study tells: data, text, tables, files, plots",
        "search/report/formats": "recipes in the keys of other tools, one file per tool",
    },
    {
        "objectives/ensembles": "several models as one: ways to combine them, and whether that is worth it",
        "objectives/text": "the data of language models: documents, tokens, packing, masks",
        "objectives/networks": "layers and models that run all lanes of a cohort at a time",
        "search/report/formats/common": "the run that a recipe means on so many devices",
        "search/running": "one trial as an iterator over its curve, whatever the objective is",
        "search/studyfile": "from YAML to a checked study, every mistake with its place",
        "search/samplers": "what proposes recipes, one file per sampler",
        "search/pruners": "what stops weak trials, one file per pruner",
        "search/policies": "what decides which trial trains next, one file per policy",
    },
    {
        "objectives/data": "tables, arrays and bundled sets: read, split, prepared; which files are text",
        "search/samplers/common": "parts that several samplers share",
        "search/pruners/common": "parts that several pruners share",
        "search/policies/common": "parts that several policies share",
    },
    {"search/curves": "models of learning curves"},
    {
        "search/describe": "what an objective's source says, read without running it",
        "search/store": "where studies live: SQLite, journal, PostgreSQL, memory",
        "search/contracts": "what each kind of plug-in is given and answers",
    },
    {"search/terms": "the words that all share: study, space, recipe, budget, job, trial"},
)
"""Rooms from the roof to the ground, each with what it is for. A room imports from the floors below its own only."""

FLOOR_OF = {room: level for level, floor in enumerate(FLOORS) for room in floor}


@dataclass(frozen=True)
class Import:
    """One import of a file of the house.

    Attributes:
        line: where it stands, from 1.
        module: dotted name as imported; ends in ``.*`` where a part of it is computed.
        file: what it names, relative to the root; the package's ``__init__`` where the last part is an attribute of
            it or computed, None for what is not in the house.
    """

    line: int
    module: str
    file: Path | None


def files() -> list[Path]:
    """Every Python file of the house, relative to the root."""
    found = (path for top in ("search", "objectives") for path in (ROOT / top).rglob("*.py"))
    return sorted(path.relative_to(ROOT) for path in found if "__pycache__" not in path.parts)


def module_of(path: Path) -> str:
    """Dotted name of a file: ``hpo.search.store`` for ``search/store/__init__.py``."""
    return ".".join(["hpo", *path.with_suffix("").parts]).removesuffix(".__init__")


def file_of(module: str) -> Path | None:
    """File of a dotted name, or of the nearest package above it; None when it is not in the house."""
    first, *rest = module.split(".")
    if first != "hpo" or not rest or rest[0] not in ("search", "objectives"):
        return None
    while rest:
        for path in (Path(*rest).with_suffix(".py"), Path(*rest, "__init__.py")):
            if (ROOT / path).is_file():
                return path
        rest.pop()
    return None


def imports(path: Path) -> tuple[Import, ...]:
    """Every import of a file: at its top, in functions, for type checkers, and by ``import_module`` with a text."""
    return _imports(ROOT, path)


@cache  # the files of a house do not change while they are looked at
def _imports(root: Path, path: Path) -> tuple[Import, ...]:
    nodes = list(ast.walk(ast.parse((root / path).read_text(encoding="utf-8"))))
    taken = [
        item for node in nodes if isinstance(node, ast.ImportFrom) and node.module == "importlib" for item in node.names
    ]
    importers = {"__import__", "importlib.import_module", *(item.asname or item.name for item in taken)}
    return tuple(
        Import(node.lineno, module, file_of(module))  # type: ignore[attr-defined]
        for node in nodes
        for module in _modules(node, module_of(path), importers)
    )


def _modules(node: ast.AST, own: str, importers: set[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"{own}: imports are absolute"
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in importers:
        yield _text(node.args[0], own)


def _text(argument: ast.expr, own: str) -> str:
    """What an expression is worth before it runs: literal text, with ``*`` from the first computed part on."""
    parts = argument.values if isinstance(argument, ast.JoinedStr) else [argument]
    text = ""
    for part in parts:
        if isinstance(part, ast.Constant):
            text += str(part.value)
        elif isinstance(part, ast.FormattedValue) and ast.unparse(part.value) == "__name__":
            text += own
        else:
            return f"{text}*"
    return text


def room_of(path: Path) -> str:
    """Folder of a file; a package's ``__init__`` is part of its folder."""
    return path.parent.as_posix()


def arrows() -> dict[str, set[str]]:
    """For each room the rooms that its files import."""
    found: dict[str, set[str]] = {room: set() for room in FLOOR_OF}
    for path in files():
        if path != BY_NAME:
            targets = {room_of(item.file) for item in imports(path) if item.file is not None}
            found.setdefault(room_of(path), set()).update(targets - {room_of(path)})
    return found


def lines_of(room: str) -> int:
    """Lines of a room's own files, to the hundred: the picture is not out of date after every line."""
    found = sum((ROOT / path).read_text(encoding="utf-8").count("\n") for path in files() if room_of(path) == room)
    return max(100, round(found, -2))


def reduced(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The fewest arrows that reach the same rooms; the graph has no circle."""

    def reached(start: str) -> set[str]:
        return graph.get(start, set()).union(*(reached(room) for room in graph.get(start, set())))

    return {a: {b for b in below if not any(b in reached(c) for c in below - {b})} for a, below in graph.items()}
