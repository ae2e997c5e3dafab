"""A study that starts from another's model: resumed, replayed, exported and trained again it is the same study."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import modelfolders
import pytest

import hpo
from hpo.search.cli import main
from hpo.search.store import open_store
from hpo.search.store.names import CONFIRM

STUDY = """
# How much of what was learnt before helps?
objective: mlp
goal: minimize val_loss
data: iris
search:
  learning_rate: {{float: [1e-3, 1e-2], log: true}}
  freeze: {{int: [0, 1]}}
  layer_decay: {{float: [0.3, 1]}}
  lora_rank: {{choice: [0, 2]}}
fixed: {{epochs: 2, width: 8, depth: 1}}
pruner: none
confirm: {{top: 2, seeds: 1}}
start_from: {start}
budget: {{trials: {trials}}}
"""


def written(name: str, start: str = "source", trials: int = 6) -> None:
    Path(f"{name}.yaml").write_text(STUDY.format(start=start, trials=trials).lstrip())


def curves(name: str) -> list[Any]:
    """Points of the space and curves of a study's trials, and of its fresh runs."""
    stored = [open_store("hpo.db").read(own) for own in (name, name + CONFIRM)]
    return [[(t.params, t.intermediate_values) for t in own.trials] for own in stored if own is not None]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A source whose winner was trained, and a study that started from it."""
    folder = tmp_path_factory.mktemp("start")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        written("source", "null", 2)
        written("later")
        for words in (
            ["run", "--study", "source.yaml", "--set", "freeze=0", "--set", "lora_rank=0"],
            ["export", "--study", "source", "--output", "source.best.yaml"],
            ["train", "source.best.yaml"],
            ["run", "--study", "later.yaml"],
            ["export", "--study", "later", "--output", "best.yaml"],
        ):
            assert main(words) == 0
        yield folder


@pytest.fixture
def here(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy in the working directory."""
    shutil.copytree(finished, tmp_path / "there")
    monkeypatch.chdir(tmp_path / "there")
    return tmp_path / "there"


def test_a_resumed_study_is_the_one_that_ran_through(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished)
    written("halved")
    assert main(["run", "--study", "halved.yaml", "--trials", "3", "--confirm", "none"]) == 0
    assert main(["run", "--study", "halved.yaml"]) == 0
    assert curves("halved") == curves("later")


def test_lanes_of_a_cohort_and_trials_one_by_one_are_the_same_study(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished)
    written("single")
    assert main(["run", "--study", "single.yaml", "--executor", "inline"]) == 0
    assert curves("single") == curves("later")


def test_a_trial_is_replayed_and_the_winner_trained_again_to_the_last_bit(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(finished)
    assert main(["replay", "later", "3"]) == 0
    assert "the curve equals the recorded one exactly" in capsys.readouterr().out
    assert main(["train", "best.yaml", "--output", "again"]) == 0
    assert "the curve equals the recorded one exactly" in capsys.readouterr().out
    from hpo.objectives import data

    test = data.load("iris", json.loads(Path("again", "manifest.json").read_text())["task"]["split_seed"]).test
    assert hpo.load("again").evaluate(test.X, test.y) == json.loads(Path("again", "metrics.json").read_text())["test"]


def test_other_weights_are_another_study_and_another_training(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "source.best.yaml", "--seed", "5", "--force"]) == 0
    capsys.readouterr()
    assert main(["run", "--study", "later.yaml", "--trials", "7"]) == 2
    assert "start_from: " in capsys.readouterr().err
    exported = Path("best.yaml").read_text()
    named = next(line for line in exported.splitlines() if "start_from:" in line)
    Path("moved.yaml").write_text(exported.replace(named, f"  start_from: {here}/source-model"))
    assert main(["train", "moved.yaml", "--output", "other"]) == 0
    assert "what it starts from is another one" in capsys.readouterr().out


def test_a_changed_folder_is_refused_before_anything_is_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Path("source-model", "weights.safetensors").open("ab") as file:
        file.write(b" ")
    written("third")
    assert main(["run", "--study", "third.yaml", "--storage", "other.db"]) == 2
    assert "is not the one that was trained: restore it" in capsys.readouterr().err
    assert "third" not in open_store("other.db").names()
    exported = Path("best.yaml").read_text()
    named = next(line for line in exported.splitlines() if "start_from:" in line)
    Path("moved.yaml").write_text(exported.replace(named, f"  start_from: {here}/source-model"))
    assert main(["train", "moved.yaml", "--output", "fourth"]) == 2
    told = capsys.readouterr()
    assert "is not the one that was trained: restore it" in told.err
    assert "step 1" not in told.out


def test_a_language_model_goes_on_from_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model of half the depth hands on what it has, and what is new is said once."""
    monkeypatch.chdir(tmp_path)
    modelfolders.written(tmp_path)
    modelfolders.trained(tmp_path, "stream")
    content = json.loads(Path("stream.yaml").read_text())
    content["about"]["start_from"] = "./stream"
    content["recipe"] |= {"depth": 2, "freeze": 2, "lora_rank": 2}
    Path("deeper.yaml").write_text(json.dumps(content))
    capsys.readouterr()
    assert main(["train", "deeper.yaml", "--output", "deeper"]) == 0
    told = capsys.readouterr()
    assert (told.out + told.err).count("tensors are those of stream; new: ") == 1
    before, after = (hpo.load(name).predictor.network.state_dict(hpo.load(name).predictor.weights) for name in
                     ("stream", "deeper"))  # fmt: skip
    kept = [name for name in before if name.startswith(("0.", "1.", "3."))]
    assert len(kept) == 14
    assert all((before[name] == after[name]).all() for name in kept)
