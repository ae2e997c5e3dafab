"""Python files read without importing them: what they define, and the knobs of their functions.

The keyword parameters of ``train`` (or the fields of the dataclass it takes) are the schema of a recipe: names,
types, defaults. Reading them with ``ast`` keeps ``hpo check`` fast and runs nothing of the user's. Options of
samplers, pruners and executors are the keyword parameters of their ``make``, read the same way. What cannot be told
from the text is left open, never guessed: a check that is not sure says nothing.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from importlib.util import decode_source
from pathlib import Path
from typing import Any

from hpo.search.describe.annotations import default_of, knob_of, parsed, value_of
from hpo.search.terms.knobs import REQUIRED, UNKNOWN, Knob, Signature
from hpo.search.terms.registry import module_file

_PLAIN = (*vars(builtins), "Any", "Callable", "Iterable", "Mapping", "Path", "Sequence")
_DEEPEST = 8
_ARGUMENT = re.compile(r"^ *(\w+): (.+(?:\n {8,}\S.*)*)", re.MULTILINE)


class Source:
    """One Python file, parsed; looks up functions, dataclasses and constants, following imports by file."""

    def __init__(self, path: Path) -> None:
        """Parse.

        Raises:
            OSError: the file cannot be read.
            SyntaxError: the file is not Python.
            ValueError: it is not text, or holds NUL characters.
        """
        self.path = path
        stat = path.stat()
        self.tree, self._bound, self._stars = _read(path, stat.st_mtime_ns, stat.st_size)

    @classmethod
    def of_text(cls, text: str, path: Path) -> Source:
        """Python that is in no file; what it imports is looked for beside ``path``, which need not be there.

        Raises:
            SyntaxError: it is not Python.
        """
        made = cls.__new__(cls)
        made.path = path
        made.tree, made._bound, made._stars = _parsed(text, path)
        return made

    def __contains__(self, name: str) -> bool:
        return name in self._bound or "__getattr__" in self._bound or (bool(self._stars) and self._starred(name, 0))

    @property
    def doc(self) -> str:
        """First line of the module's docstring."""
        return (ast.get_docstring(self.tree) or "").partition("\n")[0]

    def names(self) -> list[str]:
        """Functions and classes defined here."""
        return [node.name for node in self.tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]

    def constant(self, name: str) -> Any:
        """Value of a module-level name, ``UNKNOWN`` where the text does not tell it, None when there is no such name.

        In a tuple or list, other names stand for their values, wherever they are imported from.
        """
        return value_of(ast.Name(name), self.find) if name in self else None

    def signature(self, name: str, *, skip_first: bool = False) -> Signature | None:
        """Knobs of a function here, or None when nothing of this name is.

        A first parameter annotated with a dataclass stands for that class's fields; without annotation
        (``build(recipe)``) the function takes whatever it is given, as does one that cannot be read (made by a call,
        wrapped by a decorator, imported from a compiled module). ``skip_first`` leaves out a plug-in's context.
        """
        if name not in self:
            return None
        found = self.find(ast.Name(name))
        if found is None or not isinstance(found[1], (ast.FunctionDef, ast.AsyncFunctionDef)):
            return Signature({}, True, self.doc)
        source, function = found[0], found[1]
        text = ast.get_docstring(function) or ""
        doc, arguments = (text or source.doc).partition("\n")[0], function.args
        positional = [*arguments.posonlyargs, *arguments.args][1 if skip_first else 0 :]
        if positional and not skip_first:
            whole = source._recipe(positional[0], alone=len(positional) + len(arguments.kwonlyargs) == 1)
            if whole is not None:
                return replace(whole, doc=doc)
        defaults = arguments.defaults[max(0, len(arguments.defaults) - len(positional)) :]
        padded: list[ast.expr | None] = [*([None] * (len(positional) - len(defaults))), *defaults]
        knobs = {}
        for argument, default in zip(
            [*positional, *arguments.kwonlyargs], [*padded, *arguments.kw_defaults], strict=True
        ):
            knob = knob_of(argument.arg, argument.annotation, default, source.find)
            knobs[argument.arg] = replace(knob, doc=_argument_doc(text, argument.arg))
        if function.decorator_list:  # what it wraps the function in may take other keywords
            loose = {n: replace(k, default=UNKNOWN) if k.default is REQUIRED else k for n, k in knobs.items()}
            return Signature(loose, True, doc)
        return Signature(knobs, arguments.kwarg is not None, doc)

    def fields(self, name: str) -> Signature | None:
        """Fields of a dataclass here, its bases' included; None when there is no such dataclass."""
        return self._fields(ast.Name(name), 0)

    def parts(self, name: str) -> dict[str, tuple[Source, str, dict[str, Any]]]:
        """Fields of a dataclass here that are dataclasses, bases included: where each is, what its default names."""
        found = self.find(ast.Name(name))
        if found is None or not isinstance(found[1], ast.ClassDef):
            return {}
        source, node = found[0], found[1]
        inherited = [source.parts(base.id) for base in node.bases if isinstance(base, ast.Name)]
        own: dict[str, tuple[Source, str, dict[str, Any]]] = {}
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                inner = source.find(annotation := parsed(item.annotation))
                if inner is not None and source._fields(annotation, 0) is not None:
                    where, kind = inner
                    assert isinstance(kind, ast.ClassDef)
                    own[item.target.id] = where, kind.name, _given(item.value, source)
        return {key: part for parts in (*inherited, own) for key, part in parts.items()}

    def returns_model(self, name: str) -> bool:
        """Whether a function may hand over a trained model at its end.

        A generator does that with ``return model``; a plain function can return a generator that somebody else makes.
        """
        found = self.find(ast.Name(name))
        if found is None or not isinstance(found[1], ast.FunctionDef):
            return False
        own = list(_own_nodes(found[1]))
        returned = [node.value for node in own if isinstance(node, ast.Return) and node.value is not None]
        if any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in own):
            return bool(returned)
        return any(isinstance(value, ast.Call) for value in returned)

    def find(self, expression: ast.expr, depth: int = 0) -> tuple[Source, ast.stmt] | None:
        """Statement that defines what a name or dotted name stands for, and the file it is in."""
        if depth > _DEEPEST:
            return None
        if isinstance(expression, ast.Attribute):
            module = self._module(ast.unparse(expression.value))
            return None if module is None else module.find(ast.Name(expression.attr), depth + 1)
        if not isinstance(expression, ast.Name):
            return None
        node = self._bound.get(expression.id)
        if isinstance(node, ast.ImportFrom):
            alias = next(a for a in node.names if (a.asname or a.name) == expression.id)
            module = _source(self._file(node))
            return None if module is None else module.find(ast.Name(alias.name), depth + 1)
        if node is not None:
            return None if isinstance(node, ast.Import) else (self, node)
        for star in self._stars:
            module = _source(self._file(star))
            found = None if module is None else module.find(expression, depth + 1)
            if found is not None:
                return found
        return None

    def _starred(self, name: str, depth: int) -> bool:
        """Whether ``from module import *`` may bind a name."""
        modules = [_source(self._file(star)) for star in self._stars if not _standard(star.module or "")]
        return any(
            module is None or name in module._bound or (depth < _DEEPEST and module._starred(name, depth + 1))
            for module in modules
        )

    def _module(self, dotted: str) -> Source | None:
        """File of the module that a dotted name stands for here."""
        first, _, rest = dotted.partition(".")
        node = self._bound.get(first)
        if isinstance(node, ast.Import):
            alias = next(a for a in node.names if (a.asname or a.name.partition(".")[0]) == first)
            name = alias.name if alias.asname else first
            if _standard(name):
                return None
            return _source(module_file(f"{name}.{rest}" if rest else name, [str(self.path.parent)]))
        if isinstance(node, ast.ImportFrom) and not rest:
            alias = next(a for a in node.names if (a.asname or a.name) == first)
            return _source(self._file(node, alias.name))
        return None

    def _file(self, node: ast.ImportFrom, member: str = "") -> Path | None:
        dotted = ".".join(filter(None, [node.module, member]))
        if not node.level:
            if _standard(dotted):
                return None
            return module_file(dotted, [str(self.path.parent)])
        if node.level > len(self.path.parents):
            return None
        target = self.path.parents[node.level - 1].joinpath(*dotted.split("."))
        return next((p for p in (target.with_name(f"{target.name}.py"), target / "__init__.py") if p.is_file()), None)

    def _recipe(self, argument: ast.arg, *, alone: bool) -> Signature | None:
        """What a function takes whose first parameter is a whole recipe; None when that is an ordinary knob."""
        if argument.annotation is None:
            return Signature({}, True) if alone and argument.arg == "recipe" else None
        annotation = parsed(argument.annotation)
        fields = self._fields(annotation, 0)
        if fields is not None or not alone or not isinstance(annotation, (ast.Name, ast.Attribute)):
            return fields
        unreadable = self.find(annotation) is None and ast.unparse(annotation).rpartition(".")[2] not in _PLAIN
        return Signature({}, True) if unreadable else None

    def _fields(self, expression: ast.expr, depth: int) -> Signature | None:
        found = self.find(expression, depth)
        if found is None or not isinstance(found[1], ast.ClassDef) or depth > _DEEPEST:
            return None
        source, node = found[0], found[1]
        known = {ast.unparse(base): source._fields(base, depth + 1) for base in node.bases}
        decorated = any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)
        if not decorated and not any(known.values()):
            return None
        signature = Signature()
        for text, base in known.items():
            plain = re.match(r"(object|(\w+\.)?(Generic|Protocol)\b)", text)
            signature |= base or Signature({}, plain is None and source.find(ast.parse(text).body[0].value) is None)  # type: ignore[attr-defined] # a base is an expression
        return signature | Signature(dict(source._own_fields(node)) if decorated else {})

    def _own_fields(self, node: ast.ClassDef) -> Iterator[tuple[str, Knob]]:
        for item, after in zip(node.body, [*node.body[1:], None], strict=True):
            if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
                continue
            annotation = ast.unparse(item.annotation)
            if re.search(r"\b(ClassVar|KW_ONLY)\b", annotation) or default_of(item.value) is None:
                continue
            knob = knob_of(item.target.id, item.annotation, item.value, self.find)
            text = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            if isinstance(text, str):
                knob = replace(knob, doc=" ".join(text.split()))
            yield knob.name, knob


