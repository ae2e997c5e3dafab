"""What an objective trains, as a digest: its source and what it imports from the user's folders.

Of a live function it is the code, with the defaults, closures and globals that it names.

Two equal digests mean the same training code; a live function's holds for one Python version, whose number stands
before it. What cannot be looked into (an object of a library) counts by its type alone.
"""

from __future__ import annotations

import ast
import hashlib
import sys
import sysconfig
import types
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from hpo.search.describe.live import function_of
from hpo.search.describe.objective import Objective
from hpo.search.terms.errors import UserError
from hpo.search.terms.registry import module_file

_MOST_FILES = 500
_DEEPEST = 12
_LETTERS = 12


def source_of(objective: Objective) -> str | None:
    """Digest of the objective's own source; None for a built-in one, whose version is the suite's."""
    if objective.kind == "live":
        told = _Told()
        told.function(function_of(objective.reference))
        return f"{sys.version_info.major}.{sys.version_info.minor}:{told.hash.hexdigest()[:_LETTERS]}"
    if objective.kind == "builtin" or objective.path is None:
        return None
    return hashlib.sha256(objective.path.read_bytes()).hexdigest()[:_LETTERS]


def imports_of(objective: Objective, folder: Path) -> str | None:
    """Digest of the user's own files that the objective reaches: None where there are none.

    Args:
        objective: a Python file or module; of a command the files that its words name, and what those import.
        folder: the study file's; files in it or beside the objective are the user's own.
    """
    if objective.kind in ("builtin", "live"):
        return None
    if objective.path is None:  # a command line
        words = [folder / word for word in _words(objective) if word and len(word) < 1000]
        starts = [word.resolve() for word in words if _is_file(word)]
        found = set(starts)
    else:
        starts, found = [objective.path.resolve()], set()
    roots = {folder.resolve(), *(start.parent for start in starts)}
    waiting = list(starts)
    while waiting and len(found) < _MOST_FILES:
        for path in _imported(waiting.pop(), folder):
            if path not in found and path not in starts and any(path.is_relative_to(root) for root in roots):
                found.add(path)
                waiting.append(path)
    if not found:
        return None
    told = hashlib.sha256()
    for name, path in sorted((_portable(path, roots), path) for path in found):
        told.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return told.hexdigest()[:_LETTERS]


def _imported(path: Path, folder: Path) -> Iterator[Path]:
    """Files that a Python file imports anywhere, Python's own and installed packages left out."""
    if path.suffix != ".py":
        return
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.ImportFrom) and node.level <= len(path.parents):
            base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            near = [base, *(base / alias.name for alias in node.names)]
            yield from (f.resolve() for b in near for f in (b.with_suffix(".py"), b / "__init__.py") if _is_file(f))
        for name in names:
            if name.partition(".")[0] in (*sys.stdlib_module_names, "hpo"):  # whose version is recorded
                continue
            found = module_file(name, [str(path.parent), str(folder)])
            if found is not None and not _installed(found):
                yield found.resolve()


def _installed(path: Path) -> bool:
    return any(path.is_relative_to(library) for library in _libraries())


@cache
def _libraries() -> tuple[str, ...]:
    """Folders of Python's own and of installed packages."""
    paths = sysconfig.get_paths()
    return tuple({paths["purelib"], paths["platlib"], paths["stdlib"]})


def _portable(path: Path, roots: set[Path]) -> str:
    return min((str(path.relative_to(root)) for root in roots if path.is_relative_to(root)), key=len)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _words(objective: Objective) -> list[str]:
    try:
        return objective.program.words() if objective.program is not None else []
    except UserError:
        return []


