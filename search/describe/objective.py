"""What an objective reference means, found without importing anything.

========================  =====================================================================
``mlp``                   a built-in objective, ``objectives/mlp.py``
``./my.py``               ``train`` in a file, or ``build`` and ``data`` for the suite to train
``./my.py:fit``           another function of it
``./my.py:objective``     an objective of Optuna's, a function of a ``trial`` that suggests its knobs
``package.module:fit``    a function of an importable module
``{command: ...}``        a command line in any language that prints its metrics
``{script: train.py}``    a Python script whose options are its knobs
========================  =====================================================================
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from hpo.search.describe.live import LIVE, function_of, live, signature_of, text_of
from hpo.search.describe.live_text import called
from hpo.search.describe.program import COMMAND, PLACEHOLDER, Program
from hpo.search.describe.script_options import options_of
from hpo.search.describe.script_wandb import advice
from hpo.search.describe.source import Source
from hpo.search.describe.trial_loading import alone, definitions
from hpo.search.describe.trial_reader import Suggestions, function_of_trial, suggestions
from hpo.search.terms import registry
from hpo.search.terms.domain import Choice, Domain, Float
from hpo.search.terms.errors import UserError, did_you_mean
from hpo.search.terms.knobs import UNKNOWN, Knob, Range, Settled, Signature
from hpo.search.terms.space import Space

__all__ = ["COMMAND", "FILLED", "Objective", "describe", "import_module", "live"]

FILLED = ("data", "split_seed", "seed", "checkpoint")
"""Parameters the suite fills in by itself when a ``train`` has them."""

_LANGUAGES = ("causal", "masked")
"""What an objective's ``LANGUAGE`` says: it predicts the next token, or finds out hidden ones."""


@dataclass(frozen=True)
class Objective:
    """An objective as its source describes it.

    Attributes:
        reference: canonical: built-in or module name, absolute path, or a program's; with ``:function`` if any.
        kind: ``builtin``, ``file``, ``module``, ``command`` (a script too) or ``live`` (a function of this process).
        path: its source file, None for a command line or a live function.
        function: what is called; ``build`` when the suite does the training.
        signature: its knobs.
        metrics: names of the metrics it yields, empty when the source does not say.
        named: metrics that it yields where its knob ``scoring`` names them.
        doc: one-line description.
        program: what a command or script is; None for others.
        placeholders: knobs that a command line names.
        returns_model: whether a run may end with a trained model that can be tested and saved.
        suggestions: what a function of a ``trial`` suggests; None for one whose parameters are its knobs.
        measured: those metrics that are read off a clock, so that the same trial has others each time.
        language: ``causal`` or ``masked`` for a language model, which trains on text instead of rows; empty for others.
    """

    reference: str
    kind: str
    path: Path | None
    function: str
    signature: Signature
    metrics: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    doc: str = ""
    program: Program | None = None
    placeholders: tuple[str, ...] = ()
    returns_model: bool = False
    suggestions: Suggestions | None = None
    language: str = ""
    measured: tuple[str, ...] = ()

    @property
    def text(self) -> bool:
        """Whether it trains on text instead of rows."""
        return bool(self.language)

    @property
    def label(self) -> str:
        """What messages call it: ``mlp``, ``my.py``, ``the command``."""
        if self.program is not None:
            return self.program.label
        return self.path.name if self.kind == "file" and self.path is not None else self.reference

    @property
    def shown(self) -> str:
        """What trains, in words: the reference, of a program what is started."""
        return self.reference if self.program is None else self.program.text

    @property
    def filled(self) -> tuple[str, ...]:
        """Knobs that the suite gives values by itself; those of a program are all the user's, but for its seed."""
        if self.kind == "builtin":
            return (*FILLED, "metric")
        return FILLED if self.program is None else ("seed",)

    @property
    def trained_by_suite(self) -> bool:
        """Whether the suite does the training (and can train many trials as one cohort)."""
        return self.function == "build"

    @property
    def default_data(self) -> Any:
        """What it trains on when the study names no data; None when its source does not say."""
        knob = self.signature.knobs.get("data")
        return knob.default if knob is not None and isinstance(knob.default, (str, dict)) else None

    @property
    def takes_data(self) -> bool:
        """Whether the study's ``data`` reaches it."""
        return "data" in self.signature.knobs or (self.signature.open and self.kind != "builtin")

    def open_knobs(self, fixed: Mapping[str, Any]) -> dict[str, Knob] | None:
        """Further knobs that depend on fixed ones (an estimator's parameters); None when anything goes."""
        module = self._module()
        found = module.open_knobs(fixed) if module is not None and hasattr(module, "open_knobs") else None
        told: Mapping[str, str] = getattr(module, "open_docs", lambda fixed: {})(fixed)
        return None if found is None else {n: Knob(n, value, doc=told.get(n, "")) for n, value in found.items()}

    def settle(self, fixed: Mapping[str, Any], space: Space) -> Settled:
        """What must be fixed beyond the study's own words, so that all trials are measured alike."""
        module = self._module()
        found = module.settle(fixed, space) if module is not None and hasattr(module, "settle") else None
        return found if isinstance(found, Settled) else Settled()

    def recipes(self) -> list[type]:
        """Dataclasses that a built-in objective's ``build`` and ``data`` take, which refuse what contradicts itself."""
        if self.kind != "builtin" or not self.trained_by_suite:
            return []
        module = registry.load("objective", self.reference)
        named = [next(iter(getattr(module, name).__annotations__.values()), "") for name in ("build", "data")]
        found = [getattr(module, name, None) for name in named if isinstance(name, str) and name.isidentifier()]
        return [kind for kind in found if isinstance(kind, type) and is_dataclass(kind)]

    @property
    def attempts(self) -> bool:
        """Whether it can try to build a recipe's model without training it."""
        return hasattr(self._module(), "attempt")

    def doubtful(self, fixed: Mapping[str, Any], space: Space) -> bool:
        """Whether only building a model tells if the study can be trained."""
        module = self._module()
        return bool(module.doubtful(fixed, space)) if module is not None and hasattr(module, "doubtful") else False

    def estimators(self) -> list[str]:
        """Names that its knob ``estimator`` knows, empty when it has no such knob."""
        module = self._module() if "estimator" in self.signature.knobs else None
        return list(module.estimators()) if module is not None and hasattr(module, "estimators") else []

    def _module(self) -> ModuleType | None:
        """Module of a built-in objective that takes further knobs; those import nothing heavy by themselves."""
        return registry.load("objective", self.reference) if self.kind == "builtin" and self.signature.open else None


