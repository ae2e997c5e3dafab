"""Imports point down the floors of one table, heavy packages stay where they belong, `hpo` starts without them."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import floors
import pytest
from floors import BY_NAME, FLOOR_OF, FLOORS, ROOT, Import, imports, module_of, room_of

from hpo.search.terms import registry

FILES = floors.files()
SEARCH = [path for path in FILES if path.parts[0] == "search"]
OBJECTIVES = [path for path in FILES if path.parts[0] == "objectives"]
PLUGINS = ("samplers", "pruners", "policies", "executors")
HEAVY = ("optuna", "torch", "sklearn", "numpy", "pandas", "scipy")

PURE = ("search/terms", "search/describe", "search/studyfile")
"""Rooms of the front end: reading a study needs nothing heavy."""
PURE_FILES = (
    "search/contracts/draft.py",
    "search/store/location.py",
    "search/store/names.py",
    "search/store/server.py",
    "search/running/lifeline.py",
    "search/running/forks.py",
    "objectives/trainer/field_values.py",
    "objectives/trainer/language.py",
    "objectives/trainer/length.py",
    "objectives/trainer/training_recipe.py",
)  # fmt: skip
"""Files of other rooms that the front end reads."""
SHOWS = ("search/report", "search/dashboard", "search/views")
"""What tells the user of a study; whatever decides or trains does not know of it."""
MAY_BE_HEAVY = {"search/terms/threads.py": {"scipy"}}
"""Telling numerical libraries how many threads to take needs one of them; nothing imports it to read a study."""

OPTUNA_ROOMS = ("search/samplers", "search/samplers/common", "search/pruners", "search/pruners/common", "search/store")
"""Made of Optuna's own parts: samplers, pruners, storages."""
OPTUNA_FILES = {
    "search/dashboard/annotate.py", "search/dashboard/attributes.py", "search/dashboard/guard.py",
    "search/dashboard/live.py",
    "search/engine/ask.py", "search/engine/definition.py", "search/engine/ledger.py", "search/engine/rules.py",
    "search/engine/run.py", "search/engine/stored.py", "search/engine/warmstart.py", "search/engine/winner.py",
    "search/policies/freeze_thaw.py",
    "search/report/importance.py", "search/running/suggesting.py",
}  # fmt: skip
"""The other files that hold Optuna's trials and studies."""

COMPUTED = {
    "search/terms/registry.py",  # plug-ins, and the packages of objectives/
    "search/describe/objective.py",  # a user's module
    "objectives/trainer/__init__.py",  # files of its own folder
    "objectives/estimators/build.py",  # scikit-learn's modules
}  # fmt: skip
"""Where a module's name is computed; everywhere else it is written down."""


def top(module: str) -> str:
    return module.partition(".")[0]