class _Told:
    """A digest to which Python objects are told, each once."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self._seen: dict[int, Any] = {}

    def function(self, function: Any, depth: int = 0) -> None:
        """Tell a function: code, defaults, closure, the globals that it names."""
        while hasattr(function, "__wrapped__") and not isinstance(function, types.FunctionType):
            function = function.__wrapped__
        if isinstance(function, types.MethodType):
            self.value(function.__self__, depth + 1)
            function = function.__func__
        if not isinstance(function, types.FunctionType):
            self.value(getattr(function, "__dict__", None), depth + 1)
            call: Callable[..., Any] | None = vars(type(function)).get("__call__")
            if isinstance(call, types.FunctionType):
                self.function(call, depth + 1)
            return
        if self._known(function):
            return
        self._code(function.__code__)
        self.value(function.__defaults__, depth + 1)
        self.value(function.__kwdefaults__, depth + 1)
        for cell in function.__closure__ or ():
            try:
                self.value(cell.cell_contents, depth + 1)
            except ValueError:  # not filled yet
                self._say("empty")
        for name in sorted(_names(function.__code__)):
            if name in function.__globals__:
                self._say(name)
                self.value(function.__globals__[name], depth + 1)
        wrapped = getattr(function, "__wrapped__", None)
        if wrapped is not None:
            self.function(wrapped, depth + 1)

    def value(self, value: Any, depth: int = 0) -> None:
        """Tell a value by its content where it has one that can be told."""
        kind = type(value)
        self._say(kind.__qualname__)
        if depth > _DEEPEST or value is None:
            return
        if isinstance(value, (bool, int, float, complex, str, bytes, range, Path)):
            self._say(repr(value))
        elif isinstance(value, (types.FunctionType, types.MethodType)):
            if _own(value):
                self.function(value, depth)
            else:
                self._say(f"{value.__module__}.{value.__qualname__}")
        elif isinstance(value, types.ModuleType):
            self._say(value.__name__)
        elif isinstance(value, type):
            self._class(value, depth)
        elif isinstance(value, (tuple, list)):
            self._say(str(len(value)))
            for item in value:
                self.value(item, depth + 1)
        elif isinstance(value, (set, frozenset)):
            self._say(" ".join(sorted(map(repr, value))))
        elif isinstance(value, Mapping):
            for key in value:
                self.value(key, depth + 1)
                self.value(value[key], depth + 1)
        elif callable(getattr(value, "tobytes", None)):  # an array
            self._say(str((getattr(value, "shape", ""), str(getattr(value, "dtype", "")))))
            self.hash.update(value.tobytes())
        elif hasattr(value, "to_numpy") and hasattr(value, "columns"):  # a table
            self._say(" ".join(map(str, value.columns)))
            for column in value.columns:
                self._say("\n".join(map(repr, value[column].tolist())))
        elif _own(kind) and not self._known(value):
            self._class(kind, depth)
            self.value(getattr(value, "__dict__", None), depth + 1)

    def _class(self, kind: type, depth: int) -> None:
        self._say(f"{kind.__module__}.{kind.__qualname__}")
        if not _own(kind) or self._known(kind):
            return
        for name, member in sorted(vars(kind).items()):
            plain = getattr(member, "__func__", getattr(member, "fget", member))
            if not (name.startswith("__") and not isinstance(plain, types.FunctionType)):
                self._say(name)
                self.value(plain, depth + 1)
        for base in kind.__bases__:
            self._class(base, depth + 1)

    def _code(self, code: types.CodeType) -> None:
        self.hash.update(code.co_code)
        self._say(" ".join([*code.co_names, "|", *code.co_varnames, "|", *code.co_freevars]))
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._code(constant)
            else:
                self.value(constant)

    def _known(self, value: Any) -> bool:
        """Whether it was told before, in which case its place in the order is told."""
        if id(value) in self._seen:
            self._say(f"seen {list(self._seen).index(id(value))}")
            return True
        self._seen[id(value)] = value  # held, so that no other object takes its identity
        return False

    def _say(self, text: str) -> None:
        self.hash.update(text.encode("utf-8", "surrogatepass") + b"\0")


def _names(code: types.CodeType) -> set[str]:
    """Names that a function and those inside it look up."""
    inner = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return set(code.co_names).union(*map(_names, inner))


def _own(value: Any) -> bool:
    """Whether a function or class is the user's: of a notebook, a script, or a file that is not installed."""
    name = getattr(value, "__module__", None) or ""
    module = sys.modules.get(name)
    if module is None or name == "__main__":
        return True
    file = getattr(module, "__file__", None)
    return file is not None and not _installed(Path(file)) and not module.__name__.startswith("hpo.")