def describe(reference: str, folder: Path) -> Objective:
    """Read an objective's source.

    Args:
        reference: as in a study file; a relative path is relative to ``folder``.
        folder: the study file's folder.

    Raises:
        UserError: there is no such objective, file, function or program, or its source is not Python.
    """
    program = Program.read(reference)
    if program is not None:
        return _script(program, folder) if program.script else _command(program, folder)
    if reference.startswith(LIVE):
        return _live(reference, folder)
    target, _, function = reference.partition(":")
    if reference in registry.names("objective"):
        kind, path, canonical = "builtin", registry.path("objective", reference), reference
    elif "/" in target or "\\" in target or target.endswith(".py"):
        kind, path = "file", _file(target, folder)
        canonical = f"{path}:{function}" if function else str(path)
    else:
        found = registry.module_file(target, [str(folder)])
        if found is None:
            hint = did_you_mean(target, registry.names("objective"))
            raise UserError(f"no objective or module is called {target[:80]!r}" + (f": {hint}" if hint else ""))
        kind, path, canonical = "module", found, reference
    return _from_source(_source(path), canonical, kind, function)


def _command(program: Program, folder: Path) -> Objective:
    first = program.words()[0]
    if not PLACEHOLDER.search(first):
        here = len(first) < 4096 and os.path.isfile(folder / first)
        if not (here if "/" in first else shutil.which(first)):
            places = str(folder) if "/" in first else "the folders of PATH"
            hint = f": to run the file, write ./{first}" if here else ""
            raise UserError(f"there is no program {first!r} in {places}{hint}")
    names = tuple(dict.fromkeys(PLACEHOLDER.findall(program.text)))
    open_ = Signature({}, True, program.text)
    return Objective(program.reference, "command", None, "", open_, program=program, placeholders=names)


def _script(program: Program, folder: Path) -> Objective:
    path = _file(program.text, folder)
    if path.suffix != ".py":
        raise UserError(f"{path.name} is no Python script: write {{command: ./{path.name} --lr {{lr}}}}")
    source = _source(path)
    signature = options_of(source).signature(source.doc)
    if not signature.knobs and not signature.open:
        raise UserError(
            advice(source)
            or f"{path.name} declares no options that its text tells (argparse, click, typer, fire, a dataclass): give "
            f"it an option for each knob, or write {{command: python {path.name} ...}} with {{knob}} where it takes one"
        )
    return Objective(program.reference, "command", path, "", signature, doc=source.doc, program=program)


