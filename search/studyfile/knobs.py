"""The ``objective``, ``search``, ``fixed`` and ``data`` of a study file, held against what the objective takes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import fields
from itertools import product
from pathlib import Path
from typing import Any

from hpo.search.describe.horizon import fewest_points
from hpo.search.describe.objective import Objective, describe
from hpo.search.describe.program import WHOLE
from hpo.search.studyfile.programs import PROGRAMS, read_program
from hpo.search.studyfile.space import DOMAINS, check_conditions, read_space, wrong_value
from hpo.search.studyfile.yaml12 import Node
from hpo.search.terms import registry
from hpo.search.terms.domain import Choice
from hpo.search.terms.errors import HpoError, Mistake, UserError, did_you_mean, nearest
from hpo.search.terms.knobs import REQUIRED, Knob
from hpo.search.terms.space import Parameter, Space

_LOOKS = 64

_SEED = Knob("seed", 0, frozenset({"int"}))


def read_objective(root: Node, node: Node | None, folder: Path, mistakes: list[Mistake]) -> Objective | None:
    """The objective; None with a mistake where there is none."""
    if node is None:
        hint = "objective: mlp, or objective: ./my_model.py"
        mistakes.append(root.mistake("the study names no objective", hint, about="objective"))
        return None
    reference = node.value
    if isinstance(reference, dict) and not reference.keys().isdisjoint(PROGRAMS):
        program = read_program(node, mistakes)
        if program is None:
            return None
        node, reference = program
    if not isinstance(reference, str) or not reference.strip():
        got = f"'{node.value}'" if node.value == "" else node.kind
        hint = "a name, a file such as ./my_model.py, {command: ...}, or {script: train.py}"
        mistakes.append(node.mistake(f"objective must be text, got {got}", hint))
        return None
    try:
        objective = describe(reference.strip(), folder)
    except HpoError as error:
        problem, _, hint = str(error).partition(": ")
        mistakes.append(node.mistake(problem, hint))
        return None
    problem = _takes_none(root, objective)
    if problem:
        hint = "write def train(*, learning_rate: float = 1e-3), or name one parameter recipe"
        mistakes.append(node.mistake(problem, hint))
        return None
    return objective


def _takes_none(root: Node, objective: Objective) -> str:
    """What to say of a function that takes no knobs, as ``main(args)``; empty where it takes any of the study's."""
    assert isinstance(root.value, dict)
    signature = objective.signature
    sections = [root.value[key].value for key in ("search", "fixed") if key in root.value]
    given = {str(name) for section in sections if isinstance(section, dict) for name in section} - {"seed"}
    if signature.open or objective.trained_by_suite or objective.program is not None or not given:
        return ""
    names = [name for name in signature.knobs if name not in objective.filled]
    if given & set(names) or any(did_you_mean(name, names).startswith("did you mean") for name in given):
        return ""
    needed = [name for name in names if signature.knobs[name].default is REQUIRED]
    if names and not needed and len(given) < 2:
        return ""
    shown = ", ".join(names)
    return f"{objective.function}({shown}) of {objective.label} has no knobs that the study names"


