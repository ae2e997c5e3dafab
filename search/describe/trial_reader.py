"""The space of a function of a trial, read from its text: define-by-run, met before it runs.

Statements are followed in their order; ``if`` becomes a condition where its test is on a knob, a loop over the range of
a knob as many conditional knobs, a call that hands the trial on is followed into that function. What the text does not
tell is listed as unclear, never guessed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hpo.search.describe.source import Source
from hpo.search.describe.trial_ranges import METHODS, Unclear, domain_of
from hpo.search.describe.trial_values import (
    MOST,
    Function,
    Suggested,
    Trial,
    When,
    combined,
    known,
    split,
)
from hpo.search.terms.domain import Choice, Int
from hpo.search.terms.knobs import UNKNOWN
from hpo.search.terms.space import Parameter, Space

_DEEPEST = 12
_TRIAL = Trial()


@dataclass
class Suggestions:
    """What a function of a trial asks for.

    Attributes:
        parameters: by name, in the order in which they are met; of the same name once.
        unclear: (line, what cannot be told, why) of other calls.
        reports: whether it may report points of a curve: it does, or hands the trial to what is not of the script.
        values: how many numbers it returns, as far as its text tells.
    """

    parameters: dict[str, Parameter] = field(default_factory=dict)
    unclear: list[tuple[int, str, str]] = field(default_factory=list)
    reports: bool = False
    values: int = 1

    @property
    def space(self) -> Space:
        """The knobs that the text tells."""
        return Space(tuple(self.parameters.values()))


def function_of_trial(source: Source, name: str) -> Function | None:
    """A function of a trial by its name, or the ``__call__`` of what the name is an instance of; None where it is none.

    Its only parameter without a default is called ``trial``, or annotated as one.
    """
    found = source.find(ast.Name(name)) if name else None
    if found is None:
        return None
    where, node = found
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
        made = where.find(node.value.func)
        if made is None or not isinstance(made[1], ast.ClassDef):
            return None
        where, methods = made[0], [item for item in made[1].body if isinstance(item, ast.FunctionDef)]
        method = next((item for item in methods if item.name == "__call__"), None)
        return Function(method, {}, where) if method is not None and _takes_trial(method, skip=1) else None
    return Function(node, {}, where) if isinstance(node, ast.FunctionDef) and _takes_trial(node) else None


def _takes_trial(node: ast.FunctionDef, *, skip: int = 0) -> bool:
    arguments = [*node.args.posonlyargs, *node.args.args]
    needed = arguments[skip : len(arguments) - len(node.args.defaults)]
    if len(needed) != 1:
        return False
    annotation = "" if needed[0].annotation is None else ast.unparse(needed[0].annotation).strip("'\"")
    return needed[0].arg == "trial" or annotation.rpartition(".")[2] in ("Trial", "BaseTrial", "FrozenTrial")


def suggestions(source: Source, name: str) -> Suggestions:
    """Read a function of a trial, found by name."""
    function, reader = function_of_trial(source, name), _Reader()
    if function is not None:
        itself = [UNKNOWN] if function.node.name == "__call__" else []
        reader.follow(function, [*itself, _TRIAL], {}, (), 0)
        reader.found.values = _returned(function.node)
    return reader.found


def _returned(function: ast.FunctionDef) -> int:
    values = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    return max((len(value.elts) for value in values if isinstance(value, ast.Tuple)), default=1)


class _Reader:
    def __init__(self) -> None:
        self.found = Suggestions()
        self._source: Any = None
        self._depth = 0

    def follow(
        self, function: Function, given: Sequence[Any], named: Mapping[str, Any], when: When, depth: int
    ) -> None:
        """Read a function as it is called."""
        if depth > _DEEPEST:
            return
        arguments, seen = function.node.args, dict(function.seen)
        positional = [*arguments.posonlyargs, *arguments.args]
        for argument, default in zip(reversed(positional), reversed(arguments.defaults), strict=False):
            seen[argument.arg] = self._value(default, seen, when)
        for argument, default_or_none in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            seen[argument.arg] = UNKNOWN if default_or_none is None else self._value(default_or_none, seen, when)
        for argument in positional:
            seen.setdefault(argument.arg, UNKNOWN)
        seen |= dict(zip((argument.arg for argument in positional), given, strict=False))
        seen |= {key: value for key, value in named.items() if key}
        before = self._source, self._depth
        self._source, self._depth = function.source, depth
        self._body(function.node.body, seen, when)
        self._source, self._depth = before

    def _body(self, body: Sequence[ast.stmt], seen: dict[str, Any], when: When) -> None:
        for node in body:
            if isinstance(node, ast.If):
                when = self._if(node, seen, when)
            elif isinstance(node, (ast.For, ast.AsyncFor)):
                for turn, more in self._turns(node.iter, seen, when):
                    self._assign(node.target, turn, seen)
                    self._body(node.body, seen, (*when, *more))
                self._body(node.orelse, seen, when)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                if isinstance(node, ast.FunctionDef):
                    seen[node.name] = Function(node, seen, self._source)
            elif isinstance(node, ast.ClassDef):
                continue
            else:
                self._statement(node, seen, when)

    def _statement(self, node: ast.stmt, seen: dict[str, Any], when: When) -> None:
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            value = UNKNOWN if node.value is None else self._value(node.value, seen, when)
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                self._assign(target, value, seen)
            return
        if isinstance(node, ast.AugAssign):
            value = self._value(node.value, seen, when)
            if isinstance(node.target, ast.Name):
                held = seen.get(node.target.id, UNKNOWN)
                seen[node.target.id] = combined(type(node.op), held, value)
            return
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self._value(child, seen, when)
            elif isinstance(child, ast.withitem):
                value = self._value(child.context_expr, seen, when)
                if child.optional_vars is not None:
                    self._assign(child.optional_vars, value, seen)
        for part in ("body", "orelse", "finalbody"):
            self._body(getattr(node, part, ()), seen, when)
        for handler in getattr(node, "handlers", ()):
            self._body(handler.body, seen, when)

    def _if(self, node: ast.If, seen: dict[str, Any], when: When) -> When:
        """Read both branches; gives what holds after them."""
        constant = self._value(node.test, seen, when)
        if known(constant):
            self._body(node.body if constant else node.orelse, seen, when)
            return when
        sides = split(node.test, lambda expression: self._value(expression, seen, when)) or ((), ())
        branches = [dict(seen), dict(seen)]
        for body, side, own in zip((node.body, node.orelse), sides, branches, strict=True):
            self._body(body, own, _joined(when, side))
        for name in {*branches[0], *branches[1]}:  # after it only what both say is known
            one, other = branches[0].get(name, UNKNOWN), branches[1].get(name, UNKNOWN)
            seen[name] = one if one is other or (known(one) and known(other) and one == other) else UNKNOWN
        ends = [_ends(node.body), _ends(node.orelse)]
        if ends == [True, False]:
            seen.update(branches[1])
            return _joined(when, sides[1])
        if ends == [False, True]:
            seen.update(branches[0])
            return _joined(when, sides[0])
        return when

    def _turns(self, over: ast.expr, seen: dict[str, Any], when: When) -> Iterator[tuple[Any, When]]:
        """What a loop's variable is in each turn, with the condition under which there is that turn."""
        if isinstance(over, ast.Call) and isinstance(over.func, ast.Name) and over.func.id == "range" and over.args:
            ends = [self._value(argument, seen, when) for argument in over.args]
            first, last = (0, ends[0]) if len(ends) == 1 else (ends[0], ends[1])
            if isinstance(first, int) and isinstance(last, Suggested) and len(ends) < 3:
                values = last.values() if isinstance(last.domain, Int) else None
                if values is not None:
                    for turn in range(first, max(v for v in values if isinstance(v, int))):
                        reached = tuple(v for v in values if isinstance(v, int) and v > turn)
                        yield turn, () if len(reached) == len(values) else ((last.name, reached),)
                    return
            if all(isinstance(end, int) for end in ends) and 0 not in ends[2:]:
                yield from ((turn, ()) for turn in range(*ends)[:MOST])
                return
        else:
            items = self._value(over, seen, when)
            if isinstance(items, (list, tuple)):
                yield from ((item, ()) for item in items[:MOST])
                return
        yield UNKNOWN, ()

    def _assign(self, target: ast.expr, value: Any, seen: dict[str, Any]) -> None:
        if isinstance(target, ast.Name):
            seen[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            whole = isinstance(value, (list, tuple)) and len(value) == len(target.elts)
            for place, part in enumerate(target.elts):
                self._assign(part, value[place] if whole else UNKNOWN, seen)
        elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
            held, key = seen.get(target.value.id), self._value(target.slice, seen, ())
            if isinstance(held, dict) and isinstance(key, (str, int)):
                held[key] = value

    def _value(self, node: ast.expr, seen: dict[str, Any], when: When) -> Any:
        """What an expression stands for; suggestions in it are noted once they are met."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return seen[node.id] if node.id in seen else self._global(node)
        if isinstance(node, (ast.Tuple, ast.List)):
            return [self._value(item, seen, when) for item in node.elts]
        if isinstance(node, ast.Dict):
            return self._dict(node, seen, when)
        if isinstance(node, ast.Call):
            return self._call(node, seen, when)
        if isinstance(node, ast.JoinedStr):
            return self._text(node, seen, when)
        if isinstance(node, ast.BinOp):
            left, right = self._value(node.left, seen, when), self._value(node.right, seen, when)
            return combined(type(node.op), left, right)
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            left, right = self._value(node.left, seen, when), self._value(node.comparators[0], seen, when)
            return combined(type(node.ops[0]), left, right)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            value = self._value(node.operand, seen, when)
            return -value if isinstance(value, (int, float)) else UNKNOWN
        if isinstance(node, ast.Subscript):
            held, key = self._value(node.value, seen, when), self._value(node.slice, seen, when)
            try:
                return held[key] if isinstance(held, (dict, list)) and known(key) else UNKNOWN
            except (KeyError, IndexError, TypeError):
                return UNKNOWN
        if isinstance(node, ast.IfExp):
            self._value(node.test, seen, when)
            sides = split(node.test, lambda expression: self._value(expression, seen, when)) or ((), ())
            for branch, side in zip((node.body, node.orelse), sides, strict=True):
                self._value(branch, seen, _joined(when, side))
            return UNKNOWN
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp)) and len(node.generators) == 1:
            own, one = dict(seen), node.generators[0]
            for turn, more in self._turns(one.iter, seen, when):
                self._assign(one.target, turn, own)
                self._value(node.elt, own, (*when, *more))
            return UNKNOWN
        if isinstance(node, ast.Lambda):
            return UNKNOWN
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self._value(child, seen, when)
        return UNKNOWN

    def _global(self, node: ast.Name) -> Any:
        held = self._source.find(node)
        if held is not None and isinstance(held[1], ast.FunctionDef):
            return Function(held[1], {}, held[0])
        return UNKNOWN if held is None else self._source.constant(node.id)

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

    def _call(self, node: ast.Call, seen: dict[str, Any], when: When) -> Any:
        given = [self._value(argument, seen, when) for argument in node.args]
        named = {keyword.arg or "": self._value(keyword.value, seen, when) for keyword in node.keywords}
        if isinstance(node.func, ast.Attribute):
            owner = self._value(node.func.value, seen, when)
            if isinstance(owner, Trial):
                self.found.reports |= node.func.attr == "report"
                return self._suggested(node, node.func.attr, given, named, when)
            if node.func.attr == "format" and isinstance(owner, str) and known(given) and known(named):
                return owner.format(*given, **named) if "" not in named else UNKNOWN
            self.found.reports |= any(isinstance(value, Trial) for value in (*given, *named.values()))
            return UNKNOWN
        function = self._value(node.func, seen, when)
        handed = any(isinstance(value, Trial) for value in (*given, *named.values()))
        if isinstance(function, Function) and (handed or any(isinstance(v, Trial) for v in function.seen.values())):
            self.follow(function, given, named, when, self._depth + 1)
        elif handed:
            self.found.reports = True
        if isinstance(node.func, ast.Name) and node.func.id in ("str", "int") and len(given) == 1 and known(given[0]):
            try:
                return {"str": str, "int": int}[node.func.id](given[0])
            except (TypeError, ValueError):
                return UNKNOWN
        return UNKNOWN

    def _suggested(
        self, node: ast.Call, method: str, given: Sequence[Any], named: Mapping[str, Any], when: When
    ) -> Any:
        if method not in METHODS:
            return UNKNOWN
        arguments = {**dict(zip(METHODS[method], given, strict=False)), **named}
        name = arguments.get("name")
        if not isinstance(name, str):
            self._unclear(node, ast.unparse(node)[:60], "its name is made while it runs")
            return UNKNOWN
        if not all(known(value) for value in arguments.values()):
            self._unclear(node, name, "its range is worked out while it runs")
            return UNKNOWN
        try:
            domain = domain_of(method, arguments)
        except Unclear as why:
            self._unclear(node, name, str(why))
            return UNKNOWN
        before = self.found.parameters.get(name)
        if before is not None and before.domain != domain:
            self._unclear(node, name, "it has two ranges")
            return UNKNOWN
        here = _united(before, when) if before is not None else when
        self.found.parameters[name] = Parameter(name, domain, here)
        return Suggested(name, domain)

    def _unclear(self, node: ast.Call, name: str, why: str) -> None:
        if (node.lineno, name, why) not in self.found.unclear:
            self.found.unclear.append((node.lineno, name, why))


def _joined(when: When, more: When) -> When:
    """Both conditions; of one knob the values that both have."""
    found = dict(when)
    for name, values in more:
        held = found.get(name)
        found[name] = values if held is None else tuple(v for v in held if Choice(values).contains(v))
    return tuple(found.items())


def _united(before: Parameter, when: When) -> When:
    """Either condition, as far as one about a single knob says it; else none."""
    if len(before.when) == len(when) == 1 and before.when[0][0] == when[0][0]:
        first, more = before.when[0][1], when[0][1]
        return ((when[0][0], (*first, *(v for v in more if not Choice(first).contains(v)))),)
    return before.when if before.when == when else ()


def _ends(body: Sequence[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[-1], (ast.Return, ast.Raise, ast.Continue, ast.Break))
