"""The space of a function of a trial, read from its text: define-by-run, met before it runs.

Statements are followed in their order; ``if`` becomes a condition where its test is on a knob, a loop over the range of
a knob as many conditional knobs, a call that hands the trial on is followed into that function. What the text does not
tell is listed as unclear, never guessed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hpo.search.describe.source import Source
from hpo.search.describe.trial_expressions import Expressions, joined
from hpo.search.describe.trial_made import Made, made
from hpo.search.describe.trial_ranges import METHODS, Unclear, domain_of
from hpo.search.describe.trial_values import (
    MOST,
    SUPER,
    Above,
    Function,
    Instance,
    Suggested,
    Trial,
    When,
    combined,
    computed,
    known,
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
    if found is not None and isinstance(found[1], ast.FunctionDef) and _takes_trial(found[1]):
        return Function(found[1], {}, found[0])
    if found is not None and isinstance(found[1], ast.Assign) and isinstance(found[1].value, ast.Call):
        at_top = Made(name, found[1].value)
        return _made_function(found[0], at_top)
    one = next((one for one in made(source.tree) if one.name == name), None)
    return None if one is None else _made_function(source, one)


def _made_function(source: Source, one: Made) -> Function | None:
    """The ``__call__`` of an object that is made, or the function inside of the one that makes it."""
    found = source.find(one.expression.func)
    if found is None:
        return None
    where, node = found
    inside = [item for item in getattr(node, "body", []) if isinstance(item, ast.FunctionDef)]
    if isinstance(node, ast.ClassDef):
        kind = Instance(node, where)
        for owner in kind.lineage():
            calls = [item for item in owner.node.body if isinstance(item, ast.FunctionDef) and item.name == "__call__"]
            if calls:
                taken = _takes_trial(calls[0], skip=1)
                above = {SUPER: Above(kind, owner.node)}
                return Function(calls[0], above, owner.source, kind, one) if taken else None
        return None
    if isinstance(node, ast.FunctionDef):
        names = {
            item.value.id for item in node.body if isinstance(item, ast.Return) and isinstance(item.value, ast.Name)
        }
        inner = next((item for item in inside if item.name in names and _takes_trial(item)), None)
        return None if inner is None else Function(inner, {}, where, made=one)
    return None


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
        if function.made is not None:
            function = reader.made(source, function, function.made)
        itself = [] if function.owner is None else [function.owner]
        reader.follow(function, [*itself, _TRIAL], {}, (), 0)
        reader.found.values = _returned(function.node)
    return reader.found


def _returned(function: ast.FunctionDef) -> int:
    values = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    return max((len(value.elts) for value in values if isinstance(value, ast.Tuple)), default=1)


class _Reader(Expressions):
    def __init__(self) -> None:
        super().__init__()
        self.found = Suggestions()
        self._depth = 0

    def made(self, source: Source, function: Function, how: Made) -> Function:
        """The function with what it was made of, as far as the text tells that."""
        self._source, seen = source, dict[str, Any]()
        self._body(how.before, seen, ())
        found = self._value(how.expression, seen, ())
        if isinstance(found, Instance):
            above = {name: replace(value, of=found) for name, value in function.seen.items() if name == SUPER}
            return replace(function, owner=found, seen={**function.seen, **above})
        maker = self._value(how.expression.func, seen, ())
        if not isinstance(maker, Function):
            return function
        given = [self._value(argument, seen, ()) for argument in how.expression.args]
        named = {keyword.arg or "": self._value(keyword.value, seen, ()) for keyword in how.expression.keywords}
        return replace(function, seen=self.follow(maker, given, named, (), 1))

    def follow(
        self, function: Function, given: Sequence[Any], named: Mapping[str, Any], when: When, depth: int
    ) -> dict[str, Any]:
        """Read a function as it is called; gives the names in it."""
        if depth > _DEEPEST:
            return {}
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
        return seen

    def _body(self, body: Sequence[ast.stmt], seen: dict[str, Any], when: When) -> None:
        for node in body:
            if isinstance(node, ast.If):
                when = self._if(node, seen, when)
            elif isinstance(node, (ast.For, ast.AsyncFor)):
                for turn, more in self._turns(node.iter, seen, when):
                    self._assign(node.target, turn, seen)
                    self._body(node.body, seen, joined(when, more))
                self._body(node.orelse, seen, when)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                if isinstance(node, ast.FunctionDef):
                    seen[node.name] = Function(node, seen, self._source)
            elif isinstance(node, ast.Match):
                self._match(node, seen, when)
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
        sides = self._split(node.test, seen, when)
        branches = [dict(seen), dict(seen)]
        objects = [(one.held, dict(one.held)) for one in seen.values() if isinstance(one, Instance) and one.held]
        for body, side, own in zip((node.body, node.orelse), sides, branches, strict=True):
            self._body(body, own, joined(when, side))
        for held, earlier in objects:  # what one branch alone may have given an object
            held.update({name: UNKNOWN for name, value in held.items() if earlier.get(name, UNKNOWN) is not value})
        for name in {*branches[0], *branches[1]}:  # after it only what both say is known
            one, other = branches[0].get(name, UNKNOWN), branches[1].get(name, UNKNOWN)
            seen[name] = one if one is other or (known(one) and known(other) and one == other) else UNKNOWN
        ends = [_ends(node.body), _ends(node.orelse)]
        if ends == [True, False]:
            seen.update(branches[1])
            return joined(when, sides[1])
        if ends == [False, True]:
            seen.update(branches[0])
            return joined(when, sides[0])
        return when

    def _match(self, node: ast.Match, seen: dict[str, Any], when: When) -> None:
        """Read the cases of a ``match`` as a chain of ``if``."""
        for case in node.cases:
            values = [pattern.value for pattern in ast.walk(case.pattern) if isinstance(pattern, ast.MatchValue)]
            plain = isinstance(case.pattern, (ast.MatchValue, ast.MatchOr)) and case.guard is None
            test = ast.Compare(node.subject, [ast.In()], [ast.Tuple(list(values))])
            sides = self._split(test, seen, when) if plain else ((), ())
            self._body(case.body, dict(seen), joined(when, sides[0]))
            when = joined(when, sides[1])

    def _turns(self, over: ast.expr, seen: dict[str, Any], when: When) -> Iterator[tuple[Any, When]]:
        """What a loop's variable is in each turn, with the condition under which there is that turn."""
        if isinstance(over, ast.Call) and isinstance(over.func, ast.Name) and over.func.id == "range" and over.args:
            ends = [self._value(argument, seen, when) for argument in over.args]
            found = self._counted(over, seen, when)
            if found is not None:
                yield from found
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

    def _counted(self, over: ast.Call, seen: dict[str, Any], when: When) -> list[tuple[Any, When]] | None:
        """Turns of a ``range`` whose ends follow from one knob; None where they do not."""
        values: tuple[Any, ...] = ()
        for argument in over.args:
            for node in ast.walk(argument):
                one = self._value(node, seen, when) if isinstance(node, (ast.Name, ast.Subscript, ast.Call)) else None
                if isinstance(one, Suggested) and isinstance(one.domain, Int) and one.values() is not None:
                    name, values = one.name, one.values() or ()
        reached: dict[int, list[Any]] = {}
        for value in values:
            before, self._assumed = self._assumed, {**self._assumed, name: value}
            ends = [self._value(argument, seen, when) for argument in over.args]
            self._assumed = before
            if not all(isinstance(end, int) for end in ends) or 0 in ends[2:]:
                return None
            for turn in range(*ends)[:MOST]:
                reached.setdefault(turn, []).append(value)
        if not values:
            return None
        return [(t, () if len(own) == len(values) else ((name, tuple(own)),)) for t, own in sorted(reached.items())]

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
        elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            owner = seen.get(target.value.id)
            if isinstance(owner, Instance) and owner.held is not None:
                owner.held[target.attr] = value

    def _call(self, node: ast.Call, seen: dict[str, Any], when: When) -> Any:
        given = [self._value(argument, seen, when) for argument in node.args]
        named = {keyword.arg or "": self._value(keyword.value, seen, when) for keyword in node.keywords}
        handed = any(isinstance(value, Trial) for value in (*given, *named.values()))
        owner = self._value(node.func.value, seen, when) if isinstance(node.func, ast.Attribute) else None
        if isinstance(node.func, ast.Attribute) and isinstance(owner, Trial):
            self.found.reports |= node.func.attr == "report"
            return self._suggested(node, node.func.attr, given, named, when)
        if isinstance(node.func, ast.Attribute) and isinstance(owner, str) and known(given) and known(named):
            return self._of_text(owner, node.func.attr, given, named)
        function = seen.get(SUPER, UNKNOWN) if _super(node) else self._value(node.func, seen, when)
        if isinstance(function, Above):
            return function
        sees = handed or isinstance(owner, Above)  # an __init__ above tells what the object holds
        if isinstance(function, Function) and (sees or any(isinstance(v, Trial) for v in function.seen.values())):
            itself = [] if function.owner is None else [function.owner]
            self.follow(function, [*itself, *given], named, when, self._depth + 1)
        elif isinstance(function, Instance) and function.held is None:
            return self._object(function, given, named, when)
        elif (
            isinstance(function, Instance)
            and handed
            and isinstance(call := self._member(function, "__call__"), Function)
        ):
            self.follow(call, [function, *given], named, when, self._depth + 1)
        elif handed:
            self.found.reports = True
            if not isinstance(function, Instance) and self._source.find(node.func) is None and not _foreign(node.func):
                self._unclear(node, ast.unparse(node)[:60], "it is handed the trial, and is not read")
        return computed(node.func.id, given, named) if isinstance(node.func, ast.Name) else UNKNOWN

    def _called(self, of: Any) -> Any:
        """The method that runs where an object is called."""
        return self._member(of, "__call__") if isinstance(of, Instance) else UNKNOWN

    def _object(self, kind: Instance, given: Sequence[Any], named: Mapping[str, Any], when: When) -> Instance:
        """An object of a class, with what its ``__init__`` gives it."""
        made = replace(kind, held={"__class__": kind})
        start = self._member(made, "__init__")
        if isinstance(start, Function):
            self.follow(start, [made, *given], named, when, self._depth + 1)
        return made

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

    def _unclear(self, node: ast.expr, name: str, why: str) -> None:
        if (node.lineno, name, why) not in self.found.unclear:
            self.found.unclear.append((node.lineno, name, why))


def _super(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "super"


def _foreign(function: ast.expr) -> bool:
    """Whether a call is of a class, as callbacks that report are: by its name."""
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name[:1].isupper()


def _united(before: Parameter, when: When) -> When:
    """Either condition, as far as one about a single knob says it; else none."""
    if len(before.when) == len(when) == 1 and before.when[0][0] == when[0][0]:
        first, more = before.when[0][1], when[0][1]
        return ((when[0][0], (*first, *(v for v in more if not Choice(first).contains(v)))),)
    return before.when if before.when == when else ()


def _ends(body: Sequence[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[-1], (ast.Return, ast.Raise, ast.Continue, ast.Break))
