"""What expressions of a script stand for, worked out as far as its text tells.

Nothing is run: names are looked up, constants combined, knobs followed. The statements are ``trial_reader``'s.
"""

from __future__ import annotations

import abc
import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpo.search.describe.trial_ranges import METHODS
from hpo.search.describe.trial_values import (
    SUPER,
    Above,
    Function,
    Instance,
    Suggested,
    Trial,
    When,
    combined,
    known,
    split,
)
from hpo.search.terms.domain import Choice
from hpo.search.terms.knobs import UNKNOWN

_TEXT = ("format", "startswith", "endswith", "lower", "upper", "split", "strip")


class Expressions(abc.ABC):
    """Evaluates expressions: ``seen`` has the names of the function that is read, ``when`` is where it is read."""

    def __init__(self) -> None:
        self._source: Any = None
        self._assumed: Mapping[str, Any] = {}
        self._globals: dict[tuple[Any, str], Any] = {}

    @abc.abstractmethod
    def _call(self, node: ast.Call, seen: dict[str, Any], when: When) -> Any: ...

    @abc.abstractmethod
    def _turns(self, over: ast.expr, seen: dict[str, Any], when: When) -> Iterator[tuple[Any, When]]: ...

    @abc.abstractmethod
    def _statement(self, node: ast.stmt, seen: dict[str, Any], when: When) -> None: ...

    @abc.abstractmethod
    def _assign(self, target: ast.expr, value: Any, seen: dict[str, Any]) -> None: ...

    @abc.abstractmethod
    def _unclear(self, node: ast.expr, name: str, why: str) -> None: ...

    def _split(self, test: ast.expr, seen: dict[str, Any], when: When) -> tuple[When, When]:
        """Conditions under which a test holds, and does not."""

        def value(expression: ast.expr, assumed: Mapping[str, Any]) -> Any:
            before, self._assumed = self._assumed, {**self._assumed, **assumed}
            try:
                return self._value(expression, dict(seen), when)  # := in a test binds its knob, not a value of it
            finally:
                self._assumed = before

        return split(test, value) or ((), ())

    def _value(self, node: ast.expr, seen: dict[str, Any], when: When) -> Any:
        """What an expression stands for; suggestions in it are noted once they are met."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return self._as_assumed(seen[node.id] if node.id in seen else self._global(node))
        if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
            return [self._value(item, seen, when) for item in node.elts]
        if isinstance(node, ast.NamedExpr):
            value = self._value(node.value, seen, when)
            self._assign(node.target, value, seen)
            return value
        if isinstance(node, ast.Attribute):
            return self._attribute(node, seen, when)
        if isinstance(node, ast.Dict):
            return self._dict(node, seen, when)
        if isinstance(node, ast.Call):
            return self._as_assumed(self._call(node, seen, when))
        if isinstance(node, ast.JoinedStr):
            return self._text(node, seen, when)
        if isinstance(node, ast.BinOp):
            left, right = self._value(node.left, seen, when), self._value(node.right, seen, when)
            return combined(type(node.op), left, right)
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            left, right = self._value(node.left, seen, when), self._value(node.comparators[0], seen, when)
            return combined(type(node.ops[0]), left, right)
        if isinstance(node, ast.Compare):
            values = [self._value(part, seen, when) for part in (node.left, *node.comparators)]
            links = [combined(type(op), one, two) for op, one, two in zip(node.ops, values, values[1:], strict=False)]
            return all(links) if known(links) else UNKNOWN
        if isinstance(node, ast.BoolOp):
            values = [self._value(part, seen, when) for part in node.values]
            if not known(values):
                return UNKNOWN
            return all(values) if isinstance(node.op, ast.And) else any(values)
        if isinstance(node, ast.UnaryOp):
            value = self._value(node.operand, seen, when)
            if isinstance(node.op, ast.Not):
                return not value if known(value) else UNKNOWN
            return -value if isinstance(node.op, ast.USub) and isinstance(value, (int, float)) else UNKNOWN
        if isinstance(node, ast.Subscript):
            held, key = self._value(node.value, seen, when), self._value(node.slice, seen, when)
            try:
                return self._as_assumed(held[key]) if isinstance(held, (dict, list)) and known(key) else UNKNOWN
            except (KeyError, IndexError, TypeError):
                return UNKNOWN
        if isinstance(node, ast.IfExp):
            self._value(node.test, seen, when)
            sides = self._split(node.test, seen, when)
            for branch, side in zip((node.body, node.orelse), sides, strict=True):
                self._value(branch, seen, joined(when, side))
            return UNKNOWN
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp)) and len(node.generators) == 1:
            own, one, made, always = dict(seen), node.generators[0], list[Any](), not node.generators[0].ifs
            for turn, more in self._turns(one.iter, seen, when):
                self._assign(one.target, turn, own)
                made.append(self._value(node.elt, own, joined(when, more)))
                always = always and not more
            return made if always and known(made) else UNKNOWN
        if isinstance(node, ast.Lambda):
            return UNKNOWN
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self._value(child, seen, when)
        return UNKNOWN

    def _as_assumed(self, value: Any) -> Any:
        return self._assumed.get(value.name, value) if isinstance(value, Suggested) else value

    def _global(self, node: ast.expr) -> Any:
        """What a name of the module, or of another one, stands for."""
        held = self._source.find(node)
        if held is None:
            return UNKNOWN
        where, statement = held
        if isinstance(statement, ast.FunctionDef):
            return Function(statement, {}, where)
        if isinstance(statement, ast.ClassDef):
            return Instance(statement, where)  # its own attributes are those of the class
        if not isinstance(statement, (ast.Assign, ast.AnnAssign)) or statement.value is None:
            return UNKNOWN
        key = where.path, ast.unparse(node)
        if key not in self._globals:
            self._globals[key] = UNKNOWN  # while it is worked out: a name may stand for itself
            before, self._source = self._source, where
            made: dict[str, Any] = {}
            self._statement(statement, made, ())
            self._source = before
            self._globals[key] = made.get(ast.unparse(node).rpartition(".")[2], UNKNOWN)
        return self._globals[key]

    def _attribute(self, node: ast.Attribute, seen: dict[str, Any], when: When) -> Any:
        owner = self._value(node.value, seen, when)
        if isinstance(owner, Trial) and node.attr in METHODS:
            self._unclear(node, ast.unparse(node), "the method is handed on")
        if isinstance(owner, Instance):
            return self._member(owner, node.attr)
        if isinstance(owner, Above):
            return self._above(owner, node.attr)
        return self._global(node) if owner is UNKNOWN else UNKNOWN

    def _member(self, owner: Instance, name: str) -> Any:
        """What an object was given, a method, or what the class says of a name."""
        if owner.held is not None and name in owner.held:
            return owner.held[name]
        return self._of_classes(owner, owner.lineage(), name)

    def _above(self, above: Above, name: str) -> Any:
        """The same as ``super()`` finds it."""
        lineage = above.of.lineage()
        places = [place for place, one in enumerate(lineage, 1) if one.node is above.stands]
        return self._of_classes(above.of, lineage[places[0] :] if places else [], name)

    def _of_classes(self, owner: Instance, classes: Sequence[Instance], name: str) -> Any:
        for kind in classes:
            for item in kind.node.body:
                if isinstance(item, ast.FunctionDef) and item.name == name:
                    return Function(item, {SUPER: Above(owner, kind.node)}, kind.source, owner)
                targets = item.targets if isinstance(item, ast.Assign) else []
                targets = [item.target] if isinstance(item, ast.AnnAssign) and item.value is not None else targets
                if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                    assert isinstance(item, (ast.Assign, ast.AnnAssign))
                    assert item.value is not None
                    before, self._source = self._source, kind.source
                    value = self._value(item.value, {}, ())
                    self._source = before
                    return value
        return UNKNOWN

    def _dict(self, node: ast.Dict, seen: dict[str, Any], when: When) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key, item in zip(node.keys, node.values, strict=True):
            value = self._value(item, seen, when)
            if isinstance(key, ast.Constant):
                found[key.value] = value
        return found

    def _text(self, node: ast.JoinedStr, seen: dict[str, Any], when: When) -> Any:
        parts = []
        for part in node.values:
            inner = part.value if isinstance(part, ast.FormattedValue) else part
            value = self._value(inner, seen, when)
            if not known(value) or (isinstance(part, ast.FormattedValue) and part.format_spec is not None):
                return UNKNOWN
            parts.append(str(value))
        return "".join(parts)

    @staticmethod
    def _of_text(owner: str, method: str, given: Sequence[Any], named: Mapping[str, Any]) -> Any:
        if method not in _TEXT or "" in named:
            return UNKNOWN
        try:
            return getattr(owner, method)(*given, **named)
        except Exception:  # the script's own fault, said when it runs
            return UNKNOWN


def joined(when: When, more: When) -> When:
    """Both conditions; of one knob the values that both have."""
    found = dict(when)
    for name, values in more:
        held = found.get(name)
        found[name] = values if held is None else tuple(v for v in held if Choice(values).contains(v))
    return tuple(found.items())
