"""What a model and a study follow from: columns with intervals, knobs with shares, nothing where nothing is known."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hpo.search.cli import main


def rows(count: int, seed: int) -> pd.DataFrame:
    """The target follows from ``strong``, a little from ``kind`` and the month of ``day``, and not from ``noise``."""
    rng = np.random.default_rng(seed)
    strong, noise = rng.normal(size=count), rng.normal(size=count)
    kind = rng.choice(["a", "b"], count)
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 360, count), unit="D")
    score = 3 * strong + 1.5 * (kind == "b") + 1.5 * (day.month > 6) + rng.normal(size=count)
    target = np.where(score > 1.5, "yes", "no")
    return pd.DataFrame(
        {
            "strong": strong,
            "noise": noise,
            "kind": kind,
            "day": day.strftime("%Y-%m-%d"),
            "target": target,
            "value": score,
        }
    )


@pytest.fixture(scope="module", params=["mlp", "forest", "ridge"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rows and a trained model of this name."""
    folder = tmp_path_factory.mktemp(request.param)
    rows(900, 1).to_csv(folder / "rows.csv", index=False)
    target, drop = ("value", "target") if request.param == "ridge" else ("target", "value")
    recipe = {
        "mlp": {"epochs": 6, "width": 16, "learning_rate": 0.01},
        "forest": {"estimator": "RandomForestClassifier", "n_estimators": 20, "epochs": 2},
        "ridge": {"estimator": "Ridge", "folds": 2},
    }[request.param]
    about = {
        "study": request.param, "objective": "mlp" if request.param == "mlp" else "sklearn", "folder": str(folder),
        "data": {"table": {"path": "rows.csv", "target": target, "drop": drop}},
        "goal": "minimize val_rmse" if request.param == "ridge" else "maximize val_accuracy",
    }  # fmt: skip
    (folder / "r.yaml").write_text(json.dumps({"recipe": {**recipe, "seed": 0}, "about": about}))
    assert main(["train", str(folder / "r.yaml"), "--output", str(folder / "model")]) == 0
    return folder


