"""From a study file to a Study: every mistake found in one pass, each with its place and the likely meaning.

Imports neither optuna nor torch nor sklearn and writes nothing; ``hpo check`` adds what only building tells, in another
process. One file reads each part: ``yaml12`` the text, ``overrides`` the command line's settings, ``knobs`` objective,
knobs and data, ``space`` ranges and conditions, ``goals`` goals, ``budget`` budget and confirm, ``plugins`` samplers,
pruners and executors, ``checkpoints`` where they are kept, ``warmstart`` prior and warm start,
``start`` trained models that it names. ``table`` and ``optunascript`` make studies of other files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpo.search.describe.objective import Objective
from hpo.search.store.location import parse_location
from hpo.search.store.names import CONFIRM, problem_with, shown
from hpo.search.studyfile.budget import LIMITS, TRIALS, budget_of, check_limits, read_confirm, read_limits
from hpo.search.studyfile.checkpoints import read_checkpoints
from hpo.search.studyfile.devices import MOST_PROCESSES, check_executor, check_processes, read_device, read_devices
from hpo.search.studyfile.goals import read_goals
from hpo.search.studyfile.knobs import Knobs, read_data, read_objective
from hpo.search.studyfile.metric import of_model, read_metric
from hpo.search.studyfile.optunascript import split_reference, study_of
from hpo.search.studyfile.overrides import overlay
from hpo.search.studyfile.plugins import check_requirements, file_kind, options_of, read_plugin, requires
from hpo.search.studyfile.record import read_record
from hpo.search.studyfile.script import explain
from hpo.search.studyfile.scriptstudy import study_of_script
from hpo.search.studyfile.start import read_source, read_start, source_folder
from hpo.search.studyfile.suggested import drawn, with_suggested
from hpo.search.studyfile.table import chosen, study_text, table_of, target_of
from hpo.search.studyfile.warmstart import read_prior, read_warm_start
from hpo.search.studyfile.yaml12 import Node, dump, parse
from hpo.search.terms import registry
from hpo.search.terms.errors import Mistake, StudyFileError, UserError, did_you_mean, lines_of, nearest, spelt
from hpo.search.terms.space import Space
from hpo.search.terms.study import Goal, Plugin, Study

KEYS = (
    "name", "objective", "goal", "metric", "search", "fixed", "data", "source", "budget", "sampler", "prior",
    "warm_start", "start_from", "pruner", "executor", "workers", "processes_per_trial", "confirm", "repeats",
    "seed", "device", "devices", "memory_limit", "storage", "checkpoints", "record",
)  # fmt: skip
"""Every key of a study file."""

_SCRIPTS = (".py", ".sh", ".r", ".R", ".jl", ".pl", ".rb", ".js")


def find(study: str) -> Path:
    """File of a study given by path or by the name of one that is shipped.

    Raises:
        UserError: there is no such file or study.
    """
    try:
        path = Path(study).expanduser()
        if path.suffix in _SCRIPTS and path.is_file():
            raise explain(path)
        if path.suffix not in (".yaml", ".yml") and "/" not in study and "\\" not in study:
            return _shipped(study)
        if path.is_file():
            return path
        if path.is_dir():
            raise UserError(f"{study} is a folder, not a study file")
        folder = path.parent if path.parent.is_dir() else Path()
        near = did_you_mean(path.name, [p.name for p in folder.glob("*.y*ml")])
    except (OSError, RuntimeError, ValueError) as error:  # too long, forbidden, no such home folder, NUL
        raise UserError(f"there is no study file {study[:80]!r}: {getattr(error, 'strerror', None) or error}") from None
    raise UserError(f"there is no study file {study}" + (f": {near}" if near else ""))


def _shipped(study: str) -> Path:
    if study in registry.names("study"):
        return registry.path("study", study)
    local = [p.stem for p in Path().glob("*.yaml")]
    hint = f"did you mean --study {study}.yaml?" if study in local else did_you_mean(study, registry.names("study"))
    raise UserError(f"no study is called {study!r}" + (f": {hint}" if hint else "; see: hpo list studies"))


def read(study: str | Path | Mapping[str, Any], overrides: Sequence[tuple[str, str]] = ()) -> Study:
    """Read and check a study: a path, the name of a shipped one, a table or a script it is made of, or a mapping.

    Args:
        study: where it is, or what it says.
        overrides: pairs of (key, YAML text) laid over the file, as the command line gives them: a key of the file,
            ``budget.trials`` for one inside a section, or ``set`` with ``knob=value``, which puts the knob under
            ``fixed`` or ``search`` as its value says. Of a table ``budget.target`` is the column to predict.

    Raises:
        StudyFileError: mistakes, all of them.
        UserError: there is no such study, or a value of a mapping is not plain data.
    """
    mistakes: list[Mistake] = []
    notes: list[str] = []
    if isinstance(study, Mapping):
        node, folder, stem, question = parse(_text_of(study), "<study>", mistakes), Path.cwd(), "study", ""
    elif (table := table_of(str(study))) is not None:
        target, overrides = target_of(overrides)
        text = study_text(table, target)
        notes = [chosen(table, target or "", text)]
        node, folder, stem = parse(text, table.name, mistakes), Path.cwd(), "table"
        question = registry.first_comment(text)
    else:
        script = _script(str(study))
        path = find(str(study)) if script is None else script[0]
        source = str(study) if path == Path(str(study)) else path.name
        text = _decoded(path, source) if script is None else dump(script[1])
        notes = [] if script is None else script[2]
        node, folder, stem = parse(text, source, mistakes), path.parent, path.stem
        question = registry.first_comment(text)
    if not isinstance(node.value, dict):
        hint = "see: hpo list studies"
        raise StudyFileError([*mistakes, node.mistake(f"a study file is a mapping of keys, got {node.kind}", hint)])
    found = _Reader(overlay(node, overrides, mistakes), mistakes).study(folder.resolve(), stem, question)
    return replace(found, notes=(*notes, *found.notes))


def _script(study: str) -> tuple[Path, dict[str, Any], list[str]] | None:
    """A script that is a study by itself: its file, the study, and what to tell of it.

    It has a function of a trial, or options on its command line.
    """
    reference = split_reference(study)
    if reference is None:
        return None
    found = study_of(*reference) or (study_of_script(reference[0]) if not reference[1] else None)
    return None if found is None else (reference[0], *found)


def _text_of(study: Mapping[str, Any]) -> str:
    try:
        return dump(dict(study))
    except Exception as error:  # PyYAML's RepresenterError, or whatever an odd object raises when looked at
        raise UserError(f"a study is plain data (numbers, text, lists, mappings): {error}") from None


def _decoded(path: Path, source: str) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = lines_of(raw[: error.start].decode("utf-8-sig", errors="replace"))
        problem = f"this is not UTF-8 text (byte 0x{raw[error.start]:02x})"
        place = len(before), len(before[-1]) + 1
        raise StudyFileError([Mistake(problem, "save the file as UTF-8", source, "", *place)]) from None


class _Reader:
    """One pass over the nodes; mistakes pile up in ``self.mistakes``."""

    def __init__(self, root: Node, mistakes: list[Mistake]) -> None:
        self.root, self.mistakes = self._without_unknown_keys(root, mistakes), mistakes

    def study(self, folder: Path, stem: str, question: str) -> Study:
        objective = read_objective(self.root, self._at("objective"), folder, self.mistakes)
        self.root = with_suggested(self.root, objective)
        metric, objective = read_metric(self._at("metric"), objective, folder, self.mistakes)
        before = len(self.mistakes)
        remedies = of_model(source_folder(self.root, folder), folder)
        goals = read_goals(self.root, self._at("goal"), objective, self.mistakes, remedies)
        goals_clean = len(self.mistakes) == before
        before = len(self.mistakes)
        knobs = Knobs(self.root, objective, self.mistakes, metrics=[goal.metric for goal in goals])
        space_clean = len(self.mistakes) == before
        sampler, pruner, executor = (self._plugin(kind) for kind in ("sampler", "pruner", "executor"))
        workers = self._whole("workers", 1, 1, 4096)
        self._check_plugins(
            knobs if space_clean else None, goals if goals_clean else [], sampler, pruner, executor, objective, workers
        )
        devices, processes = (
            read_devices(self._at("devices"), self.mistakes),
            self._whole("processes_per_trial", 1, 1, MOST_PROCESSES),
        )
        check_executor(self._at("devices"), executor, self.mistakes)
        check_processes(self._at("processes_per_trial"), processes, objective, executor, devices, self.mistakes)
        repeats = self._yes_or_no("repeats")
        limits = read_limits(self._at("budget"), self.mistakes)
        size = knobs.space.size(knobs.fixed, limit=1_000_000) if space_clean and len(knobs.space) else None
        check_limits(
            limits, goals if goals_clean else [], objective, knobs.points, None if repeats else size, self.mistakes
        )
        grid = sampler is not None and sampler.name == "grid"
        name = self._name(stem)
        checkpoints, keeping = read_checkpoints(self._at("checkpoints"), objective, folder, self.mistakes)
        study = Study(
            name=name, objective=objective.reference if objective else "", goals=tuple(goals),
            space=knobs.space, question=question, fixed=knobs.fixed,
            budget=budget_of(limits, size if grid else min(TRIALS, size or TRIALS)), sampler=sampler,
            prior=read_prior(self._at("prior"), self._at("search"), knobs.space, knobs.fixed, self.mistakes),
            warm_start=read_warm_start(self._at("warm_start"), name, self.mistakes),
            start_from=read_start(self._at("start_from"), objective, folder, self.mistakes), metric=metric,
            pruner=pruner, executor=executor, workers=workers,
            confirm=read_confirm(self._at("confirm"), objective, goals, self.mistakes),
            seed=self._whole("seed", 0, 0, 2**31 - 1),
            data=read_source(self.root, objective, folder, self.mistakes)
            or read_data(self.root, objective, folder, self.mistakes),
            device=read_device(self._at("device"), devices, self.root, self.mistakes), devices=devices,
            processes_per_trial=processes, memory_limit=self._whole("memory_limit", 0, 1, 2**31 - 1) or None,
            storage=self._storage(), checkpoints=checkpoints, keeping=keeping, repeats=repeats, folder=folder,
            record=read_record(self._at("record"), objective, self.mistakes),
            notes=(*knobs.notes, *drawn(self.root, objective)),
        )  # fmt: skip
        if self.mistakes:
            raise StudyFileError(self.mistakes)
        text = dump(
            {key: value for key, value in self.root.plain().items() if key != "storage"}
        )  # it may hold a password
        return replace(study, text=f"# {question}\n{text}" if question else text)

    @staticmethod
    def _without_unknown_keys(root: Node, mistakes: list[Mistake]) -> Node:
        """Report unknown keys; one that is a misspelt key counts as that key from here on."""
        assert isinstance(root.value, dict)
        nodes, keys = dict(root.value), dict(root.keys)
        for key in [key for key in nodes if key not in KEYS]:
            limit = key if key in LIMITS else nearest(key, LIMITS) if nearest(key, KEYS) is None else None
            hint = f"write budget: {{{limit}: ...}}" if limit else did_you_mean(key, KEYS)
            mistakes.append(keys[key].mistake(f"unknown key {key!r}", hint))
            node, place = nodes.pop(key), keys.pop(key)
            meant = None if limit else nearest(key, KEYS)
            if meant is not None and meant not in nodes:
                nodes[meant], keys[meant] = node, place
        return Node(nodes, root.source, root.text, root.line, root.column, root.width, keys)

    def _at(self, key: str) -> Node | None:
        assert isinstance(self.root.value, dict)
        return self.root.value.get(key)

    def _wrong(self, node: Node, message: str, hint: str = "") -> None:
        self.mistakes.append(node.mistake(message, hint))

    def _plugin(self, kind: str) -> Plugin | None:
        node = self._at(kind)
        return None if node is None else read_plugin(kind, node, self.mistakes)

    def _check_plugins(
        self,
        knobs: Knobs | None,
        goals: Sequence[Goal],
        sampler: Plugin | None,
        pruner: Plugin | None,
        executor: Plugin | None,
        objective: Objective | None,
        workers: int,
    ) -> None:
        """Refuse combinations that cannot work."""
        metrics = [goal.metric for goal in goals]
        for kind, plugin in (("sampler", sampler), ("pruner", pruner)):
            node = self._at(kind)
            if node is not None and plugin is not None:
                space, fixed = (knobs.space, knobs.fixed) if knobs is not None else (Space(()), {})
                check_requirements(kind, node, plugin, space, fixed, metrics, self.mistakes)
        node = self._at("pruner")
        if sampler is not None and file_kind("sampler", sampler.name) == "policy" and node and pruner != Plugin("none"):
            problem = f"{sampler.name} decides by itself what goes on, so a pruner does nothing"
            self._wrong(node, problem, "drop the pruner, or take another sampler")
        if objective is not None and pruner is not None and node and pruner.goal in objective.measured:
            self._wrong(node, f"{pruner.goal} is read off a clock, and nothing is pruned by it", "name another goal")
        needs = requires("executor", executor.name) if executor is not None else ()
        node = self._at("executor")
        if node is None or executor is None:
            return
        if "trained by suite" in needs and objective is not None and not objective.trained_by_suite:
            problem = f"{objective.label} trains by itself, so its trials cannot form a cohort"
            self._wrong(node, problem, "use inline or processes, or give the file build and data")
        if workers > 1 and "workers" not in options_of("executor", executor.name).knobs:
            workers_node = self._at("workers") or node
            self._wrong(workers_node, f"the executor {executor.name} has no workers", "use executor: processes")

    def _whole(self, key: str, default: int, low: int, high: int) -> int:
        node = self._at(key)
        if node is None:
            return default
        if isinstance(node.value, bool) or not isinstance(node.value, int) or not low <= node.value <= high:
            self._wrong(node, f"{key} must be a whole number from {low} to {high}, got {_shown(node)}")
            return default
        return node.value

    def _yes_or_no(self, key: str) -> bool:
        node = self._at(key)
        if node is None:
            return False
        if not isinstance(node.value, bool):
            meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(str(node.value).lower())
            self._wrong(node, f"{key} is true or false, got {_shown(node)}", f"did you mean {meant}?" if meant else "")
        return node.value is True

    def _text(self, key: str) -> str | None:
        node = self._at(key)
        if node is None or node.value is None:
            return None
        if not isinstance(node.value, str) or not node.value.strip():
            self._wrong(node, f"{key} must be text, got {_shown(node)}", f"write {key}: '...'")
            return None
        return node.value.strip()

    def _name(self, stem: str) -> str:
        given = self._text("name")
        name = stem if given is None else given
        wrong = problem_with(name)
        if name.endswith(CONFIRM):
            wrong = (
                f"a study cannot be called {shown(name)}",
                f"the fresh runs of {shown(name.removesuffix(CONFIRM))} lie there",
            )
        if wrong is not None:
            self._wrong(self._at("name") or self.root, *wrong)
        return name

    def _storage(self) -> str | None:
        storage = self._text("storage")
        if storage is not None:
            try:
                parse_location(storage)
            except UserError as error:
                place = self._at("storage") or self.root
                self.mistakes.append(replace(place.mistake(str(error)), text=""))  # the line may hold a password
        return storage


def _shown(node: Node) -> str:
    return node.kind if isinstance(node.value, (list, dict)) or node.value is None else spelt(node.value)
