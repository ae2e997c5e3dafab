"""An exported recipe read back: every mistake in it is shown at its place, as those of study files are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpo.search.describe.objective import Objective, describe
from hpo.search.report import text
from hpo.search.store.names import model_folder
from hpo.search.studyfile.goals import read_goals
from hpo.search.studyfile.knobs import check_recipe, read_data
from hpo.search.studyfile.metric import read_metric
from hpo.search.studyfile.start import read_start
from hpo.search.studyfile.yaml12 import Node, parse
from hpo.search.terms.ensemble import Ensemble
from hpo.search.terms.errors import HpoError, Mistake, StudyFileError, UserError
from hpo.search.terms.job import Task
from hpo.search.terms.recipe import digest
from hpo.search.terms.study import Goal

_LARGEST = 2**63 - 1
_EXAMPLE = "write one with: hpo export --study NAME --output {}"


@dataclass(frozen=True)
class RecipeFile:
    """One exported recipe.

    Attributes:
        recipe: every knob value, its seed included.
        task: what it trains.
        objective: of the task, as its source describes it.
        study: name of the study that it comes from.
        goals: as in the study file.
        curve: (step, value) pairs recorded for this recipe and seed; empty when not known.
        about: everything that the file says of where the recipe comes from.
        origin: digest of the recipe that was exported; None in files of earlier versions.
        ensemble: the combination that won over the recipe alone; None where none did, and for another than the first.
        edited: says how the recipe differs from that one; empty where it does not.
    """

    recipe: Mapping[str, Any]
    task: Task
    objective: Objective
    study: str
    goals: tuple[Goal, ...]
    curve: tuple[tuple[int, float], ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    origin: str | None = None
    edited: str = ""
    ensemble: Ensemble | None = None

    @property
    def folder(self) -> str:
        """A folder's name made from the study's, which names a place in the working directory and nowhere else.

        >>> RecipeFile({}, Task(""), describe("mlp", Path()), "../../my study", ()).folder
        'my-study-model'
        """
        return model_folder(self.study)


def load(path: Path, pick: int = 1, *, data: Path | None = None) -> RecipeFile:
    """Read an exported file.

    Args:
        path: the file.
        pick: counts from 1 through the winner and the others.
        data: another file of the same columns to train on.

    Raises:
        UserError: it cannot be read, or holds fewer recipes.
        StudyFileError: mistakes in it, all of them.
    """
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"there is no file {path}; {_EXAMPLE.format(path)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    root = parse(content, str(path))
    parts = root.value if isinstance(root.value, dict) else {}
    if any(key not in parts or not isinstance(parts[key].value, dict) for key in ("recipe", "about")):
        needed = "not an exported recipe: it needs the keys recipe and about, as hpo export writes them"
        raise StudyFileError([root.mistake(f"this is {needed}")])
    return _Reading(path, root, pick).file(data)


class _Reading:
    """One pass over the file; mistakes pile up."""

    def __init__(self, path: Path, root: Node, pick: int) -> None:
        assert isinstance(root.value, dict)
        self.path, self.root, self.pick = path, root, pick
        self.mistakes: list[Mistake] = []
        self.about = root.value["about"]
        self._origin = self._written = self.about

    def file(self, data: Path | None) -> RecipeFile:
        recipe = self._recipe()
        folder = self._folder()
        objective = self._objective(folder)
        known = {
            name: self._whole(name, low) for name, low in (("split_seed", 0), ("memory_limit", 1), ("processes", 1))
        }
        study = self._text("study") or self.path.stem
        metric, objective = read_metric(self._at("metric"), objective, folder, self.mistakes)
        goals = read_goals(self.about, self._at("goal"), objective, self.mistakes, {})
        curve = self._curve() if self.pick == 1 else ()
        values = check_recipe(self.about, recipe, objective, self.mistakes) if objective is not None else {}
        written, edited = self._edited()
        ensemble = self._ensemble(objective) if self.pick == 1 and objective is not None else None
        spec = self._data(objective, folder, data)
        start = read_start(self._at("start_from"), objective, folder, self.mistakes)
        for key in ("versions", "machine"):
            node = self._at(key)
            if node is not None and not isinstance(node.value, (dict, type(None))):
                self._wrong(node, f"{key} must be a mapping, got {node.kind}")
        if self.mistakes or objective is None:
            raise StudyFileError(self.mistakes)
        task = Task(
            objective.reference, spec, known["split_seed"] or 0, str(folder), memory_limit=known["memory_limit"],
            processes=known["processes"] or 1, start_from=start, metric=metric,
            metrics=tuple(goal.metric for goal in goals), directions=tuple(goal.direction for goal in goals),
        )  # fmt: skip
        values = {"seed": 0, **values}
        about = self.about.plain()
        return RecipeFile(values, task, objective, study, tuple(goals), curve, about, written, edited, ensemble)

    def _at(self, key: str) -> Node | None:
        assert isinstance(self.about.value, dict)
        return self.about.value.get(key)

    def _wrong(self, node: Node, message: str, hint: str = "") -> None:
        self.mistakes.append(node.mistake(message, hint))

    def _recipe(self) -> Node:
        """The recipe that was picked; of another than the winner, with the winner's seed where it has none."""
        assert isinstance(self.root.value, dict)
        first = self.root.value["recipe"]
        listed = next((self.root.value[key] for key in ("others", "front") if key in self.root.value), None)
        others = [] if listed is None or listed.value is None else listed.value
        if not isinstance(others, list):
            assert listed is not None
            raise StudyFileError([listed.mistake(f"further recipes are a list, got {listed.kind}")])
        if not 1 <= self.pick <= 1 + len(others):
            raise UserError(f"{self.path} holds {1 + len(others)} recipes; --pick {self.pick} is none of them")
        if self.pick == 1:
            self._origin, self._written = self.about, first
            return first
        entry = others[self.pick - 2]
        found = entry.value.get("recipe") if isinstance(entry.value, dict) else None
        if found is None or not isinstance(found.value, dict):
            raise StudyFileError([entry.mistake("a further recipe is a mapping with the key recipe")])
        self._origin, self._written = entry, found
        assert isinstance(first.value, dict)
        seed = {"seed": first.value["seed"]} if "seed" in first.value else {}
        keys = {name: first.keys[name] for name in seed}
        return Node(
            {**seed, **found.value}, found.source, found.text, found.line, found.column, found.width,
            {**keys, **found.keys},
        )  # fmt: skip

    def _edited(self) -> tuple[str | None, str]:
        """Digest of the recipe that was exported, and in words how the one in the file differs from it."""
        assert isinstance(self._origin.value, dict)
        known = {name: item.plain() for name, item in self._origin.value.items() if name in ("digest", "recipe")}
        written, values = known.get("digest"), self._written.plain()
        for name, kind in (("digest", str), ("recipe", dict)):
            if not isinstance(known.get(name), (kind, type(None))):
                item = self._origin.value[name]
                self._wrong(item, f"{name} must be {'text' if kind is str else 'a mapping'}, got {item.kind}")
                return None, ""
        try:
            now, before = digest(values), known.get("recipe") if self.pick == 1 else None
            if written is None or now == written:
                return written, ""
            told = changes(before, values) if before is not None and digest(before) == written else ""
        except TypeError:  # no recipe at all, which is told already
            return written, ""
        if before == values:  # 1 for 1.0
            return written, ""
        return written, (
            f"the recipe is not the one that was exported (its digest was {written} and is {now})"
            + (f": {told}" if told else "")
            + "; the recorded curve and scores are those of the exported one"
        )

    def _ensemble(self, objective: Objective) -> Ensemble | None:
        assert isinstance(self.root.value, dict)
        node = self.root.value.get("ensemble")
        if node is None or node.value is None:
            return None
        try:
            found = Ensemble.read({"options": (), **node.plain()})
        except (KeyError, TypeError, ValueError, AttributeError):
            found = None
        if found is None or not found.members or found.combination.get("models") != len(found.members):
            self._wrong(node, "this is no combination of models as hpo export writes it", "export the study again")
            return None
        members: Any = node.value
        for member in members["members"].value:
            check_recipe(self.about, member.value["recipe"], objective, self.mistakes)
        return found

    def _folder(self) -> Path:
        """The study's folder; where the file was taken to another machine, its own: the objective lies beside it."""
        named = self._text("folder")
        return Path(named) if named and os.path.isdir(named) else self.path.parent.resolve()

    def _objective(self, folder: Path) -> Objective | None:
        node = self._at("objective")
        if node is None or not isinstance(node.value, str) or not node.value.strip():
            self._wrong(node or self.about, "about must name an objective", "objective: mlp, or ./my_model.py")
            return None
        reference = node.value
        target, separator, function = reference.partition(":")
        beside = self.path.parent / os.path.basename(target)
        if target.endswith(".py") and not os.path.isfile(folder / target) and os.path.isfile(beside):
            reference = f"{beside.resolve()}{separator}{function}"
        try:
            return describe(reference, folder)
        except HpoError as error:
            hint = f"put it beside {self.path.name}" if target.endswith(".py") else ""
            self._wrong(node, str(error), hint)
            return None

    def _data(self, objective: Objective | None, folder: Path, other: Path | None) -> Any:
        node = self._at("data")
        if other is None:
            return read_data(self.about, objective, folder, self.mistakes)
        if not other.is_file():
            raise UserError(f"there is no file {other}")
        spec: Any = node.plain() if node is not None else None
        for kind, options in spec.items() if isinstance(spec, dict) and len(spec) == 1 else ():
            if isinstance(options, dict) and "path" in options:
                return {kind: {**options, "path": str(other.resolve())}}
        own = spec or "its objective"
        raise UserError(f"this recipe was found on {own}'s own data, not on a file; --data cannot replace it")

    def _text(self, key: str) -> str | None:
        node = self._at(key)
        if node is None or node.value is None:
            return None
        if not isinstance(node.value, str):
            self._wrong(node, f"{key} must be text, got {node.kind}")
            return None
        return node.value

    def _whole(self, key: str, low: int) -> int | None:
        node = self._at(key)
        if node is None or node.value is None:
            return None
        if isinstance(node.value, bool) or not isinstance(node.value, int) or not low <= node.value <= _LARGEST:
            self._wrong(node, f"{key} must be a whole number from {low} on, got {node.kind}")
            return None
        return node.value

    def _curve(self) -> tuple[tuple[int, float], ...]:
        node = self._at("curve")
        if node is None or node.value is None:
            return ()
        points = node.plain()
        if not isinstance(points, list) or not all(map(_point, points)):
            self._wrong(node, "curve must be a list of pairs of step and value", "[[1, 0.5], [2, 0.25]]")
            return ()
        return tuple((step, float(value)) for step, value in points)


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Which knobs of a recipe were changed, and how.

    >>> changes({"x": 0.5, "y": 1, "z": None}, {"x": 0.25, "y": 1, "w": "a"})
    'x 0.5 is 0.25 now; z is gone; w is new'
    """
    told = [
        f"{name} {text.number(value)} is {text.number(now[name])} now" if name in now else f"{name} is gone"
        for name, value in before.items()
        if name not in now or now[name] != value
    ]
    return "; ".join([*told, *(f"{name} is new" for name in now if name not in before)])


def _point(pair: Any) -> bool:
    numbers = isinstance(pair, list) and len(pair) == 2 and not any(isinstance(item, bool) for item in pair)
    return numbers and isinstance(pair[0], int) and isinstance(pair[1], (int, float)) and abs(pair[1]) < 1e309