def _source(path: Path) -> Source:
    """A file, parsed.

    Raises:
        UserError: it is not Python, or cannot be read.
    """
    try:
        return Source(path)
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}," if isinstance(error, SyntaxError) and error.lineno else ""
        raise UserError(f"{path.name}{line} is not Python: {getattr(error, 'msg', error)}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def _live(reference: str, folder: Path) -> Objective:
    function, text = function_of(reference), text_of(reference)
    signature = signature_of(function)
    name, asked = reference.removeprefix(LIVE), None
    if text is not None:
        asked = suggestions(Source.of_text(text, folder / "here.py"), called(function))
        signature = replace(_suggested(asked), doc=signature.doc)
    return Objective(reference, "live", None, name, signature, doc=signature.doc, suggestions=asked)


def _file(target: str, folder: Path) -> Path:
    try:
        path = (folder / Path(target).expanduser()).resolve()
        if path.is_file():
            return path
        if path.is_dir():
            raise UserError(f"{target} is a folder, not a Python file")
        near = did_you_mean(path.name, [p.name for p in path.parent.glob("*.py")]) if path.parent.is_dir() else ""
    except (OSError, RuntimeError) as error:
        raise UserError(f"there is no file {target[:80]}: {getattr(error, 'strerror', None) or error}") from None
    raise UserError(f"there is no file {target}" + (f": {near}" if near else f" in {path.parent}"))


def _from_source(source: Source, canonical: str, kind: str, function: str) -> Objective:
    known, measured = (_names(source.constant(name)) for name in ("METRICS", "MEASURED"))
    if not function and "train" not in source and "build" in source:
        if "data" not in source:
            raise UserError(f"{source.path.name} defines build but not data: the suite needs both to train it")
        parts = [source.signature(name) or Signature() for name in ("build", "data")]
        knobs = training_knobs() | parts[0] | parts[1]
        own = source.constant("DEFAULTS")
        told = {name: replace(knobs.knobs[name], default=value) for name, value in _known(own, knobs).items()}
        signature = Signature({**knobs.knobs, **told}, any(part.open for part in parts), source.doc)
        said = source.constant("LANGUAGE")
        language = said if said in _LANGUAGES else ""
        named = _names(source.constant("NAMED"))
        if not named and not language:  # a file of the user's: the trainer measures what it does of any
            always, further = (_names(_trainer("metrics").constant(name)) for name in ("METRICS", "NAMED"))
            named = tuple(metric for metric in further if metric not in (known or always))
        return Objective(
            canonical, kind, source.path, "build", signature, known, named, source.doc, returns_model=True,
            language=language,
        )  # fmt: skip
    name = function or ("train" if "train" in source or "objective" not in source else "objective")
    if function_of_trial(source, name) is not None:
        asked = suggestions(source, name)
        return Objective(canonical, kind, source.path, name, _suggested(asked), doc=source.doc, suggestions=asked)
    found = source.signature(name)
    if found is None:
        functions = [known for known in source.names() if not known.startswith("_")]
        hint = did_you_mean(name, functions) or "define train(*, knob=default, ...) that yields metrics"
        if not function and (instead := advice(source)):
            raise UserError(instead)
        raise UserError(f"{source.path.name} has no function {name!r}: {hint}")
    doc = source.doc or found.doc
    model = source.returns_model(name)
    named = _names(source.constant("NAMED"))
    return Objective(
        canonical, kind, source.path, name, found, known, named, doc, returns_model=model, measured=measured
    )


def _names(listed: Any) -> tuple[str, ...]:
    """Names of metrics as a file lists them, each once; none where it lists something else."""
    fine = isinstance(listed, (list, tuple)) and all(isinstance(metric, str) for metric in listed)
    return tuple(dict.fromkeys(listed)) if fine else ()


def _suggested(told: Suggestions) -> Signature:
    """The knobs of a function of a trial; it may have others where its text does not tell all."""
    knobs = {name: _knob(name, parameter.domain) for name, parameter in told.parameters.items()}
    return Signature(knobs, bool(told.unclear))


def _knob(name: str, domain: Domain) -> Knob:
    if isinstance(domain, Choice):
        return Knob(name, UNKNOWN, options=domain.values)
    kind = "float" if isinstance(domain, Float) else "int"
    return Knob(name, UNKNOWN, frozenset({kind}), limits=Range(domain.low, domain.high))


def _known(own: Any, knobs: Signature) -> dict[str, Any]:
    """The knobs of training whose default is another one in this objective, as its ``DEFAULTS`` say."""
    return {name: value for name, value in own.items() if name in knobs.knobs} if isinstance(own, dict) else {}


@cache
def training_knobs() -> Signature:
    """Knobs of the training that the suite itself does."""
    return _trainer("training_recipe").fields("TrainingRecipe") or Signature()


def _trainer(file: str) -> Source:
    return Source(registry.part_file("trainer", f"{file}.py"))


def import_module(objective: Objective) -> Any:
    """Import the objective's module; its own errors pass through.

    A file is imported under a name of its own with its folder last on the path, so that nothing is shadowed.
    """
    if objective.kind == "live":
        return SimpleNamespace(**{objective.function: function_of(objective.reference)})
    if objective.kind == "builtin":
        return registry.load("objective", objective.reference)
    if objective.kind == "module":
        return importlib.import_module(objective.reference.partition(":")[0])
    assert objective.path is not None
    return _import_file(objective.path, searches=objective.suggestions is not None)


def _import_file(path: Path, *, searches: bool) -> ModuleType:
    """Import a file; of one that holds a search of its own the definitions only."""
    name = f"_hpo_objective_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.append(folder)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        if searches:
            with alone(path):
                exec(compile(definitions(Source(path).tree), str(path), "exec"), vars(module))
        else:
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
