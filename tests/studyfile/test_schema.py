"""The JSON Schema of study files: valid itself, and true of every study that is accepted."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from generated import MODEL, generate

from hpo.search.studyfile.reader import KEYS, read
from hpo.search.studyfile.schema import schema
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms import registry
from hpo.search.terms.errors import StudyFileError

jsonschema = pytest.importorskip("jsonschema")

FULL = """
name: all
objective: mlp
goal: [minimize last val_loss, maximize val_accuracy]
search:
  learning_rate: {float: [1e-4, 1e-1], log: true}
  depth: {int: [1, 4]}
  optimizer: {choice: [sgd, adamw]}
  momentum: {float: [0, 0.95], when: {optimizer: sgd, depth: [1, 2]}}
fixed: {epochs: 30, nesterov: false}
data: {table: {path: x.csv, target: y}}
budget: {trials: 60, steps: 900, minutes: 10, target: 0.1}
sampler: {warmup: {first: qmc, then: {tpe: {n_startup_trials: 5}}, trials: 16}}
prior: {learning_rate: 0.003, optimizer: sgd}
warm_start: [one, two]
start_from: other-study
metric: ./mine.py:profit
pruner: {patient: {of: {percentile: {percentile: 25.0}}, patience: 3, goal: val_loss}}
executor: {processes: {workers: 2}}
workers: 2
confirm: {top: 2, seeds: 3}
repeats: true
seed: 7
device: cuda
devices: {cards: [0, GPU-5ee3-1], gpus: 0.5}
processes_per_trial: 1
storage: studies.db
record: statistics
"""


@pytest.fixture(scope="module")
def validator() -> Any:
    found = json.loads(json.dumps(schema()))
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


def test_every_key_is_described() -> None:
    properties = schema()["properties"]
    assert set(properties) == set(KEYS)
    assert all("description" in found for found in properties.values())


@pytest.mark.parametrize("name", registry.names("study"))
def test_every_shipped_study_satisfies_it(name: str, validator: Any) -> None:
    study = parse(registry.path("study", name).read_text()).plain()
    assert [error.message for error in validator.iter_errors(study)] == []


@pytest.mark.parametrize(
    "changed",
    [
        {}, {"confirm": "none"}, {"confirm": None}, {"pruner": "none"}, {"pruner": None}, {"sampler": "random"},
        {"prior": None}, {"warm_start": "one"},
        {"objective": "./my.py"}, {"objective": {"command": "sh x.sh {lr}"}}, {"goal": "maximize val_f1"},
        {"data": "digits"}, {"budget": {"trials": 1e2}}, {"pruner": {"median": None}},
        {"devices": "auto"}, {"devices": [0, 1]},
    ],
)  # fmt: skip
def test_a_study_with_everything_satisfies_it(changed: dict[str, Any], validator: Any) -> None:
    assert [error.message for error in validator.iter_errors({**parse(FULL).plain(), **changed})] == []


def test_every_made_up_study_that_is_accepted_satisfies_it(tmp_path: Path, validator: Any) -> None:
    draw, path, accepted = random.Random(6), tmp_path / "study.yaml", 0
    (tmp_path / "model.py").write_text(MODEL)
    for _ in range(200):
        path.write_text(generate(draw))
        try:
            read(path)
        except StudyFileError:
            continue
        accepted += 1
        complaints = [error.message for error in validator.iter_errors(parse(path.read_text()).plain())]
        assert complaints == [], path.read_text()
    assert accepted > 100


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("serach", {}), ("goal", "minimise val_loss"), ("search.depth", {"int": [1]}), ("search.depth", 3),
        ("search.depht", {"int": [1, 2]}), ("fixed.epochs", "many"), ("fixed.dropout", "much"), ("budget.trails", 3),
        ("budget.trials", 0), ("sampler", "tpee"), ("sampler", {"tpe": {"startup": 3}}), ("sampler", "warmup"),
        ("pruner", {"median": {"n_warmup": 3}}), ("prior", 0.003), ("prior.learning_rate", "much"), ("prior.lr", 1),
        ("warm_start", 3), ("start_from", ["a"]), ("metric", 1), ("record", "all"),
        ("warm_start", {"one": 1}), ("executor", "cluster"), ("workers", 0), ("confirm", {"top": 0}),
        ("repeats", "yes"), ("devices", 2), ("devices.gpus", 0), ("processes_per_trial", 0),
        ("fixed.momentum", 1.5), ("search.momentum.when", {}),
    ],
)  # fmt: skip
def test_mistakes_are_seen_while_typing(path: str, value: Any, validator: Any) -> None:
    study = copy.deepcopy(parse(FULL).plain())
    *outer, last = path.split(".")
    place = study
    for key in outer:
        place = place[key]
    place[last] = value
    assert list(validator.iter_errors(study))


@pytest.mark.parametrize("kind", ["sampler", "pruner", "executor"])
def test_every_plugin_is_completed_by_name_with_what_it_does(kind: str) -> None:
    ways = schema()["$defs"][kind]["anyOf"]
    named = {way["const"]: way["description"] for way in ways[0]["oneOf"]}
    with_options = {name for way in ways for name in way.get("properties", {})}
    assert set(named) | with_options >= set(registry.names(kind))
    assert all(named.values())
