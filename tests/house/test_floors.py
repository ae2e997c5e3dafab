"""Imports point one way, heavy packages stay where they belong, and the command starts without them."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hpo.search
from hpo.search.terms import registry

SEARCH = Path(hpo.search.__file__).parent
OBJECTIVES = SEARCH.parent / "objectives"
PLUGINS = ("samplers", "pruners", "policies", "executors")

LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("space", "recipe", "budget", "objective.knobs", "store.location", "cohort.recipe"),  # pure
    ("registry", "study", "studyfile.yaml12"),
    ("objective.annotations", "objective.source", "objective.live", "lifeline"),
    ("objective.describe",),
    ("studyfile.overrides", "studyfile.space", "studyfile.goals", "studyfile.evidence"),
    ("studyfile.budget", "studyfile.knobs", "studyfile.plugins"),
    ("studyfile.reader", "studyfile.schema"),
)
"""Modules of the front end; each imports only from the lines above it, or from its own."""

FRONT = tuple(name for line in LAYERS for name in line)
HEAVY = ("optuna", "torch", "sklearn", "numpy", "pandas", "scipy")
ABOVE = ("cli", "api", "commands", "engine", "loop", "report")
"""What no plug-in, store or pure module may import."""


def modules(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def name_of(path: Path) -> str:
    """Dotted name under ``hpo``."""
    parts = (
        ["search", *path.relative_to(SEARCH).parts]
        if path.is_relative_to(SEARCH)
        else (["objectives", *path.relative_to(OBJECTIVES).parts])
    )
    return ".".join(parts).removesuffix(".py").removesuffix(".__init__")


def imports(path: Path, *, everywhere: bool = True) -> Iterator[str]:
    """Modules a file imports, absolute; without ``everywhere`` only those imported with it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if everywhere else _immediate(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _immediate(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes that run on import: no function bodies, no ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from _immediate(node)


def own(path: Path, package: str) -> set[str]:
    """Names of what a file imports of ``package``, one level deep."""
    found = (name.removeprefix(f"{package}.") for name in imports(path) if name.startswith(f"{package}."))
    return {name.partition(".")[0] for name in found}


@pytest.mark.parametrize("name", FRONT)
def test_the_front_end_imports_downwards(name: str) -> None:
    level = next(i for i, line in enumerate(LAYERS) if name in line)
    below = {known for line in LAYERS[: level + 1] for known in line}
    path = SEARCH / f"{name.replace('.', '/')}.py"
    for imported in imports(path):
        if imported.startswith("hpo.search."):
            short = imported.removeprefix("hpo.search.")
            assert any(short == known or short.startswith(f"{known}.") for known in below), f"{name} imports {short}"


@pytest.mark.parametrize("name", FRONT)
def test_the_front_end_imports_nothing_heavy_anywhere(name: str) -> None:
    path = SEARCH / f"{name.replace('.', '/')}.py"
    assert not {imported.partition(".")[0] for imported in imports(path)} & set(HEAVY)


@pytest.mark.parametrize("path", modules(SEARCH), ids=name_of)
def test_torch_and_sklearn_are_imported_by_cohort_code_only(path: Path) -> None:
    name = name_of(path)
    if name.startswith(("search.cohort", "search.executors.cohort")):
        return
    assert not {imported.partition(".")[0] for imported in imports(path)} & {"torch", "sklearn"}


@pytest.mark.parametrize("path", modules(OBJECTIVES), ids=name_of)
def test_objectives_import_nothing_heavy_with_the_module_and_never_optuna(path: Path) -> None:
    assert "optuna" not in {imported.partition(".")[0] for imported in imports(path)}
    if path.parent == OBJECTIVES:
        heavy = {imported.partition(".")[0] for imported in imports(path, everywhere=False)} & set(HEAVY)
        assert not heavy, "hpo check reads this module"


@pytest.mark.parametrize("package", ["store", *PLUGINS, "commands", ""])
def test_packages_import_nothing_heavy_by_themselves(package: str) -> None:
    path = SEARCH / package / "__init__.py"
    assert not {imported.partition(".")[0] for imported in imports(path, everywhere=False)} & set(HEAVY)


@pytest.mark.parametrize("kind", PLUGINS)
def test_plugins_never_import_each_other(kind: str) -> None:
    folder = SEARCH / kind
    files = {path.stem for path in folder.glob("*.py") if path.stem != "__init__"}
    for path in modules(folder):
        others = files - {path.stem} if path.parent == folder else files
        assert not own(path, f"hpo.search.{kind}") & others, path
        for other in set(PLUGINS) - {kind}:
            taken = own(path, f"hpo.search.{other}") & {item.stem for item in (SEARCH / other).glob("[!_]*.py")}
            assert not taken, f"{path} imports a plug-in of another kind"


def test_objectives_never_import_each_other() -> None:
    files = {path.stem for path in OBJECTIVES.glob("[!_]*.py")}
    for path in OBJECTIVES.glob("*.py"):
        assert not own(path, "hpo.objectives") & (files - {path.stem}), path


@pytest.mark.parametrize("path", modules(SEARCH), ids=name_of)
def test_nothing_below_the_loop_imports_what_drives_it(path: Path) -> None:
    name = name_of(path).removeprefix("search.")
    below = name.startswith((*PLUGINS, "store", "cohort", "curves")) or name in FRONT
    if below:
        assert not own(path, "hpo.search") & set(ABOVE)


def test_every_file_is_imported_under_one_name() -> None:
    for path in [*modules(SEARCH), *modules(OBJECTIVES)]:
        for imported in imports(path):
            assert imported.partition(".")[0] not in ("search", "objectives", "studies"), (
                f"{path}: write hpo.{imported}"
            )


def test_links_are_links() -> None:
    source = Path(__file__).parents[2] / "src" / "hpo"
    if not source.is_dir():
        pytest.skip("runs in a checkout")
    for folder in ("search", "objectives", "studies"):
        link = source / folder
        assert link.is_symlink(), f"{link} must be a link: clone with git's core.symlinks=true"
        assert os.readlink(link) == f"../../{folder}"


COMMANDS = {
    "help": ["--help"],
    "list": ["list"],
    "schema": ["schema"],
    "no such study": ["check", "nosuch"],
    **{f"check {name}": ["check", name] for name in registry.names("study")},
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_looking_at_studies_imports_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    code = (
        "import sys; from hpo.search.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == "[]"
    assert not list(tmp_path.iterdir())
