"""Samplers, pruners and executors as a study file spells them: a name, or {name: options}, nestable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpo.search.describe.source import Source
from hpo.search.studyfile.space import wrong_value
from hpo.search.studyfile.yaml12 import Node
from hpo.search.terms import registry
from hpo.search.terms.domain import Choice
from hpo.search.terms.errors import Mistake, did_you_mean
from hpo.search.terms.knobs import REQUIRED, Knob, Signature
from hpo.search.terms.space import Space
from hpo.search.terms.study import Plugin


def read_plugin(kind: str, node: Node, mistakes: list[Mistake], *, nested: bool = False) -> Plugin | None:
    """Read a plug-in and check its name and options against its file's ``make``, without importing it.

    ``pruner: {goal: val_loss}`` beside the pruner's own options is the loop's: which of several goals to prune by.
    """
    before = len(mistakes)
    if isinstance(node.value, str):
        name, place, options = node.value, node, None
    elif isinstance(node.value, dict) and len(node.value) == 1:
        name, options = next(iter(node.value.items()))
        place = node.keys[name]
    elif node.value is None and "none" in registry.names(kind):
        name, place, options = "none", node, None
    else:
        got = f"{len(node.value)} names" if isinstance(node.value, dict) else node.kind
        mistakes.append(node.mistake(f"{kind} is a name or {{name: options}}, got {got}", _indent_hint(kind, node)))
        return None
    known = known_names(kind)
    if name not in known:
        mistakes.append(place.mistake(f"no {kind} is called {name!r}", did_you_mean(name, known)))
        return None
    if options is not None and not isinstance(options.value, dict) and options.value is not None:
        mistakes.append(options.mistake(f"the options of {name} are a mapping, got {options.kind}"))
        return None
    signature = options_of(kind, name, nested=nested)
    values: dict[str, Any] = {}
    named = set[str]()
    if options is not None and isinstance(options.value, dict):
        for key, item in options.value.items():
            knob = signature.knobs.get(key)
            if knob is None and not signature.open:
                hint = did_you_mean(key, signature.knobs) or f"{name} has no options"
                mistakes.append(options.keys[key].mistake(f"{name} has no option {key!r}", hint))
                continue
            values[key] = _option(kind, item, knob, mistakes)
            named.add(key)
    clean = len(mistakes) == before  # a misspelt option is not a missing one
    for key, knob in signature.knobs.items():
        if knob.default is REQUIRED and key not in named and clean:
            example = "tpe" if kind == "sampler" else "median" if "plugin" in knob.kinds else "..."
            hint = f"write {{{name}: {{{key}: {example}}}}}"
            mistakes.append(place.mistake(f"{name} needs the option {key!r}", hint, about=key))
    goal = values.pop("goal", None) if kind == "pruner" and not nested else None
    return Plugin(name, values, goal) if len(mistakes) == before else None


def known_names(kind: str) -> list[str]:
    """Names a study may give; a policy stands where a sampler does, for it replaces sampler and pruner."""
    policies = [name for name in registry.names("policy") if name != "straight"] if kind == "sampler" else []
    return sorted([*registry.names(kind), *policies])


def file_kind(kind: str, name: str) -> str:
    """Folder a name belongs to: ``sampler: freeze-thaw`` names a policy, which replaces sampler and pruner."""
    return "policy" if kind == "sampler" and name not in registry.names("sampler") else kind


def options_of(kind: str, name: str, *, nested: bool = False) -> Signature:
    """Options of a plug-in; those of a pruner include the goal it prunes by, unless another pruner holds it."""
    source = Source(registry.path(file_kind(kind, name), name))
    found = source.signature("make", skip_first=True) or Signature()
    if kind == "pruner" and not nested:
        goal = Knob("goal", None, frozenset({"str", "none"}), doc="The goal to prune by, of several.")
        found = Signature({"goal": goal, **found.knobs}, found.open, found.doc)
    return found


def _indent_hint(kind: str, node: Node) -> str:
    """The likely meaning of ``{tpe:, n_startup_trials: 5}``: options that stand beside the name."""
    if isinstance(node.value, dict) and node.value:
        first, *rest = node.value
        if first in known_names(kind) and rest:
            return f"did you mean {{{first}: {{{rest[0]}: ...}}}}?"
    return ""


def _option(kind: str, item: Node, knob: Knob | None, mistakes: list[Mistake]) -> object:
    if knob is None:
        return item.plain()
    if "plugin" in knob.kinds and not (item.value is None and "none" in knob.kinds):
        return read_plugin(kind, item, mistakes, nested=True)
    wrong_value(knob, item, mistakes)
    return knob.whole(item.plain())


def check_requirements(
    kind: str,
    node: Node,
    plugin: Plugin,
    space: Space,
    fixed: Mapping[str, Any],
    metrics: Sequence[str],
    mistakes: list[Mistake],
) -> None:
    """Refuse a combination that cannot work; a file states what it needs in its ``REQUIRES``.

    ``space`` without a parameter and no ``metrics`` stand for what could not be read: nothing is held against them.
    """
    needs = {need: name for name, needs in _needs(kind, plugin) for need in needs}
    if len(space):
        endless = [parameter.name for parameter in space if parameter.domain.count() is None]
        if "finite" in needs:
            for name in endless:
                problem = f"{needs['finite']} cannot enumerate {name}, a continuous range without steps"
                mistakes.append(node.mistake(problem, f"give {name} a step, or list values with choice", about=name))
            if not endless and space.size(fixed) is None:
                problem = f"{needs['finite']} would have to enumerate more than a million recipes"
                mistakes.append(node.mistake(problem, "give ranges longer steps, or use tpe, qmc or random"))
        numbers = [p for p in space if not isinstance(p.domain, Choice) and p.domain.count() != 1]
        if "number" in needs and not numbers:
            problem = f"{needs['number']} searches numbers, and this space has choices only"
            mistakes.append(node.mistake(problem, "use tpe, or grid"))
        elif "number" in needs and all(p.when for p in numbers):
            problem = f"{needs['number']} needs a number without a condition, and every one here has one"
            mistakes.append(node.mistake(problem, "use tpe"))
    if "one goal" in needs and len(metrics) > 1:
        if kind == "sampler":
            problem = f"{needs['one goal']} searches for one goal, the study has {len(metrics)}"
            mistakes.append(node.mistake(problem, "use nsga2 or tpe"))
        elif plugin.goal is None:
            hint = f"write {{{plugin.name}: {{goal: {metrics[0]}}}}}"
            mistakes.append(node.mistake("pruning needs to know by which of the goals", hint))
    if plugin.goal is not None and metrics and plugin.goal not in metrics:
        place = _option_node(node, plugin.name, "goal")
        mistakes.append(place.mistake(f"the study has no goal {plugin.goal!r}", did_you_mean(plugin.goal, metrics)))


def _option_node(node: Node, name: str, option: str) -> Node:
    """Where a plug-in's option is written."""
    options = node.value[name].value if isinstance(node.value, dict) else None
    return options.get(option, node) if isinstance(options, dict) else node


def requires(kind: str, name: str) -> tuple[str, ...]:
    """What a plug-in needs, as its file says in ``REQUIRES``."""
    return _literal(kind, name, "REQUIRES")


def disclaims(kind: str, name: str) -> tuple[str, ...]:
    """What a plug-in does not promise, as its file says in ``DISCLAIMS``."""
    return _literal(kind, name, "DISCLAIMS")


def _literal(kind: str, name: str, constant: str) -> tuple[str, ...]:
    found = Source(registry.path(file_kind(kind, name), name)).constant(constant)
    return found if isinstance(found, tuple) else ()


def _needs(kind: str, plugin: Plugin) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What a plug-in and those inside it need, each with its name."""
    yield plugin.name, requires(kind, plugin.name)
    for value in plugin.options.values():
        if isinstance(value, Plugin):
            yield from _needs(kind, value)