def _given(default: ast.expr | None, source: Source) -> dict[str, Any]:
    """Values that a default names, ``Optim(lr=0.1)``, also behind ``default_factory``."""
    calls = [node for node in ast.walk(default) if isinstance(node, ast.Call)] if default is not None else []
    keywords = [keyword for call in calls for keyword in call.keywords if keyword.arg not in ("default_factory", None)]
    return {str(keyword.arg): value_of(keyword.value, source.find) for keyword in keywords}


@lru_cache(maxsize=512)
def _read(path: Path, stamp: int, size: int) -> tuple[ast.Module, dict[str, ast.stmt], tuple[ast.ImportFrom, ...]]:
    return _parsed(decode_source(path.read_bytes()), path)


def _parsed(text: str, path: Path) -> tuple[ast.Module, dict[str, ast.stmt], tuple[ast.ImportFrom, ...]]:
    """Tree of a file, the statement that binds each module-level name, and its star imports."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python says them when the file is imported
        try:
            tree = ast.parse(text, filename=str(path))
        except (RecursionError, MemoryError):
            raise SyntaxError("nested too deeply") from None
    bound: dict[str, ast.stmt] = {}
    stars: list[ast.ImportFrom] = []
    for node in _statements(tree.body):
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            stars.append(node)
        for name in _names(node):
            bound[name] = node
    return tree, bound, tuple(stars)


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Module-level statements; of the branches of ``if`` and ``try`` the first one has the last word."""
    for node in body:
        if isinstance(node, (ast.If, ast.Try)):
            handlers = [item for handler in getattr(node, "handlers", ()) for item in handler.body]
            yield from _statements([*handlers, *node.orelse, *node.body])
        elif isinstance(node, ast.With):
            yield from _statements(node.body)
        else:
            yield node


def _own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Everything in a function's body but what belongs to functions and classes inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, ast.Import):
        return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    single = (ast.AnnAssign, ast.AugAssign)  # what is added to later is not what it was at first
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, single) else []
    return [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]


def _standard(module: str) -> bool:
    """Whether a module is Python's own: nothing in it says what a knob takes, and some take long to read."""
    return module.partition(".")[0] in sys.stdlib_module_names


def _source(path: Path | None) -> Source | None:
    """A file that another one imports, None when it cannot be read: the other is judged by what is known."""
    try:
        return None if path is None else Source(path)
    except (OSError, SyntaxError, ValueError):
        return None


def _argument_doc(docstring: str, name: str) -> str:
    """A parameter's line under ``Args:``, with its continuation lines."""
    found = next((line for line in _ARGUMENT.finditer(docstring) if line[1] == name), None)
    return " ".join(found[2].split()) if found else ""