def with_the_module(path: Path) -> Iterator[str]:
    """Packages that are imported when the file is: no function bodies, no ``if TYPE_CHECKING``."""

    def immediate(tree: ast.AST) -> Iterator[ast.AST]:
        for node in ast.iter_child_nodes(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                continue
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                continue
            yield node
            yield from immediate(node)

    for node in immediate(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (top(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield top(node.module or "")


def inside(path: Path) -> list[Import]:
    """Imports of other files of the house."""
    return [item for item in imports(path) if item.file not in (None, path)]


def heavy(path: Path) -> set[str]:
    return {top(item.module) for item in imports(path)} & set(HEAVY)


def test_every_folder_with_code_has_one_floor_and_every_floor_its_folders() -> None:
    assert {room_of(path) for path in FILES} == set(FLOOR_OF)
    assert sum(map(len, FLOORS)) == len(FLOOR_OF)


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_a_file_imports_from_the_floors_below_its_own_only(path: Path) -> None:
    if path == BY_NAME:
        return
    for item in inside(path):
        assert item.file is not None
        room = room_of(item.file)
        below = FLOOR_OF[room] > FLOOR_OF[room_of(path)]
        assert below or room == room_of(path), f"{path}:{item.line} imports {item.module}, which is not below it"


def test_no_files_import_each_other_in_a_circle() -> None:
    below = {path: {item.file for item in inside(path)} for path in FILES if path != BY_NAME}
    open_, done = list[Path](), set[Path]()

    def visit(path: Path) -> None:
        assert path not in open_, "a circle: " + " > ".join(map(str, [*open_[open_.index(path) :], path]))
        if path not in done:
            open_.append(path)
            for other in below.get(path, ()):
                assert other is not None
                visit(other)
            done.add(open_.pop())

    for path in FILES:
        visit(path)


@pytest.mark.parametrize("path", SEARCH, ids=module_of)
def test_what_searches_names_nothing_of_what_is_trained(path: Path) -> None:
    if path != BY_NAME:
        assert "hpo.objectives" not in (ROOT / path).read_text(encoding="utf-8"), "reach it through terms/registry.py"


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_names_of_modules_are_computed_in_few_places(path: Path) -> None:
    assert str(path) in COMPUTED or not any(item.module.endswith("*") for item in imports(path))


@pytest.mark.parametrize("kind", PLUGINS)
def test_plugins_import_no_plugin_and_the_shared_parts_of_their_own_kind_only(kind: str) -> None:
    own, rooms = f"search/{kind}", {f"search/{other}" for other in PLUGINS}
    for path in FILES:
        if not path.is_relative_to(own):
            continue
        for item in inside(path):
            assert item.file is not None
            room = room_of(item.file)
            assert room not in rooms, f"{path}:{item.line} imports the plug-in {item.module}"
            assert not room.endswith("/common") or room == f"{own}/common", f"{path}:{item.line} is of another kind"


def test_objectives_commands_and_kinds_of_data_never_import_each_other() -> None:
    for path in FILES:
        if room_of(path) in ("objectives", "objectives/data/kinds", "search/commands"):
            assert not [item.module for item in inside(path) if room_of(item.file or path) == room_of(path)], path


@pytest.mark.parametrize("path", SEARCH, ids=module_of)
def test_plugins_and_their_parts_know_nothing_of_what_shows_a_study(path: Path) -> None:
    if path.parts[1] in PLUGINS:
        assert not [item.module for item in inside(path) if item.file and room_of(item.file) in SHOWS]


def is_pure(path: Path) -> bool:
    return room_of(path) in PURE or str(path) in PURE_FILES


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_the_front_end_imports_itself_and_nothing_heavy_anywhere(path: Path) -> None:
    if is_pure(path):
        assert heavy(path) == MAY_BE_HEAVY.get(str(path), set())
        if path != BY_NAME:
            assert not [item.module for item in inside(path) if item.file and not is_pure(item.file)]


@pytest.mark.parametrize("path", SEARCH, ids=module_of)
def test_torch_and_sklearn_are_imported_under_objectives_only(path: Path) -> None:
    assert not heavy(path) & {"torch", "sklearn"}


def test_optuna_is_imported_where_its_trials_and_studies_are_and_nowhere_else() -> None:
    found = {str(path) for path in FILES if "optuna" in heavy(path) and room_of(path) not in OPTUNA_ROOMS}
    assert found == OPTUNA_FILES


@pytest.mark.parametrize("path", OBJECTIVES, ids=module_of)
def test_objectives_import_nothing_heavy_with_the_module_and_never_optuna(path: Path) -> None:
    assert "optuna" not in heavy(path)
    if room_of(path) in ("objectives", "objectives/data", "objectives/data/kinds"):
        assert not set(with_the_module(path)) & set(HEAVY), "hpo check reads this module"


@pytest.mark.parametrize("room", ["search", "search/store", "search/commands", *(f"search/{kind}" for kind in PLUGINS)])
def test_packages_import_nothing_heavy_by_themselves(room: str) -> None:
    assert not set(with_the_module(Path(room, "__init__.py"))) & set(HEAVY)


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_every_file_is_imported_under_one_name(path: Path) -> None:
    for item in imports(path):
        assert top(item.module) not in ("search", "objectives", "studies"), f"{path}: write hpo.{item.module}"


def test_every_folder_says_what_is_in_it() -> None:
    for room in FLOOR_OF:
        file = ROOT / room / "__init__.py"
        assert file.is_file(), f"{room} is no package"
        assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))), f"{file} has no docstring"


def test_the_first_listing_is_short() -> None:
    entries = [path.name for path in (ROOT / "search").iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 20, entries


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import hpo.search.store.sqlite", "search/store/sqlite.py"),
        ("from hpo.search.store import sqlite", "search/store/sqlite.py"),
        ("from hpo.search.store import open_store", "search/store/__init__.py"),
        ("from hpo.search.store.sqlite import x as y", "search/store/sqlite.py"),
        ("def f():\n    from hpo.search.engine import loop", "search/engine/loop.py"),
        ("if TYPE_CHECKING:\n    from hpo.search.engine import loop", "search/engine/loop.py"),
        ("importlib.import_module('hpo.search.engine.loop')", "search/engine/loop.py"),
        ("importlib.import_module(f'hpo.objectives.{name}')", "objectives/__init__.py"),
        ("importlib.import_module(f'{__name__}.{name}')", "search/terms/__init__.py"),
        ("__import__('hpo.search.api')", "search/api.py"),
        ("importlib.import_module(name)", None),
        ("import os", None),
    ],
)
def test_an_import_is_seen_however_it_is_written(
    code: str, found: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "search" / "terms" / "__init__.py"
    file.parent.mkdir(parents=True)
    file.write_text(code)
    tree = file.parent.parent
    for other in ("store/sqlite.py", "store/__init__.py", "engine/loop.py", "api.py", "../objectives/__init__.py"):
        (tree / other).parent.mkdir(exist_ok=True)
        (tree / other).touch()
    monkeypatch.setattr(floors, "ROOT", tmp_path)
    (item,) = imports(Path("search/terms/__init__.py"))
    assert item.file == (found and Path(found))


def test_an_importer_under_another_name_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "api.py").write_text("from importlib import import_module as take\ntake('hpo.search.api')")
    monkeypatch.setattr(floors, "ROOT", tmp_path)
    assert Import(2, "hpo.search.api", Path("search/api.py")) in imports(Path("search/api.py"))


def test_links_are_links() -> None:
    source = ROOT / "src" / "hpo"
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
    **{f"help of {name}": [name, "--help"] for name in registry.names("command")},
}


IN_TURN = f"""
import contextlib, io, json, sys
from hpo.search.cli import main

imported, seen = {{}}, set()
for name, words in json.load(sys.stdin).items():
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        with contextlib.suppress(SystemExit):
            main(words)
    imported[name] = sorted(set({HEAVY!r}) & set(sys.modules) - seen)
    seen.update(imported[name])
print(json.dumps(imported))
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Heavy packages that each command is the first to import, of all of them in one process: none is ever unloaded."""
    folder = tmp_path_factory.mktemp("looking")
    command = [sys.executable, "-c", IN_TURN]
    done = subprocess.run(command, cwd=folder, input=json.dumps(COMMANDS), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not list(folder.iterdir())
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_looking_at_studies_imports_nothing_heavy(name: str, imported: dict[str, list[str]]) -> None:
    assert imported[name] == []
