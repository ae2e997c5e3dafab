"""The ``search`` section of a study file: from YAML nodes to a Space, all mistakes collected."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from hpo.search.studyfile.yaml12 import Node
from hpo.search.terms.domain import Choice, Domain, Float, Int, Scalar
from hpo.search.terms.errors import Mistake, did_you_mean
from hpo.search.terms.knobs import Knob
from hpo.search.terms.space import Parameter, Space

DOMAINS = ("float", "int", "choice")
"""Keys that say what a knob ranges over."""

_KEYS = (*DOMAINS, "log", "step", "when")
_MOST = 1_000_000
_EXAMPLE = "write {float: [low, high]}, {int: [low, high]} or {choice: [a, b]}"


def read_space(section: Node, knob: Callable[[Node], Knob | None], mistakes: list[Mistake]) -> Space:
    """Read every parameter; ``knob`` looks a name up and reports an unknown one.

    Conditions may refer to parameters that come later in the file; the Space is put in order.
    """
    if not isinstance(section.value, dict):
        mistakes.append(section.mistake(f"search must be a mapping of knobs, got {section.kind}", _EXAMPLE))
        return Space(())
    if not section.value:
        mistakes.append(section.mistake("search names no knob", _EXAMPLE))
    parameters: dict[str, Parameter] = {}
    conditions: dict[str, Node] = {}
    for name, node in section.value.items():
        known = knob(section.keys[name])
        domain = _domain(name, node, known, mistakes)
        if isinstance(node.value, dict) and "when" in node.value:
            when = _when(node.value["when"], mistakes)
            conditions[name] = node.value["when"]
        else:
            when = ()
        if domain is not None:
            parameters[name] = Parameter(name, domain, when)
    return _order(parameters, conditions, mistakes)


def check_conditions(
    space: Space, section: Node, fixed: Mapping[str, Any], knobs: Mapping[str, Knob], typed: Collection[str],
    mistakes: list[Mistake],
) -> None:  # fmt: skip
    """Check that every condition names a knob that varies or is fixed, and a value it can have.

    A knob whose own range has a mistake is not held against the conditions that name it. One that is fixed on the
    command line, of ``typed``, may leave others without a place: they keep their defaults.
    """
    searched = section.value if isinstance(section.value, dict) else {}
    for name, node in searched.items():
        when = node.value.get("when") if isinstance(node.value, dict) else None
        if when is None or not isinstance(when.value, dict):
            continue
        for other, wanted in when.value.items():
            items = wanted.value if isinstance(wanted.value, list) else [wanted]
            if any(isinstance(item.value, (list, dict)) for item in items):
                continue
            if other in space.names():
                for item in items:
                    _reachable(name, other, item, space[other].domain, mistakes)
            elif other in fixed:
                if other not in typed and items and not _among(fixed[other], items):
                    problem = f"{other} is fixed to {fixed[other]!r}, so {name} never varies"
                    mistakes.append(wanted.mistake(problem, f"drop {name}, or search {other}"))
            elif other not in searched:
                problem = f"{name} depends on {other}, which is neither searched nor fixed"
                near = did_you_mean(other, [*searched, *fixed])
                hint = f"add it: fixed: {{{other}: ...}}" if other in knobs else near
                mistakes.append(when.keys[other].mistake(problem, hint))


def _among(value: Any, items: Sequence[Node]) -> bool:
    return Choice(tuple(item.plain() for item in items)).contains(value)


def _reachable(name: str, other: str, item: Node, domain: Domain, mistakes: list[Mistake]) -> None:
    if not domain.contains(item.plain()):
        values = domain.values if isinstance(domain, Choice) else ()
        hint = did_you_mean(str(item.value), map(str, values)) or f"outside the range of {other}"
        mistakes.append(item.mistake(f"{other} is never {item.value!r}, so {name} never varies", hint))


def _domain(name: str, node: Node, knob: Knob | None, mistakes: list[Mistake]) -> Domain | None:
    if not isinstance(node.value, dict):
        hint = _meant(node, knob) if isinstance(node.value, list) else "one value belongs under fixed"
        mistakes.append(node.mistake(f"{name} must be a range or a choice, got {node.kind}", hint))
        return None
    before = len(mistakes)
    unknown = [key for key in node.value if key not in _KEYS]
    for key in unknown:
        mistakes.append(node.keys[key].mistake(f"{name} has no setting {key!r}", did_you_mean(key, _KEYS)))
    named = [key for key in DOMAINS if key in node.value]
    if len(named) != 1:
        if named or not unknown:  # an unknown key is a misspelt one
            problem = "both " + " and ".join(named) if named else "neither float, int nor choice"
            mistakes.append(node.mistake(f"{name} is {problem}", _EXAMPLE))
        return None
    kind, body = named[0], node.value[named[0]]
    if kind == "choice":
        domain: Domain | None = _choice(name, node, body, knob, mistakes)
    else:
        domain = _range(name, kind, node.value, body, knob, mistakes)
    return domain if len(mistakes) == before else None


def _meant(node: Node, knob: Knob | None) -> str:
    """The likely meaning of a bare list: two numbers are the ends of a range, other values a choice."""
    values = node.plain()
    numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    kinds = knob.kinds if knob is not None else frozenset({"int", "float"})
    kind = "choice"
    if len(values) == len(numbers) == 2 and kinds & {"int", "float"}:
        kind = "float" if "float" in kinds and any(isinstance(value, float) for value in values) else "int"
        kind = "float" if "int" not in kinds else kind
    return f"write {{{kind}: [{', '.join(map(str, values[:6]))}]}}"


def _choice(name: str, node: Node, body: Node, knob: Knob | None, mistakes: list[Mistake]) -> Domain | None:
    for key in ("log", "step"):
        if key in node.keys:
            mistakes.append(node.keys[key].mistake(f"a choice has no {key}", "it belongs to float and int ranges"))
    if not isinstance(body.value, list) or not body.value:
        mistakes.append(body.mistake(f"{name} needs a list of values to choose from", "write {choice: [a, b]}"))
        return None
    seen: list[Scalar] = []
    for item in body.value:
        weights = isinstance(item.value, dict) and knob is not None and "weights" in knob.kinds
        if (isinstance(item.value, (list, dict)) and not weights) or (
            isinstance(item.value, float) and not math.isfinite(item.value)
        ):
            mistakes.append(item.mistake("a choice is a finite number, text, true, false or null"))
            continue
        value: Scalar = item.plain() if knob is None else knob.whole(item.plain())
        if Choice(tuple(seen)).contains(value):
            mistakes.append(item.mistake(f"{item.plain()!r} is listed twice"))
        seen.append(value)
        wrong_value(knob, item, mistakes)
    return Choice(tuple(seen))


def wrong_value(knob: Knob | None, item: Node, mistakes: list[Mistake]) -> None:
    """Report a value that the knob does not take."""
    problem = "" if knob is None else knob.problem(item.plain())
    if knob is not None and problem:
        mistakes.append(item.mistake(problem, did_you_mean(str(item.value), map(str, knob.options), listed=False)))


def _range(
    name: str, kind: str, settings: dict[str, Node], body: Node, knob: Knob | None, mistakes: list[Mistake]
) -> Domain | None:
    if not isinstance(body.value, list) or len(body.value) != 2:
        got = f"{len(body.value)} of them" if isinstance(body.value, list) else body.kind
        hint = f"write {{{kind}: [low, high]}}"
        if isinstance(body.value, list) and len(body.value) > 2:
            hint += f", or {{choice: [{', '.join(str(item.plain()) for item in body.value[:6])}]}}"
        mistakes.append(body.mistake(f"{name} needs two ends, got {got}", hint))
        return None
    if knob is not None and knob.kinds and not knob.kinds & {"int", "float"}:
        mistakes.append(body.mistake(f"{name} takes {knob.expects}, not a range", "write {choice: [...]}"))
        return None
    ends = [_end(kind, item, knob, mistakes) for item in body.value]
    low, high = ends
    if low is None or high is None:
        return None
    if knob is not None and kind == "float" and knob.kinds and "float" not in knob.kinds:
        mistakes.append(body.mistake(f"{name} takes whole numbers only", f"write {{int: [{low:g}, {high:g}]}}"))
        return None
    if low >= high:
        hint = f"one value belongs under fixed: {name}: {low}" if low == high else f"write [{high}, {low}]"
        mistakes.append(body.mistake(f"{name}: the low end {low} is not below the high end {high}", hint))
        return None
    if not math.isfinite(float(high) - float(low)):
        mistakes.append(body.mistake(f"{name}: the range is too wide for a number", "use a smaller one, or log: true"))
        return None
    log = settings["log"].value if "log" in settings else False
    if not isinstance(log, bool):
        mistakes.append(settings["log"].mistake(f"log is true or false, got {log!r}"))
        return None
    if log and low <= 0:
        hint = "start at 1, or drop log" if kind == "int" else "start at 1e-6, or drop log"
        mistakes.append(body.value[0].mistake(f"a log range must start above 0, got {low}", hint))
        return None
    for end, item in zip((low, high), body.value, strict=True):
        if knob is not None and knob.limits is not None and end not in knob.limits:
            mistakes.append(item.mistake(f"{name} must be {knob.limits}, got {end!r}"))
    step = _step(name, kind, settings["step"], low, high, log, mistakes) if "step" in settings else None
    if kind == "int":
        return Int(int(low), int(high), log, int(step or 1))
    return Float(float(low), float(high), log, None if step is None else float(step))


def _end(kind: str, item: Node, knob: Knob | None, mistakes: list[Mistake]) -> float | None:
    value = item.value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        shown = repr(item.plain()) if not isinstance(value, (list, dict)) else item.kind
        mistakes.append(item.mistake(f"an end of a range must be a finite number, got {shown}"))
        return None
    if kind == "int" and value != int(value):
        fractions = knob is None or not knob.kinds or "float" in knob.kinds
        hint = "write {float: [low, high]}" if fractions else ""
        mistakes.append(item.mistake(f"an int range has whole ends, got {value}", hint))
        return None
    if kind == "int" and abs(value) > 2**53:
        mistakes.append(item.mistake("a whole number beyond 2^53 cannot be searched"))
        return None
    return value


def _step(
    name: str, kind: str, place: Node, low: float, high: float, log: bool, mistakes: list[Mistake]
) -> float | None:
    step = place.value
    problem, hint = "", ""
    if isinstance(step, bool) or not isinstance(step, (int, float)) or not step > 0 or not math.isfinite(step):
        problem = f"step must be a number above 0, got {place.plain()!r}"
    elif kind == "int" and step != int(step):
        problem = f"the step of an int range is whole, got {step}"
    elif log:
        problem, hint = "a log range has no step", "drop one of the two, or list values with choice"
    else:
        values = (
            Int(int(low), int(high), step=int(step)) if kind == "int" else Float(float(low), float(high), step=step)
        )
        count = values.count() or 0
        if count < 2:
            problem = f"the step {step} is longer than the range of {name}"
        elif count > _MOST + 1:
            problem, hint = f"{name} has more than a million steps", "leave the step out"
        elif isinstance(values, Float) and values.steps is not None and not values.steps.distinct:
            problem = f"near {max(low, high, key=abs)} numbers are further apart than the step {step}"
            hint = "search the distance from the low end, or take int"
        else:
            return step
    mistakes.append(place.mistake(problem, hint))
    return None


def _when(node: Node, mistakes: list[Mistake]) -> tuple[tuple[str, tuple[Scalar, ...]], ...]:
    if not isinstance(node.value, dict) or not node.value:
        mistakes.append(node.mistake("when must name a knob and its values", "write when: {optimizer: sgd}"))
        return ()
    found = []
    for other, wanted in node.value.items():
        items = wanted.value if isinstance(wanted.value, list) else [wanted]
        if not items or any(isinstance(item.value, (list, dict)) for item in items):
            hint = f"write when: {{{other}: [a, b]}}"
            mistakes.append(wanted.mistake(f"when {other}: needs a value or a list of values", hint))
            continue
        found.append((other, tuple(item.plain() for item in items)))
    return tuple(found)


def _order(parameters: dict[str, Parameter], conditions: dict[str, Node], mistakes: list[Mistake]) -> Space:
    """Conditions before what they govern; one mistake for each circle."""
    ready: dict[str, Parameter] = {}
    waiting = dict(parameters)
    while waiting:
        free = [name for name, p in waiting.items() if not any(other in waiting for other, _ in p.when)]
        if not free:
            path = [next(iter(waiting))]
            while path.count(path[-1]) == 1:
                path.append(next(other for other, _ in waiting[path[-1]].when if other in waiting))
            circle = path[path.index(path[-1]) :]
            place = min((conditions[name] for name in circle), key=lambda node: (node.line, node.column))
            names = " -> ".join(circle)
            mistakes.append(place.mistake(f"these conditions go round in a circle: {names}", "drop one of them"))
            free = circle[:-1]
        for name in free:
            ready[name] = waiting.pop(name)
    return Space(tuple(ready.values()))
