"""Configurations of other tools become study files: every range, what runs them, and a word on all that is left."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import hpo
from hpo.search import studyfile
from hpo.search.cli import main
from hpo.search.contracts.draft import Given
from hpo.search.terms import registry

HERE = Path(__file__).parent


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with configurations and scripts."""
    for folder in ("sweep_scripts", "training_scripts"):
        shutil.copytree(HERE / folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(source: str, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    """What `hpo new --from` writes, and says."""
    assert main(["new", "--from", source, "--output", "made.yaml"]) == 0
    return studyfile.yaml12.parse(Path("made.yaml").read_text()).plain(), capsys.readouterr().out


def test_a_sweep_of_wandb_runs_as_a_study(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made, said = written("sweep.yaml", capsys)
    assert made == {
        "objective": {"script": "mnist.py"}, "goal": "minimize last Average_loss",
        "search": {
            "lr": {"float": [0.01, 1.0], "log": True}, "batch_size": {"choice": [32, 64]},
            "gamma": {"float": [0.5, 0.9], "step": 0.1},
        },
        "fixed": {"epochs": 3}, "budget": {"trials": 4, "target": 0.01}, "sampler": "gp",
        "pruner": {"successive-halving": {"min_resource": 1, "reduction_factor": 3}},
    }  # fmt: skip
    for word in ("project", "entity"):
        assert f"not taken over: {word}: " in said
    assert "next:  hpo check made.yaml" in said
    found = hpo.run("made.yaml", confirm="none", storage="hpo.db", trials=2)
    assert found.trials.steps.max() == 3
    assert set(found.trials.state) <= {"complete", "pruned"}
    assert found.trials.last_Average_loss.min() < 2


def test_nested_parameters_macros_and_every_distribution(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("main.py").write_text("print('auc=0.5')\n")
    made, said = written("nested.yaml", capsys)
    assert made["search"] == {
        "optim.lr": {"float": [0.000100034, 0.100259], "log": True}, "optim.momentum": {"float": [0.0, 1.0]},
        "width": {"float": [16.0, 256.0], "log": True}, "noise": {"float": [-0.3, 0.3]},
        "depth": {"int": [1, 6]}, "amp": {"choice": [True, False]}, "loss": {"choice": ["a", "b"]},
        "odd": {"float": [0.1, 0.9], "log": True},
    }  # fmt: skip
    command = made["objective"]["command"]
    assert command.startswith(
        "python main.py --quiet --optim.lr={optim.lr} --optim.momentum={optim.momentum} --width={width}"
    )
    assert "--amp" not in command
    assert "--settings {recipe}" in command
    for word in ("shapes", "loss", "odd", "width", "amp", r"\$\{envvar:HOME\}", "early_terminate.strict"):
        assert re.search(rf"not taken over: .*{word}", said), word
    assert made["pruner"] == {"successive-halving": {"min_resource": 3}}
    assert made["sampler"] == "random"
    assert studyfile.read("made.yaml").space.names()


def test_a_configuration_of_hydras_sweeper_is_a_command_that_runs_the_application(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, said = written("conf/config.yaml", capsys)
    assert made["search"] == {
        "model.lr": {"float": [1e-5, 1e-1], "log": True}, "model.depth": {"int": [2, 8], "step": 2},
        "model.width": {"int": [8, 64]}, "share": {"float": [0.0, 1.0], "step": 0.25},
        "act": {"choice": ["relu", "tanh", "gelu"]}, "optimizer": {"choice": ["adam", "sgd"]},
        "seeds": {"choice": [1, 2, 3]},
    }  # fmt: skip
    assert made["fixed"] == {"fold": 0}
    assert made["goal"] == "maximize last accuracy"
    assert made["objective"]["command"].startswith("python app.py model.lr={model.lr} model.depth={model.depth}")
    assert [made[key] for key in ("sampler", "seed", "workers", "budget")] == ["cmaes", 7, 2, {"trials": 12}]
    assert "max_failure_rate" in said
    assert studyfile.read("made.yaml").name == "made"
    older, said = written_again("older.yaml", capsys)
    assert older["search"]["x"] == {"float": [-5.5, 5.5], "step": 0.5}
    assert older["search"]["y"] == {"int": [1, 64], "log": True}
    assert older["goal"] == ["minimize last value_0", "maximize last value_1"]
    assert older["sampler"] == "tpe"
    assert "before it runs: Hydra takes what the application returns" in said


def written_again(source: str, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    Path("made.yaml").unlink()
    return written(source, capsys)


def test_katib_and_ray_tune_as_far_as_they_are_plain_data(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made, said = written("katib.yaml", capsys)
    assert made["search"] == {
        "lr": {"float": [0.01, 1.0], "log": True}, "num_layers": {"int": [2, 8], "step": 2},
        "optimizer": {"choice": ["sgd", "adam"]},
    }  # fmt: skip
    assert made["objective"]["command"] == (
        "python3 /opt/mnist.py --batch-size=64 --lr={lr} --layers={num_layers} --opt={optimizer}"
    )
    assert [made[key] for key in ("goal", "sampler", "pruner", "workers")] == [
        "maximize last accuracy",
        "gp",
        "median",
        3,
    ]
    assert made["budget"] == {"trials": 12, "target": 0.99}
    for word in ("image docker.io/me/mnist:latest", "spec.maxFailedTrialCount", "algorithmSettings"):
        assert f"not taken over: {word}" in said
    made, said = written_again("raytune.yaml", capsys)
    assert made["search"] == {
        "lr": {"float": [1e-5, 1e-2], "log": True}, "layers": {"int": [1, 3]},
        "train_batch_size": {"choice": [500, 1000]}, "share": {"float": [0.0, 0.9], "step": 0.3},
    }  # fmt: skip
    assert made["fixed"] == {"env": "CartPole-v1"}
    assert made["goal"] == "maximize last episode_reward_mean"
    for word in ("run", "stop", "model.fcnet"):
        assert f"not taken over: {word}: " in said


WANDB = """
program: mnist.py
method: random
run_cap: 3
metric: {name: val loss, goal: minimize, impute: 1}
parameters:
  shapes: {values: [[1], [2]]}
  sizes: {value: [1, 2]}
  odd: {distribution: constant}
  plain: 3
  gone: {min: 2}
  lr: {min: 0.1, max: 1.0}
early_terminate: yes
controller: {type: local}
"""

RAY = """
num_samples: -1
metric: val loss
tune_config: {scheduler: asha, max_concurrent_trials: 2}
stop: {iterations: 3}
param_space:
  lr: tune.loguniform(1e-4, 1e-1)
  noise: tune.randn(0, 1)
  made: 'tune.sample_from(lambda spec: 3)'
  also: 'lambda: 3'
  lists: 'tune.choice([[1], [2]])'
  empty: {}
  one: tune.uniform(1)
  steps: tune.qloguniform(0.1, 1.0, 0.1)
  depth: 3
"""

HYDRA = """
hydra:
  launcher: {n_jobs: 3}
  sweeper:
    n_trials: 3
    sampler: {_target_: optuna.samplers.TPESampler, seed: 1, n_startup_trials: 3}
    params:
      depth: range(10)
      lr: interval(0.1, 1)
      odd: interval(3)
      made: normal(0, 1)
      held: ${model.lr}
      lists: choice([1],[2])
      sorted: sort(3,1,reverse=true)
      fold: 0
      nothing: null
      sizes: [1, 2]
model: {lr: 0.1}
"""

KATIB = """
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: e}
status: {done: true}
spec:
  objective: {type: minimize, objectiveMetricName: val loss, additionalMetricNames: [a]}
  parameters:
    - {name: lr, parameterType: double, feasibleSpace: {min: "0.1", max: "1.0"}}
    - {name: gone, parameterType: double, feasibleSpace: {min: "0.1"}}
    - {name: lists, parameterType: categorical, feasibleSpace: {list: [[1], [2]]}}
  maxFailedTrialCount: 3
"""


@pytest.mark.parametrize(
    ("text", "knobs", "fixed", "named"),
    [
        (WANDB, "lr", {"sizes": [1, 2]}, "shapes odd plain gone early_terminate controller metric.impute"),
        (
            RAY, "lr steps", {"depth": 3},
            "noise made also lists empty one steps stop tune_config.scheduler tune_config.max_concurrent_trials",
        ),
        (
            HYDRA, "depth lr sorted", {"fold": 0, "nothing": None, "sizes": [1, 2]},
            "odd made held lists model hydra.launcher hydra.sweeper.sampler.n_startup_trials",
        ),
        (KATIB, "lr", {}, "gone lists status objective.additionalMetricNames spec.maxFailedTrialCount"),
    ],
    ids=["wandb", "ray", "hydra", "katib"],
)  # fmt: skip
def test_every_entry_is_a_knob_or_fixed_plain_data_or_named(
    home: Path, capsys: pytest.CaptureFixture[str], text: str, knobs: str, fixed: dict[str, Any], named: str
) -> None:
    Path("theirs.yaml").write_text(text)
    made, said = written("theirs.yaml", capsys)
    assert set(made["search"]) == set(knobs.split())
    assert made.get("fixed", {}) == fixed
    for name in named.split():
        assert f"not taken over: {name}: " in said
    assert made["goal"].split()[-1] in ("val_loss", "value", "accuracy")
    assert made.get("budget", {}).get("trials", 1) > 0


def test_hydras_range_of_one_number_begins_at_zero(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("theirs.yaml").write_text(HYDRA)
    assert written("theirs.yaml", capsys)[0]["search"]["depth"] == {"int": [0, 10]}


def test_a_file_of_two_kinds_is_read_as_one_and_the_other_is_named(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("theirs.yaml").write_text(f"{HYDRA}\nparameters: {{width: {{values: [1, 2]}}}}\n")
    made, said = written("theirs.yaml", capsys)
    assert set(made["search"]) == {"depth", "lr", "sorted"}
    assert "not taken over: a W&B sweep (parameters): the file is read as Hydra's Optuna sweeper" in said
    assert "not taken over: parameters: " in said


@pytest.mark.parametrize("source", sorted(path.name for path in (HERE / "sweep_scripts").glob("*.yaml")))
def test_one_kind_of_source_takes_each(home: Path, source: str) -> None:
    given = Given(source=Path(source), content=yaml.safe_load(Path(source).read_text()))
    assert len([name for name in registry.names("draft") if registry.load("draft", name).takes(given)]) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["new", "--from", "nothing.yaml"], "nothing.yaml cannot be read: No such file"),
        (["new", "--from", "conf/optimizer/sgd.yaml"], "none of the configurations that are known"),
        (["new", "nothing.py"], "there is no file ./nothing.py"),
        (["new", "nothing"], "there is no file and no objective 'nothing'"),
        (["new", "sweep.yaml"], "a configuration is given with --from"),
        (["new", "mnist.py"], "mnist.yaml exists; --force replaces it"),
    ],
)
def test_what_cannot_be_made_a_study_is_one_message_and_nothing_is_written(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    Path("mnist.yaml").write_text("mine")
    before = sorted(home.rglob("*"))
    assert main(words) == 2
    assert said in capsys.readouterr().err
    assert sorted(home.rglob("*")) == before
    assert Path("mnist.yaml").read_text() == "mine"


@pytest.mark.parametrize("words", [[], ["mlp"], ["cnn"], ["sklearn"], ["gpt"], ["mnist.py"], ["clicked.py"]])
def test_what_new_writes_is_a_study(home: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert main(["new", *words, "--output", "made.yaml"]) == 0
    study = studyfile.read("made.yaml")
    assert len(study.space) > 1
    assert study.question
    assert "next:  hpo check made.yaml" in capsys.readouterr().out
