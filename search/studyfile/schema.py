"""JSON Schema of study files, from which editors complete and check: ``hpo schema`` prints it.

Made from what is installed: the plug-ins by their files' names, their options and the knobs of the built-in objectives
by their source. The schema accepts every study that ``hpo check`` accepts; it sees less than that does.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from hpo.search.describe.objective import Objective, describe
from hpo.search.studyfile.budget import LARGEST
from hpo.search.studyfile.devices import MOST_PROCESSES
from hpo.search.studyfile.goals import better
from hpo.search.studyfile.plugins import known_names, options_of
from hpo.search.studyfile.programs import PROGRAMS
from hpo.search.terms import registry
from hpo.search.terms.knobs import REQUIRED, UNKNOWN, Knob
from hpo.search.terms.registry import summary
from hpo.search.terms.statistics import RECORDS
from hpo.search.terms.study import AGGREGATES

Schema: TypeAlias = dict[str, Any]

_TYPES = {"int": "number", "float": "number", "bool": "boolean", "str": "string", "none": "null", "weights": "object"}
_SCALAR: Schema = {"type": ["string", "number", "boolean", "null"]}


def schema() -> Schema:
    """The schema, draft 2020-12.

    >>> schema()["required"]
    ['objective', 'goal', 'search']
    """
    objectives = [describe(name, registry.path("objective", name).parent) for name in registry.names("objective")]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Study file of hpo",
        "type": "object",
        "additionalProperties": False,
        "required": ["objective", "goal", "search"],
        "properties": _properties(objectives),
        "allOf": [_objective_rule(objective) for objective in objectives],
        "$defs": {
            "goal": _goal(objectives),
            "parameter": _parameter(),
            "sampler": _plugin("sampler"),
            "pruner": _plugin("pruner"),
            "inner-pruner": _plugin("pruner", nested=True),
            "executor": _plugin("executor"),
        },
    }


def _properties(objectives: list[Objective]) -> Schema:
    return {
        "name": _say({"type": "string"}, "Name in the store; the file's own name without it."),
        "objective": _say(
            {
                "anyOf": [
                    {"oneOf": [{"const": item.reference, "description": item.doc} for item in objectives]},
                    {"type": "string"},
                    *(_program(kind) for kind in PROGRAMS),
                ]
            },
            "What is trained: a built-in objective, ./file.py, ./file.py:function, package.module, {command: ...}, or "
            "{script: train.py}.",
        ),
        "goal": _say(
            {"anyOf": [{"$ref": "#/$defs/goal"}, {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/goal"}}]},
            "minimize or maximize, and a metric; a list for several goals.",
        ),
        "metric": _say(
            {"type": ["string", "null"]},
            "A function of yours that is measured of predictions, ./mine.py:profit; a goal names val_profit.",
        ),
        "search": _say(
            {"type": "object", "minProperties": 1, "additionalProperties": {"$ref": "#/$defs/parameter"}},
            "What varies: a range or a choice for each knob.",
        ),
        "fixed": _say({"type": ["object", "null"]}, "Knobs with one value."),
        "data": _say({"type": ["string", "object", "null"]}, "Name of a bundled data set, or {kind: options}."),
        "source": _say(
            {"type": ["string", "null"]},
            "Of objective: compress: the model that is made smaller, as a study whose winner was trained, or a folder.",
        ),
        "budget": _budget(),
        "sampler": _say({"$ref": "#/$defs/sampler"}, "What proposes recipes; tpe without it."),
        "prior": _say({"type": ["object", "null"], "additionalProperties": _SCALAR}, "A guess of good values."),
        "warm_start": _say(
            {"anyOf": [{"type": ["string", "null"]}, {"type": "array", "items": {"type": "string"}}]},
            "Name of an earlier study in the store whose trials count as evidence, or a list of them.",
        ),
        "start_from": _say(
            {"type": ["string", "null"]},
            "Weights that every trial starts from: a study whose winner was trained, a model's folder, or a "
            "safetensors file.",
        ),
        "pruner": _say({"$ref": "#/$defs/pruner"}, "What stops weak trials early."),
        "executor": _say({"$ref": "#/$defs/executor"}, "What trains; chosen by the objective and workers without it."),
        "workers": _say({"type": "integer", "minimum": 1, "maximum": 4096, "default": 1}, "Worker processes."),
        "confirm": _confirm(),
        "repeats": _say({"type": "boolean", "default": False}, "Whether a recipe may be tried again."),
        "seed": _say({"type": "integer", "minimum": 0, "maximum": 2**31 - 1, "default": 0}, "Seed of everything."),
        "device": _say({"type": "string", "examples": ["cpu", "auto", "cuda", "mps"]}, "Where models are trained."),
        "devices": _devices(),
        "processes_per_trial": _say(
            {"type": "integer", "minimum": 1, "maximum": MOST_PROCESSES, "default": 1},
            "Processes that train a trial together, each a part of every batch.",
        ),
        "memory_limit": _say(
            {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}, "MiB that a trial under batch_size: auto may take."
        ),
        "storage": _say({"type": ["string", "null"]}, "Where the study lives; ./hpo.db without it."),
        "checkpoints": _checkpoints(),
        "record": _say(
            {"anyOf": [{"enum": [*RECORDS, None]}, {"type": "array", "items": {"enum": list(RECORDS)}}]},
            "What is kept of training beside its metrics: norms by layer and dead units, where a run is heading.",
        ),
    }


def _budget() -> Schema:
    count = {"type": "number", "exclusiveMinimum": 0, "maximum": LARGEST, "multipleOf": 1}
    limits = {
        "trials": _say(count, "Trials in all."),
        "steps": _say(count, "Steps (epochs) of all trials together."),
        "minutes": _say({"type": "number", "exclusiveMinimum": 0}, "Wall time in all."),
        "target": _say({"type": "number"}, "Stop when a complete trial is at least this good."),
    }
    section = {"type": ["object", "null"], "additionalProperties": False, "properties": limits}
    return _say(section, "What the search may spend, over all its runs.")


def _confirm() -> Schema:
    count = {"type": "integer", "minimum": 1, "maximum": 1000}
    properties = {
        "top": _say({**count, "default": 3}, "Recipes that are trained again."),
        "seeds": _say({**count, "default": 2}, "Fresh seeds for each."),
        "ensemble": _say({**count, "minimum": 2}, "Models of these that may be combined; none without it."),
    }
    choices = [{"enum": ["none", False, None]}, _object(properties)]
    return _say({"anyOf": choices}, "How the winner is chosen: the best recipes are trained again with fresh seeds.")


def _checkpoints() -> Schema:
    above = {"type": ["number", "null"], "exclusiveMinimum": 0}
    properties = {
        "at": _say({"type": ["string", "null"]}, "A folder, or a location such as s3://bucket/folder."),
        "every": _say({**above, "multipleOf": 1, "default": 1}, "Steps from one that is kept to the next."),
        "limit": _say(above, "MiB that one may take; any size without it."),
    }
    ways = [{"type": ["string", "null"]}, _object(properties)]
    return _say({"anyOf": ways}, "Where checkpoints are kept and how often; beside the store without it.")


def _devices() -> Schema:
    card = {"type": ["integer", "string"]}
    cards: Schema = {"anyOf": [{"const": "auto"}, {"type": "array", "minItems": 1, "items": card}]}
    gpus = {"type": "number", "exclusiveMinimum": 0}
    properties = {
        "cards": _say(cards, "Which: numbers, UUIDs or MIG names; auto takes all, most free memory first."),
        "gpus": _say(gpus, "For each worker: a whole number, or a share of one."),
    }
    ways = [*cards["anyOf"], _object(properties), {"type": "null"}]
    return _say({"anyOf": ways}, "GPUs that are given out to the workers, each its own.")


def _goal(objectives: list[Objective]) -> Schema:
    between = "|".join(AGGREGATES)
    metrics = sorted({metric for objective in objectives for metric in (*objective.metrics, *objective.named)})
    return {
        "type": "string",
        "pattern": rf"^\s*(minimize|maximize)\s+(({between})\s+)?\S+\s*$",
        "examples": [f"{better(metric)} {metric}" for metric in metrics],
    }


def _parameter() -> Schema:
    when = {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"anyOf": [_SCALAR, {"type": "array", "minItems": 1, "items": _SCALAR}]},
        "description": "Vary only where other knobs have these values.",
    }
    log = {"type": "boolean", "default": False, "description": "Spread evenly over orders of magnitude."}

    def ends(kind: str) -> Schema:
        return {
            "type": "array",
            "minItems": 2,
            "maxItems": 2,
            "items": {"type": "number", **({"multipleOf": 1} if kind == "int" else {})},
        }

    def span(kind: str) -> Schema:
        step = {"type": "number", "exclusiveMinimum": 0, "description": "Distance between values."}
        return _object({kind: ends(kind), "log": log, "step": step, "when": when}, required=[kind])

    values = {"type": "array", "minItems": 1, "items": {"type": [*_SCALAR["type"], "object"]}}
    return {"anyOf": [span("float"), span("int"), _object({"choice": values, "when": when}, required=["choice"])]}


def _plugin(kind: str, *, nested: bool = False) -> Schema:
    """A name, or a mapping of one name to its options."""
    names, plain, with_options = known_names(kind), [], []
    for name in names:
        knobs = options_of(kind, name, nested=nested)
        place = "policy" if kind == "sampler" and name not in registry.names("sampler") else kind
        text = summary(place, name)
        needed = [knob.name for knob in knobs.knobs.values() if knob.default is REQUIRED]
        if not needed:
            plain.append({"const": name, "description": text})
        options = _object({k: _knob(knob, kind) for k, knob in knobs.knobs.items()}, required=needed)
        options["type"] = "object" if needed else ["object", "null"]
        with_options.append({**_object({name: options}, required=[name]), "description": text})
    empty = [{"type": "null"}] if "none" in names else []
    return {"anyOf": [{"oneOf": plain}, *with_options, *empty]}


def _program(kind: str) -> Schema:
    patterns = {"type": "object", "additionalProperties": {"type": "string"}}
    settings = {
        "metrics": _say(patterns, "A regular expression for a metric, with one group: the number."),
        "logs": _say({"type": "string"}, "Folder of TensorBoard's event files or Lightning's metrics.csv."),
        "stand_ins": _say({"type": "boolean", "default": True}, "Whether what wandb and mlflow log is read."),
    }
    return _object({kind: {"type": "string"}, **settings}, required=[kind])


def _objective_rule(objective: Objective) -> Schema:
    """What ``search``, ``fixed`` and ``goal`` may hold for one built-in objective."""
    filled = [name for name in objective.filled if name != "seed"]
    knobs = {name: knob for name, knob in objective.signature.knobs.items() if name not in filled}
    closed: Schema = {} if objective.signature.open else {"propertyNames": {"enum": sorted(knobs)}}
    searched = {name: {"$ref": "#/$defs/parameter", "description": knob.doc} for name, knob in knobs.items()}
    values = {name: _knob(knob, "") for name, knob in knobs.items()}
    return {
        "if": {"properties": {"objective": {"const": objective.reference}}, "required": ["objective"]},
        "then": {
            "properties": {
                "search": {"properties": searched, **closed},
                "fixed": {"properties": values, **closed},
                "prior": {"properties": values, **closed},
            }
        },
    }


def _knob(knob: Knob, kind: str) -> Schema:
    """Values of a knob; of a plug-in inside one of ``kind`` too."""
    found: Schema = {"description": knob.doc} if knob.doc else {}
    if knob.default not in (REQUIRED, UNKNOWN):
        found["default"] = knob.default
    types = sorted({_TYPES[name] for name in knob.kinds if name in _TYPES})
    whole = "int" in knob.kinds and "float" not in knob.kinds
    number: Schema = {"multipleOf": 1} if whole else {}
    if knob.limits is not None:
        low, high = knob.limits.low, knob.limits.high
        if math.isfinite(low):
            number["exclusiveMinimum" if knob.limits.open_low else "minimum"] = low
        if math.isfinite(high):
            number["exclusiveMaximum" if knob.limits.open_high else "maximum"] = high
    ways: list[Schema] = [{"enum": list(knob.options)}] if knob.options else []
    if types:
        ways.append({"type": types, **number})
    if "plugin" in knob.kinds:
        ways.append({"$ref": "#/$defs/inner-pruner" if kind == "pruner" else f"#/$defs/{kind}"})
    return {**found, **(ways[0] if len(ways) == 1 else {"anyOf": ways} if ways else {})}


def _object(properties: Schema, required: list[str] | None = None) -> Schema:
    found: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**found, "required": required} if required else found


def _say(found: Schema, description: str) -> Schema:
    return {"description": description, **found}
