"""A network is made smaller by a study, and the folder that comes of it is a model like any other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import modelfolders
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import hpo
from hpo.objectives import data
from hpo.search import studyfile
from hpo.search.cli import main
from hpo.search.terms.errors import StudyFileError

pytestmark = pytest.mark.filterwarnings("ignore::hpo.search.terms.errors.Advice")

SEARCH = {"prune": {"float": [0.3, 0.8]}, "prune_by": {"choice": ["global", "rows"]}, "int8": {"choice": [False, True]}}
GOALS = ["maximize val_accuracy", "minimize kilobytes", "minimize latency_1"]
RECIPES: dict[str, tuple[str, dict[str, Any]]] = {
    "rows": ("classes", {"prune": 0.5, "prune_by": "rows", "rank": 2, "int8": True}),
    "zeros": ("values", {"prune": 0.9, "prune_by": "layer", "alpha": 0.5, "weight_decay": 0.1, "optimizer": "adam"}),
    "channels": ("images", {"prune": 0.5, "prune_by": "rows", "alpha": 1.0, "temperature": 1.0}),
    "student": ("images", {"student_width": 2, "alpha": 0.5, "int8": True}),
}
"""Source and what is done to it."""


def recipe_file(name: str, source: str, knobs: dict[str, Any], folder: Path) -> None:
    about = {
        "study": name, "objective": "compress", "data": {"model": {"path": source}}, "folder": str(folder),
        "goal": "minimize val_loss",
    }  # fmt: skip
    Path(f"{name}.yaml").write_text(json.dumps({"recipe": {"epochs": 1, "seed": 5, **knobs}, "about": about}))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Sources, and smaller ones of them."""
    folder = tmp_path_factory.mktemp("compressed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        modelfolders.written(folder)
        for name in ("classes", "values", "images", "ridge"):
            modelfolders.trained(folder, name)
        for name, (source, knobs) in RECIPES.items():
            recipe_file(name, source, knobs, folder)
            modelfolders.trained(folder, name)
        yield folder


@pytest.fixture
def here(models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(models)
    return models


def held_out_rows(name: str) -> tuple[Any, Any]:
    """Raw rows of the test part of a source's data."""
    loaded = data.load(modelfolders.RECIPES[name][2])
    if name == "images":
        return loaded.test.X.reshape(-1, 8, 8), loaded.test.y
    return pd.read_csv("customers.csv", low_memory=False).iloc[loaded.test.rows], None


@pytest.mark.parametrize("name", RECIPES)
def test_a_smaller_model_is_loaded_and_scores_what_was_scored_and_its_file_is_as_large_as_was_told(
    here: Path, name: str
) -> None:
    source = RECIPES[name][0]
    metrics = json.loads(Path(name, "metrics.json").read_text())
    assert hpo.load(name).evaluate(*held_out_rows(source)) == metrics["test"]
    size = Path(name, "weights.safetensors").stat().st_size
    assert size == round(metrics["validation"]["kilobytes"] * 1000)
    assert size < Path(source, "weights.safetensors").stat().st_size


def test_weights_that_were_pruned_are_still_0_after_training(here: Path) -> None:
    row = hpo.load("zeros").predictor
    network, values = row.network, row.network.views(row.weights[None])
    for parameter, value in zip(network.parameters, values, strict=True):
        if parameter.matrix:
            assert int((value == 0).sum()) >= round(0.9 * parameter.size)
    assert load_file("zeros/weights.safetensors")["1.weight.kept"].dtype == torch.uint8


def test_a_smaller_model_predicts_on_files_as_its_source_does(here: Path) -> None:
    modelfolders.customers(50, 3).to_csv("new.csv", index=False)
    assert main(["predict", "rows", "--data", "new.csv", "--output", "out.csv", "--force"]) == 0
    assert list(pd.read_csv("out.csv")["prediction"]) == list(hpo.load("rows").predict(pd.read_csv("new.csv")))
    assert json.loads(Path("rows", "manifest.json").read_text())["objective"] == "mlp"


def test_a_study_of_two_goals_and_a_clock_has_a_front_and_its_winner_is_trained(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = hpo.run(
        {
            "name": "small", "objective": "compress", "data": {"model": {"path": str(here / "classes")}}, "goal": GOALS,
            "search": SEARCH, "fixed": {"epochs": 1}, "budget": {"trials": 3}, "sampler": "random", "confirm": "none",
        }
    )  # fmt: skip
    assert result.trials["state"].eq("complete").all()
    assert (result.trials["latency_1"] > 0).all()
    result.export("small.yaml")
    capsys.readouterr()
    assert main(["train", "small.yaml"]) == 0
    assert "the curve equals the recorded one exactly" in capsys.readouterr().out
    assert isinstance(hpo.load("small-model").predict(modelfolders.customers(9))[0], str)


MODULE = {"objective": "./network.py", "goal": "minimize val_loss", "search": {"width": {"choice": [4, 6]}}}


def test_a_network_of_the_users_own_is_pruned_and_taught_but_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    modelfolders.written(tmp_path)
    study = {**MODULE, "name": "own", "fixed": {"epochs": 1}, "budget": {"trials": 2}, "confirm": "none"}
    hpo.run(study).export("own.yaml")
    assert main(["train", "own.yaml"]) == 0
    for name, knobs in (("fewer", {"prune": 0.8, "int8": True}), ("other", {"student_width": 2, "alpha": 0.5})):
        recipe_file(name, "own-model", knobs, tmp_path)
        modelfolders.trained(tmp_path, name)
        x = np.random.default_rng(json.loads(Path(name, "manifest.json").read_text())["task"]["split_seed"])
        rows = x.normal(size=(90, 3)).astype("float32")[60:]
        scores = hpo.load(name).evaluate(rows, (rows[:, 0] > 0).astype("int64"))
        assert scores == json.loads(Path(name, "metrics.json").read_text())["test"]
    for knobs, told in (({"rank": 2}, "module of your own"), ({"student_depth": 2}, "no knob depth")):
        recipe_file("cut", "own-model", knobs, tmp_path)
        assert main(["train", "cut.yaml", "--output", "cut"]) == 2
        assert told in capsys.readouterr().err


def wrong(**settings: Any) -> str:
    study = {"objective": "compress", "goal": "maximize val_accuracy", "search": SEARCH, **settings}
    with pytest.raises(StudyFileError) as caught:
        hpo.run(study)
    return str(caught.value)


def test_a_source_that_is_none_is_refused_with_what_to_do(here: Path, tmp_path: Path) -> None:
    def source(path: Path | str) -> str:
        return wrong(data={"model": {"path": str(path)}})

    assert "hpo train nowhere.yaml --output nowhere-model" in source("nowhere-model")
    assert "only those are compressed" in source("ridge")
    assert "compressed already" in source("rows")
    shutil.copytree("classes", tmp_path / "changed")
    (tmp_path / "changed" / "model.json").write_text("{}")
    assert "is not the one that was trained" in source(tmp_path / "changed")
    told = {"model": {"path": "classes"}}
    with pytest.raises(StudyFileError, match="objective: compress"):
        hpo.run(
            {"objective": "mlp", "goal": "maximize val_accuracy", "search": {"width": {"int": [1, 2]}}, "data": told}
        )


def test_a_source_is_a_study_its_file_or_a_folder_and_a_mistake_in_it_has_its_remedy(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(here / "classes", "churn-model")
    Path("other.yaml").write_text("name: churn\nobjective: mlp\n")
    study = {"objective": "compress", "goal": "minimize val_loss", "search": SEARCH}
    found = {"model": {"path": str(tmp_path / "churn-model")}}
    for named in ("churn", "other.yaml", "churn-model", "./churn-model"):
        assert studyfile.read({**study, "source": named}).data == found
    assert studyfile.read({**study, "data": "digits"}, [("source", "churn")]).data == found
    assert "hpo export --study none --output none.best.yaml; hpo train none.best.yaml" in wrong(source="none")
    assert "there is no ./none" in wrong(source="./none")
    assert "names a study or a model's folder, got a list" in wrong(source=["churn"])
    assert "drop data, or source" in wrong(source="churn", data="digits")
    Path("other.txt").touch()
    assert "other.txt is no model's folder" in wrong(source="other.txt")
    assert "start_from names weights" in wrong(source="churn", objective="mlp")
    shutil.rmtree("churn-model")
    assert "no folder churn-model beside the study" in wrong(source="other.yaml")


def test_a_clock_is_no_first_goal_and_prunes_nothing() -> None:
    assert "read off a clock" in wrong(goal="minimize latency_1")
    assert "name it after another" in wrong(goal=["minimize latency_64", "maximize val_accuracy"])
    both = ["maximize val_accuracy", "minimize latency_1"]
    assert "nothing is pruned by it" in wrong(goal=both, pruner={"median": {"goal": "latency_1"}})