class Knobs:
    """Reads ``search`` and ``fixed`` against the knobs of the objective."""

    def __init__(
        self,
        root: Node,
        objective: Objective | None,
        mistakes: list[Mistake],
        *,
        metrics: Sequence[str] = (),
        complete: bool = False,
    ) -> None:
        """Read them, for goals with these metrics; where the recipe is ``complete`` nothing needs to be searched."""
        assert isinstance(root.value, dict)
        self._complete = complete
        self.root, self.objective, self.mistakes = root, objective, mistakes
        self._search, self._fixed = root.value.get("search"), root.value.get("fixed")
        self._meant: set[str] = set()
        self.fixed = self._read_fixed()
        self._own: list[tuple[dict[str, str], set[str] | None]] = []  # knobs by estimators, None where unknown
        self.known, self.open = self._read_known()
        self._check_fixed()
        self.space = self._read_space()
        self._check_required()
        self.notes: list[str] = []
        if objective is not None and not mistakes:
            self._settle(objective)
            self._name(objective, metrics)
        if objective is not None and objective.trained_by_suite and not mistakes:
            self._check_training()

    @property
    def points(self) -> int | None:
        """Fewest points of a complete trial, None when unknown."""
        if self.objective is not None and self.objective.trained_by_suite:
            try:
                least = fewest_points(self.objective, self.space, self.fixed)
            except (TypeError, ValueError, ArithmeticError):
                return None  # a value that is mistaken has its own message
            return least if isinstance(least, int) and not isinstance(least, bool) else None
        if "epochs" in self.space.names():
            domain = self.space["epochs"].domain
            values = domain.values if isinstance(domain, Choice) else [domain.low]
            whole = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
            return int(min(whole)) if whole else None
        default = self.known["epochs"].default if "epochs" in self.known else None
        value = self.fixed.get("epochs", default)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def _names(self) -> set[str]:
        """Every knob that the study gives a value or a range, however mistaken."""
        sections = (self._search, self._fixed)
        return {name for node in sections if node is not None and isinstance(node.value, dict) for name in node.value}

    def _read_fixed(self) -> dict[str, Any]:
        node = self._fixed
        if node is None or node.value is None:
            return {}
        if not isinstance(node.value, dict):
            problem = f"fixed must be a mapping of knobs, got {node.kind}"
            self.mistakes.append(node.mistake(problem, "fixed: {epochs: 30}"))
            return {}
        return {name: item.plain() for name, item in node.value.items()}

    def _read_known(self) -> tuple[dict[str, Knob], bool]:
        """Every knob of which anything is known, and whether there may be others."""
        if self.objective is None:
            return {}, True
        signature = self.objective.signature
        filled = [name for name in self.objective.filled if name != "seed"]
        knobs = {name: knob for name, knob in signature.knobs.items() if name not in filled}
        if self._complete:
            knobs.setdefault("seed", _SEED)  # a trial has one, whether or not its objective draws anything
        if not signature.open:
            return knobs, False
        names = self.objective.estimators()
        if not names:
            further = self.objective.open_knobs(self.fixed)
            return {**(further or {}), **knobs}, further is None
        chosen = {knob: self._named(knob) for knob in ("estimator", "base_estimator")}
        unknown = [n for nodes in chosen.values() for n in nodes if "." not in str(n.value) and n.value not in names]
        for node in unknown:
            hint = did_you_mean(str(node.value), names)
            self.mistakes.append(node.mistake(f"no estimator is called {node.plain()!r}", hint))
        further = {} if chosen["estimator"] and not unknown else None
        bases: list[dict[str, str]] = [{"base_estimator": str(node.value)} for node in chosen["base_estimator"]] or [{}]
        for node, base in product(chosen["estimator"] if not unknown else (), bases):
            together = {"estimator": str(node.value), **base}
            own = self.objective.open_knobs({**self.fixed, **together})
            further = None if own is None or further is None else {**own, **further}
            self._own.append((together, None if own is None else {*own, *knobs}))
        return {**(further or {}), **knobs}, further is None

    def _named(self, knob: str) -> list[Node]:
        """Texts that a knob takes, fixed or searched."""
        found = []
        for section in (self._search, self._fixed):
            node = section.value.get(knob) if section is not None and isinstance(section.value, dict) else None
            choice = node.value.get("choice") if node is not None and isinstance(node.value, dict) else None
            listed = choice.value if choice is not None and isinstance(choice.value, list) else [node]
            found += [item for item in listed if item is not None and isinstance(item.value, str)]
        return found

    def _read_space(self) -> Space:
        if self._search is None and self._complete:
            return Space(())
        if self._search is None:
            hint = "search: {learning_rate: {float: [1e-4, 1e-1], log: true}}"
            self.mistakes.append(self.root.mistake("the study searches nothing", hint, about="search"))
            return Space(())
        space = read_space(self._search, self._searched, self.mistakes)
        check_conditions(space, self._search, self.fixed, self.known, self._typed(), self.mistakes)
        for parameter in space:
            self._check_estimators(parameter, self._search.keys[parameter.name])
        return space

    def _check_estimators(self, parameter: Parameter, place: Node) -> None:
        """Refuse a knob that varies for a searched estimator, or base estimator, which does not have it."""

        def reached(names: dict[str, str]) -> bool:
            return all(Choice(values).contains(names[knob]) for knob, values in parameter.when if knob in names)

        known = [(names, parameter.name in own) for names, own in self._own if own is not None]
        without = [names for names, has in known if not has and reached(names)]
        having = [names for names, has in known if has]
        if without and having:
            order = sorted(having[0], reverse="__" not in parameter.name)  # whose parameter it is comes first
            knob = next(knob for knob in order if having[0][knob] != without[0][knob])
            problem = f"{without[0][knob]} has no parameter {parameter.name.rpartition('__')[2]!r}"
            self.mistakes.append(place.mistake(problem, f"write when: {{{knob}: {having[0][knob]}}}"))

    def _searched(self, place: Node) -> Knob | None:
        name = str(place.value)
        if name == "seed":
            hint = "the winner is confirmed with fresh seeds; see confirm"
            self.mistakes.append(place.mistake("the seed is not searched", hint))
        elif name in self.fixed:
            self.mistakes.append(place.mistake(f"{name} is both searched and fixed", "drop one of the two"))
        else:
            self._known_or_wrong(place, name)
        return self.known.get(name)

    def _known_or_wrong(self, place: Node, name: str) -> None:
        if self.open or name in self.known:
            return
        assert self.objective is not None
        hint = did_you_mean(name, self.known)
        if name in self.objective.filled:
            hint = "give it as a key of the study, beside search" if name == "data" else "the suite fills it in"
        elif name.startswith("estimator__") and not self._named("base_estimator"):
            hint = "a base estimator's parameters need its name: fixed: {base_estimator: ...}"
        elif (meant := nearest(name, self.known)) is not None:
            self._meant.add(meant)
        self.mistakes.append(place.mistake(f"{self.objective.label} has no knob {name!r}", hint))

    def _check_fixed(self) -> None:
        if self._fixed is None or not isinstance(self._fixed.value, dict):
            return
        for name, item in self._fixed.value.items():
            knob = self.known.get(name)
            if isinstance(item.value, dict) and set(item.value) & set(DOMAINS):
                self.mistakes.append(item.mistake(f"{name} is fixed to a range", f"move {name} under search"))
                continue
            if any(isinstance(value, float) and not math.isfinite(value) for value in _leaves(item)):
                self.mistakes.append(item.mistake("a knob must be a finite number"))
                continue
            self._known_or_wrong(self._fixed.keys[name], name)
            wrong_value(knob, item, self.mistakes)
            if knob is not None:
                self.fixed[name] = knob.whole(self.fixed[name])

    def _settle(self, objective: Objective) -> None:
        """Fix what makes trials comparable, or refuse what cannot be compared."""
        settled = objective.settle(self.fixed, self.space)
        self.fixed |= settled.fixed
        self.notes += [settled.note] if settled.note else []
        if settled.at:
            given = {**(self._search.keys if self._search else {}), **(self._fixed.keys if self._fixed else {})}
            self.mistakes.append(given.get(settled.at, self.root).mistake(settled.problem, settled.hint))

    def _name(self, objective: Objective, metrics: Sequence[str]) -> None:
        """Let ``scoring`` name the goals' metrics that the objective yields only then, or tunes a threshold for."""
        if "scoring" not in self.known or "scoring" in self.space.names():
            return
        named = str(self.fixed.get("scoring") or "")
        tunes = "threshold" in self.fixed or "threshold" in self.space.names()
        wanted = [
            metric.removeprefix("val_")
            for metric in metrics
            if metric in objective.named and (tunes or metric not in objective.metrics)
        ]
        further = [metric for metric in wanted if metric not in re.split(r"[\s,]+", named)]
        if further:
            self.fixed["scoring"] = ", ".join(filter(None, [named, *further]))

    def _typed(self) -> set[str]:
        """Knobs that the command line fixes."""
        fixed = self._fixed.value if self._fixed is not None and isinstance(self._fixed.value, dict) else {}
        return {name for name, node in fixed.items() if node.source.startswith("--")}

    def _check_training(self) -> None:
        """Refuse knobs of training that contradict one another at every point of the space that is looked at."""
        if self._search is not None and "eval_every" in self.space.names():
            problem = "eval_every says where the points of a curve stand, and trials are compared point by point"
            self.mistakes.append(self._search.keys["eval_every"].mistake(problem, "put it under fixed, with one value"))
        recipes = registry.part("trainer").TrainingRecipe
        problem = ""
        for point in self.space.spread(_LOOKS, self.fixed):
            try:
                recipe = {**self.fixed, **point}
                recipes.take(recipe)
                for kind in self.objective.recipes() if self.objective is not None else ():
                    kind(**{field.name: recipe[field.name] for field in fields(kind) if field.name in recipe})
            except UserError as error:
                problem = problem or str(error)
            else:
                return
        given = {**(self._search.keys if self._search else {}), **(self._fixed.keys if self._fixed else {})}
        named = [name for name in given if name in problem.replace(":", " ").split()]
        self.mistakes.append((given[named[0]] if named else self.root).mistake(problem))

    def _check_required(self) -> None:
        if self.objective is None:
            return
        place = _objective_node(self.root)
        given = self._names() | self._meant
        for name, knob in self.objective.signature.knobs.items():
            if knob.default is REQUIRED and name not in given and name not in self.objective.filled:
                hint = f"add it: fixed: {{{name}: ...}}"
                self.mistakes.append(place.mistake(f"the knob {name!r} has no default", hint, about=name))
        for name in self.objective.placeholders:
            if name not in given and name not in ("seed", WHOLE):
                problem = f"the command uses {{{name}}}, which the study does not set"
                hint = did_you_mean(name, given)
                self.mistakes.append(place.mistake(problem, hint, about=name))