@pytest.fixture
def model(trained: Path, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A copy of such a model's folder in the working directory; returns its kind."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return str(request.node.callspec.params["trained"])


def test_columns_that_matter_do_and_noise_has_an_interval_around_zero(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows(1500, 2).to_csv("new.csv", index=False)
    capsys.readouterr()
    assert main(["explain", "model", "--data", "new.csv", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    columns = {column["name"]: column for column in found["columns"]}
    assert found["columns"][0]["name"] == "strong"
    for name in ("strong", "kind", "day"):
        assert columns[name]["importance"] > columns[name]["half"], name
    assert abs(columns["noise"]["importance"]) <= 2 * columns["noise"]["half"]
    dependence = [mean for _, mean in columns["strong"]["dependence"]]
    assert dependence[-1] > dependence[0]
    assert main(["explain", "model"]) == 0
    told = capsys.readouterr().out
    assert "rows of its test part" in told
    assert "how the p" in told
    assert ("integrated gradients" in told) == (model == "mlp")
    if model == "mlp":
        assert columns["strong"]["attribution"] > 3 * columns["noise"]["attribution"] > 0


def test_what_cannot_be_explained_says_why(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows(10, 2).to_csv("few.csv", index=False)
    assert main(["explain", "model", "--data", "few.csv"]) == 2
    assert "10 rows are too few" in capsys.readouterr().err
    rows(40, 2).drop(columns=["target", "value"]).to_csv("bare.csv", index=False)
    assert main(["explain", "model", "--data", "bare.csv"]) == 2
    assert "lacks 1 of the columns" in capsys.readouterr().err
    assert main(["explain", "nothing", "--data", "few.csv"]) == 2
    assert "there is no folder nothing" in capsys.readouterr().err


def test_a_page_holds_every_figure_and_is_not_written_over(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "model", "--output", "model.html"]) == 0
    assert "wrote model.html" in capsys.readouterr().out
    page = Path("model.html").read_text()
    assert "Which columns matter" in page
    assert "With strong" in page
    assert ("How far columns move" in page) == (model == "mlp")
    assert "http" not in page
    assert main(["explain", "model", "--output", "model.html"]) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["explain", "model", "--prompt", "words"]) == 2
    assert "--prompt is text for a language model to read" in capsys.readouterr().err
    assert main(["explain", "study", "--output", "other.html"]) == 2
    assert "of a study hpo report draws a page" in capsys.readouterr().err
    assert not Path("other.html").exists()


@pytest.fixture(params=["cnn", "mlp", "forest"])
def of_images(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A model of images whose class is where in the left half there is light; the right half is noise."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    x, y = random.random((240, 6, 8)), random.integers(0, 2, 240)
    x[:, :3, :4] += (y == 0)[:, None, None]
    x[:, 3:, :4] += (y == 1)[:, None, None]
    np.savez("light.npz", x=x, y=y)
    recipe = {
        "cnn": {"epochs": 3, "channels": 4, "depth": 1, "learning_rate": 0.02},
        "mlp": {"epochs": 3, "width": 8, "learning_rate": 0.02},
        "forest": {"estimator": "RandomForestClassifier", "n_estimators": 5, "folds": 2},
    }[request.param]
    about = {
        "study": "light", "objective": "sklearn" if request.param == "forest" else request.param,
        "folder": str(tmp_path), "data": {"npz": {"path": "light.npz"}}, "goal": "maximize val_accuracy",
    }  # fmt: skip
    Path("r.yaml").write_text(json.dumps({"recipe": {**recipe, "seed": 0}, "about": about}))
    assert main(["train", "r.yaml", "--output", "model"]) == 0
    return str(request.param)


def test_pixels_that_tell_are_seen_and_hiding_them_moves_the_answer(
    of_images: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    if of_images == "forest":
        assert main(["explain", "model"]) == 2
        assert "the model reads images and is no single network" in capsys.readouterr().err
        return
    assert main(["explain", "model", "--json", "--output", "model.html"]) == 0
    found = json.loads(capsys.readouterr().out)
    average = np.array(found["average"])
    assert average.shape == (6, 8)
    assert average[:, :4].mean() > 2 * average[:, 4:].mean()
    assert found["moved"] > 1.5 * found["moved_at_random"]
    for picture in found["pictures"]:
        assert np.array(picture["saliency"]).shape == (6, 8)
        assert len(picture["features"]) == (4 if of_images == "cnn" else 0)
    assert ("Feature maps" in Path("model.html").read_text()) == (of_images == "cnn")
    assert main(["explain", "model"]) == 0
    assert "█" in capsys.readouterr().out


def test_a_study_is_explained_by_its_knobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bowl.py").write_text("def train(*, x: float = 0.0, y: float = 0.0):\n    return x**2 + 0.01 * y\n")
    space = "{x: {float: [-1, 1]}, y: {float: [-1, 1]}}"
    Path("bowl.yaml").write_text(
        f"objective: ./bowl.py\ngoal: minimize value\nsearch: {space}\nbudget: {{trials: 30}}\nsampler: random\n"
        "confirm: none\n"
    )
    assert main(["run", "bowl.yaml", "--quiet", "--trials", "10"]) == 0
    capsys.readouterr()
    assert main(["explain", "bowl"]) == 0
    assert "not identified: 10 complete trials are too few, 20 are needed" in capsys.readouterr().out
    assert main(["run", "bowl.yaml", "--quiet"]) == 0
    capsys.readouterr()
    assert main(["explain", "bowl", "--json"]) == 0
    shares = json.loads(capsys.readouterr().out)["importance"]
    assert shares["x"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)


def test_free_text_is_explained_by_how_much_it_matters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    words = [f"{' '.join(rng.choice(list('abcdefgh'), 6))} {'late' if i % 2 else 'soon'} {i}" for i in range(240)]
    pd.DataFrame({"note": words, "size": rng.normal(size=240), "y": np.arange(240) % 2}).to_csv("t.csv", index=False)
    about = {"study": "t", "objective": "sklearn", "folder": ".", "data": {"table": {"path": "t.csv", "target": "y"}}}
    recipe = {"estimator": "LogisticRegression", "folds": 2, "seed": 0}
    Path("r.yaml").write_text(json.dumps({"recipe": recipe, "about": {**about, "goal": "maximize val_accuracy"}}))
    assert main(["train", "r.yaml", "--output", "model"]) == 0
    capsys.readouterr()
    assert main(["explain", "model", "--json"]) == 0
    columns = {column["name"]: column for column in json.loads(capsys.readouterr().out)["columns"]}
    assert columns["note"]["importance"] > columns["note"]["half"]
    assert columns["note"]["dependence"] == []
    assert columns["size"]["dependence"]