def check_recipe(about: Node, recipe: Node, objective: Objective, mistakes: list[Mistake]) -> dict[str, Any]:
    """Hold a complete recipe against what the objective takes; ``about`` is the mapping that names the objective."""
    assert isinstance(about.value, dict)
    sections, keys = {"objective": about.value["objective"], "fixed": recipe}, {"objective": about.keys["objective"]}
    root = Node(sections, about.source, about.text, about.line, about.column, about.width, keys)
    return Knobs(root, objective, mistakes, complete=True).fixed


def _objective_node(root: Node) -> Node:
    """The objective as the study names it, the text of a command if it is one."""
    assert isinstance(root.value, dict)
    node = root.value["objective"]
    named = [node.value[key] for key in PROGRAMS if key in node.value] if isinstance(node.value, dict) else []
    return named[0] if named else node


def _unlike(objective: Objective) -> str:
    if objective.text:
        return f"{objective.label} trains on text: write {{text: {{path: FILE}}}}, or stdlib"
    others = [name for name in registry.names("objective") if describe(name, Path()).text]
    return f"{objective.label} trains on rows, and this is text, which {' and '.join(others)} train on"


def read_data(root: Node, objective: Objective | None, folder: Path, mistakes: list[Mistake]) -> Any:
    """The data, with absolute paths; checked where the objective is one of the suite's."""
    assert isinstance(root.value, dict)
    node = root.value.get("data")
    if node is None or node.value is None or objective is None:
        return None
    if objective.kind == "command":
        problem, hint = "a command takes no data", "write it into the command, or under fixed"
        mistakes.append(root.keys["data"].mistake(problem, hint))
        return None
    if not objective.takes_data:
        problem, hint = f"{objective.label} takes no data", "give its train a parameter named data"
        mistakes.append(root.keys["data"].mistake(problem, hint))
        return None
    if objective.kind != "builtin":
        return node.plain()
    data, spec = registry.part("data"), node.plain()
    if node.source.startswith("--"):  # what is typed means what it means where it is typed
        folder = Path.cwd()
    try:
        problems = data.check(spec, folder)
        if not problems and data.is_text(spec) != objective.text:
            problems = [_unlike(objective)]
        resolved = data.resolve(spec, folder)
        if not problems and (only := data.objectives_of(resolved)) and objective.reference not in only:
            problems = [
                f"{objective.label} trains on rows, and this is what objective: {' or '.join(only)} starts from"
            ]
    except (OSError, RuntimeError) as error:  # a path too long, a home folder of nobody
        problems, resolved = [f"data cannot be read: {getattr(error, 'strerror', None) or error}"], None
    misspelt = [problem for problem in problems if "did you mean" in problem]
    for problem in problems:
        if problem.startswith("data ") and " needs the option " in problem and misspelt:
            continue  # it is there, misspelt
        message, _, hint = (
            problem.rpartition(": ") if "did you mean" in problem or "one of: " in problem else (problem, "", "")
        )
        mistakes.append(_option_of(node, problem).mistake(message, hint, about=problem))
    return resolved


def _option_of(node: Node, problem: str) -> Node:
    """What a problem is about: the option that it names, the value that it quotes, else the kind of the data."""
    if not isinstance(node.value, dict) or len(node.value) != 1:
        return node
    ((kind, options),) = node.value.items()
    if not isinstance(options.value, dict) or f"{kind!r}" in problem:
        return options if isinstance(options.value, list) else node.keys[kind]
    named = [name for name in options.keys if f"{name!r}" in problem or f": {name} must be" in problem]
    if named:  # the first: those that follow are what may be meant
        return options.keys[min(named, key=problem.index)]
    texts = {name: item for name, item in options.value.items() if isinstance(item.value, str) and item.value}
    quoted = [item for item in texts.values() if str(item.value).rpartition("/")[2] in problem]
    if quoted:
        return quoted[0]
    words = problem.replace(":", " ").split()
    mentioned = [options.keys[name] for name in options.keys if name in words]
    return mentioned[0] if mentioned else node.keys[kind]


def _leaves(node: Node) -> list[Any]:
    if isinstance(node.value, (dict, list)):
        items = node.value.values() if isinstance(node.value, dict) else node.value
        return [leaf for item in items for leaf in _leaves(item)]
    return [node.value]
