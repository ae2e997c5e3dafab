"""A trained model's folder is whole: what it predicts is what was scored, and what is amiss with it or data is told."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import modelfolders
import numpy as np
import pandas as pd
import pytest
from modelfolders import SUITE, TABLES, customers

import hpo
from hpo.objectives import data
from hpo.search.cli import main
from hpo.search.describe.trained import file_digest
from hpo.search.terms.errors import Advice, DataError, UserError

pytestmark = pytest.mark.filterwarnings("ignore:5 cells of 'zone' hold no number")
"""Of ``customers``; one test is about such warnings."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a trained model of each kind."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        modelfolders.written(folder)
        for name in modelfolders.RECIPES:
            modelfolders.trained(folder, name)
    return folder


@pytest.fixture
def here(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of these models in the working directory."""
    shutil.copytree(models, tmp_path / "there")
    monkeypatch.chdir(tmp_path / "there")
    return tmp_path / "there"


def _raw_test_rows(name: str) -> tuple[Any, Any]:
    """Rows of the test part as a user has them, and their targets where these are no column."""
    _, _, spec, _ = modelfolders.RECIPES[name]
    if name == "module":
        x = np.random.default_rng(0).normal(size=(90, 3)).astype("float32")[60:]
        return x, (x[:, 0] > 0).astype("int64")
    loaded = data.load(spec)
    if name == "images":
        return loaded.test.X.reshape(-1, 8, 8), loaded.test.y
    return pd.read_csv("customers.csv", low_memory=False).iloc[loaded.test.rows], None


@pytest.mark.parametrize("name", SUITE)
def test_a_loaded_model_scores_what_was_scored_after_training(here: Path, name: str) -> None:
    rows, targets = _raw_test_rows(name)
    model = hpo.load(name, trust=True)
    assert model.evaluate(rows, targets) == json.loads(Path(name, "metrics.json").read_text())["test"]


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_in_pieces_gives_what_the_whole_gives(
    here: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    monkeypatch.setattr("hpo.objectives.models.predictions.PIECE", 512)
    new = customers(1200, 7)
    new.to_csv("new.csv", index=False) if kind == "csv" else new.to_parquet("new.parquet")
    assert main(["predict", name, "--data", f"new.{kind}", "--output", "out.csv", "--keep", "id"]) == 0
    found = pd.read_csv("out.csv")
    model = hpo.load(name)
    whole = pd.read_csv("new.csv", low_memory=False) if kind == "csv" else new
    assert list(found["id"]) == list(new["id"])
    assert list(found["prediction"]) == list(model.predict(whole))
    if name in ("classes", "forest"):
        shares = found[["probability of no", "probability of yes"]].to_numpy()
        assert shares == pytest.approx(model.predict_proba(whole), abs=1e-7)


def test_what_the_model_does_not_read_is_copied_and_what_is_odd_is_told(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = customers(60, 7)
    new["minutes"] = new["minutes"].astype(object)
    new.loc[3:5, "minutes"] = "many"
    new.loc[7, "plan"] = "gold"
    new.drop(columns="churned").to_csv("new.csv", index=False)
    assert main(["predict", "forest", "--data", "new.csv"]) == 0
    out, err = capsys.readouterr()
    table = pd.read_csv(StringIO(out))
    assert list(table.columns) == ["id", "prediction", "probability of no", "probability of yes"]
    assert len(table) == 60
    assert "3 cells of 'minutes' hold no number or date, such as 'many'" in err
    assert "1 rows of 'plan' hold categories that were not in the training rows, such as 'gold'" in err
    model = hpo.load("forest")
    for use in (model.predict, model.predict_proba, model.evaluate):
        with pytest.warns(Advice) as told:
            use(new)
        texts = [str(one.message) for one in told]
        assert "3 cells of 'minutes' hold no number or date, such as 'many': they count as missing" in texts
        assert {one.filename for one in told} == {__file__}


def test_scores_are_told_where_the_file_has_the_target(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    customers(60, 7).to_csv("new.csv", index=False)
    assert main(["predict", "ridge", "--data", "new.csv", "--output", "out.csv"]) == 0
    assert "scores on the 60 rows with a target: rmse" in capsys.readouterr().err
    rows = customers(60, 7)
    name = hpo.load("classes").schema.target
    rows.loc[3, name] = "perhaps"
    rows.to_csv("odd.csv", index=False)
    assert main(["predict", "classes", "--data", "odd.csv", "--output", "odd.out.csv"]) == 0
    assert "no scores: " in capsys.readouterr().err


def test_rows_that_the_model_was_trained_on_are_named_as_such(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = "is what this model was trained on"
    for name in ("classes", "forest"):
        shutil.copy("customers.csv", "copy.csv")
        assert main(["predict", name, "--data", "copy.csv", "--output", "out.csv", "--force"]) == 0
        assert f"copy.csv {told}" in capsys.readouterr().err
        customers(9, 7).to_csv("new.csv", index=False)
        assert main(["predict", name, "--data", "new.csv", "--output", "out.csv", "--force"]) == 0
        assert told not in capsys.readouterr().err


def test_images_are_predicted_from_arrays_and_other_scales_are_warned_about(here: Path) -> None:
    rows, _ = _raw_test_rows("images")
    np.savez("new.npz", x=rows)
    assert main(["predict", "images", "--data", "new.npz", "--output", "out.csv"]) == 0
    model = hpo.load("images")
    assert [str(label) for label in pd.read_csv("out.csv")["prediction"]] == list(model.predict(rows))
    with pytest.warns(UserWarning, match="pixels are unlike those trained on"):
        model.predict(rows * 255)
    with pytest.raises(DataError, match=r"rows are of shape \[7, 8\], but the model was trained on \[1, 8, 8\]"):
        model.predict(rows[:, 1:])


@pytest.mark.parametrize("name", [*TABLES, "images"])
@pytest.mark.parametrize("sign", [1, -1])
def test_infinite_numbers_are_gaps_in_frames_arrays_csv_and_npz_alike_and_are_told(
    here: Path, capsys: pytest.CaptureFixture[str], name: str, sign: int
) -> None:
    model = hpo.load(name)
    if name == "images":
        gaps = np.random.default_rng(0).random((9, 8, 8))
        gaps[4, 1, 2] = np.nan
        rows = np.where(np.isnan(gaps), sign * np.inf, gaps)
        np.savez("new.npz", x=rows)
        forms, file, told = {"image": rows, "flat": rows.reshape(9, -1)}, "new.npz", "the first in row 4 (from 0) at "
    else:
        gaps = customers(9, 7).assign(plan="pro")  # a file's NA is a gap, a frame's is a text
        gaps.loc[4, "minutes"] = np.nan
        rows = gaps.assign(minutes=gaps["minutes"].where(gaps.index != 4, sign * np.inf))
        rows.to_csv("new.csv", index=False)
        forms, file, told = {"frame": rows}, "new.csv", "1 infinite number, the first in row 4 (from 0) at 'minutes'"
    wanted = list(model.predict(gaps))
    for given in forms.values():
        with pytest.warns(Advice, match=re.escape(told)):
            assert list(model.predict(given)) == wanted
    assert main(["predict", name, "--data", file, "--output", "out.csv"]) == 0
    assert list(pd.read_csv("out.csv", dtype={"prediction": type(wanted[0])})["prediction"]) == wanted
    assert re.search(r"infinite number|cells? of 'minutes' hold", capsys.readouterr().err)


def test_a_network_without_preparation_names_the_place_of_what_is_no_number(here: Path) -> None:
    rows = np.zeros((5, 3), "float32")
    rows[3, 1] = -np.inf
    with pytest.raises(DataError, match=r"hold -inf in row 3 \(from 0\), place \[1\]"):
        hpo.load("module", trust=True).predict(rows)


def test_what_a_row_gives_does_not_depend_on_other_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells that make pandas read a whole column otherwise: gaps among truths, odd texts, dates, leading zeros."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = 300
    yes = rng.random(rows) < 0.5
    frame = pd.DataFrame(
        {
            "key": [f"{i:05d}" for i in range(rows)],
            "flag": np.where(rng.random(rows) < 0.5, "true", "false"),
            "plz": [f"0{value}" for value in rng.integers(10, 14, rows)],
            "betrag": [
                f"{value}" if value < 1000 else f"{value // 1000}.{value % 1000:03d}"
                for value in rng.integers(1, 9999, rows)
            ],
            "day": pd.Series(
                pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 900, rows), unit="D")
            ).dt.strftime("%d.%m.%Y"),
            "amount": np.where(yes, 5.0, 1.0) + rng.normal(size=rows),
            "target": yes.astype(int),
        }
    )
    frame.loc[0, "betrag"] = "1.234,50"
    frame.to_csv("rows.csv", index=False)
    about = {
        "study": "s", "objective": "mlp", "folder": str(tmp_path), "goal": "minimize val_loss",
        "data": {
            "table": {"path": "rows.csv", "target": "target", "drop": "key", "categorical": "plz", "decimal": ","}
        },
    }  # fmt: skip
    Path("r.yaml").write_text(json.dumps({"recipe": {"epochs": 2, "width": 8, "seed": 0}, "about": about}))
    assert main(["train", "r.yaml", "--output", "model"]) == 0
    new = pd.read_csv("rows.csv", dtype=str, keep_default_na=False)

    def predicted(table: pd.DataFrame) -> pd.DataFrame:
        table.to_csv("new.csv", index=False)
        assert main(["predict", "model", "--data", "new.csv", "--output", "out.csv", "--force"]) == 0
        return pd.read_csv("out.csv", dtype=str)

    whole = predicted(new.iloc[:64])
    assert list(whole["key"]) == list(new["key"][:64])
    odd = new.iloc[[0]].assign(flag="", plz="D-1", betrag="x", day="", amount="NA", key="7e5")
    beside = predicted(pd.concat([new.iloc[:64], odd]))
    names = [name for name in whole.columns if name.startswith("probability")]
    assert list(beside["prediction"][:64]) == list(whole["prediction"])
    assert beside[names].astype(float).to_numpy()[:64] == pytest.approx(whole[names].astype(float).to_numpy(), abs=1e-6)
    assert beside["key"].iloc[-1] == "7e5"
    assert data.load(about["data"]).train.X["plz"].str.startswith("0").all()


def test_a_line_that_is_cut_short_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = customers(20).to_csv(index=False)
    Path("new.csv").write_text(text[: text.rindex(",")] + "\n")
    assert main(["predict", "classes", "--data", "new.csv"]) == 2
    assert "is the file cut short?" in capsys.readouterr().err


def test_targets_belong_to_their_rows(here: Path) -> None:
    model, table = hpo.load("classes"), pd.read_csv("customers.csv", low_memory=False).iloc[:200]
    alike = model.evaluate(table.drop(columns="churned"), table["churned"].sample(frac=1, random_state=0))
    assert alike == model.evaluate(table)
    assert model.evaluate(table.drop(columns="churned"), list(table["churned"])) == alike
    with pytest.raises(DataError, match="200 rows, but 5 targets"):
        model.evaluate(table.drop(columns="churned"), ["no"] * 5)


@pytest.mark.parametrize("name", SUITE)
def test_no_rows_give_no_predictions(here: Path, name: str) -> None:
    rows, _ = _raw_test_rows(name)
    assert len(hpo.load(name, trust=True).predict(rows[:0])) == 0


def test_a_module_of_the_users_predicts_arrays_of_a_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, _ = _raw_test_rows("module")
    np.savez("new.npz", x=rows)
    assert main(["predict", "module", "--yes", "--data", "new.npz", "--output", "out.csv"]) == 0
    model = hpo.load("module", trust=True)
    assert list(pd.read_csv("out.csv")["prediction"]) == list(model.predict(rows))
    customers(6).to_csv("new.csv", index=False)
    assert main(["predict", "module", "--yes", "--data", "new.csv"]) == 2
    assert "the model reads arrays" in capsys.readouterr().err
    with pytest.raises(DataError, match=r"rows are of shape \[2\], but the model was trained on \[3\]"):
        model.predict(rows[:, :2])


def test_pixels_of_another_type_are_taken_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    pixels, y = rng.integers(0, 256, (80, 6, 6)), np.arange(80) % 2
    pixels[y == 1, :3] //= 3
    np.savez("x.npz", x=pixels.astype(np.float32), y=y)
    about = {"study": "s", "objective": "cnn", "folder": str(tmp_path), "goal": "minimize val_loss"}
    recipe = {"epochs": 2, "channels": 4, "depth": 1, "seed": 0}
    Path("r.yaml").write_text(json.dumps({"recipe": recipe, "about": {**about, "data": {"npz": {"path": "x.npz"}}}}))
    assert main(["train", "r.yaml", "--output", "model"]) == 0
    model = hpo.load("model")
    assert (model.predict_proba(pixels.astype(np.uint8)) == model.predict_proba(pixels.astype(np.float32))).all()


def test_a_model_of_the_users_own_is_loaded_by_its_own_function(here: Path) -> None:
    pd.DataFrame({"x": [1.0, 2.0]}).to_csv("new.csv", index=False)
    assert main(["predict", "own", "--yes", "--data", "new.csv", "--output", "out.csv"]) == 0
    assert list(pd.read_csv("out.csv")["prediction"]) == [2.5, 5.0]


@pytest.mark.parametrize("name", ["module", "own"])
def test_code_that_the_user_has_not_run_here_is_named_and_not_run(
    here: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    with pytest.raises(UserError, match=r"would run .*; if you trust it, add --yes \(in Python: trust=True\)"):
        hpo.load(name)
    customers(6).to_csv("new.csv", index=False)
    assert main(["predict", name, "--data", "new.csv"]) == 2
    assert "--yes" in capsys.readouterr().err


def test_a_copied_folder_needs_nothing_from_where_it_was_trained(here: Path, models: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    shutil.copytree(here / "module", away)
    for file in here.glob("*.py"):
        file.unlink()
    rows, _ = _raw_test_rows("module")
    assert hpo.load(away, trust=True).predict_proba(rows).shape == (30, 2)


def _changed(name: str) -> None:
    with Path("classes", name).open("ab") as file:
        file.write(b" ")


def _format(value: object) -> None:
    path = Path("classes", "manifest.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": value}))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda: _changed("weights.safetensors"), "is not the one that was trained"),
        (lambda: _changed("model.json"), "is not the one that was trained"),
        (lambda: Path("classes", "weights.safetensors").unlink(), "lacks weights.safetensors"),
        (lambda: Path("classes", "manifest.json").unlink(), "has no manifest.json"),
        (lambda: Path("classes", "manifest.json").write_text("{"), "cannot be read"),
        (lambda: _format(99), "update hpo"),
        (lambda: _format("x"), "train it again"),
        (lambda: shutil.rmtree("classes"), "there is no folder classes"),
    ],
)
def test_a_folder_that_is_not_as_it_was_written_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], damage: Any, told: str
) -> None:
    damage()
    Path("out.csv").write_text("mine")
    customers(6).to_csv("new.csv", index=False)
    assert main(["predict", "classes", "--data", "new.csv", "--output", "out.csv", "--force"]) == 2
    message = capsys.readouterr().err.strip()
    assert told in message
    assert "\n" not in message
    assert Path("out.csv").read_text() == "mine"


@pytest.mark.parametrize(
    ("rows", "options", "told"),
    [
        (lambda: customers(6).drop(columns=["plan", "paid"]), (), "lacks 2 of the columns the model was trained on"),
        (lambda: customers(6).rename(columns={"minutes": "minute"}), (), "did you mean 'minute'"),
        (lambda: customers(9).iloc[:0], (), "has no rows"),
        (lambda: customers(6), ("--keep", "idd"), "did you mean 'id'"),
        (lambda: customers(6).assign(prediction=1), (), "name those to copy with --keep"),
    ],
)
def test_rows_that_do_not_fit_are_refused_and_nothing_is_overwritten(
    here: Path, capsys: pytest.CaptureFixture[str], rows: Any, options: tuple[str, ...], told: str
) -> None:
    rows().to_csv("new.csv", index=False)
    Path("out.csv").write_text("mine")
    assert main(["predict", "classes", "--data", "new.csv", "--output", "out.csv", "--force", *options]) == 2
    assert told in capsys.readouterr().err
    assert Path("out.csv").read_text() == "mine"
    assert main(["predict", "classes", "--data", "new.csv", "--output", "out.csv", *options]) == 2
    assert "--force replaces it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("network.inputs", [3]), ("network.inputs", [-1]), ("network.outputs", []), ("network.outputs", [3]),
        ("network.rows", "x"), ("network.rows", 2.5), ("preprocessing.schema.classes", ["yes"]),
        ("preprocessing.preparation.image", []), ("preprocessing.preparation.flagged", [0, 1, 2]),
    ],
)  # fmt: skip
def test_a_description_that_does_not_fit_the_weights_is_one_message_although_it_is_sealed(
    here: Path, capsys: pytest.CaptureFixture[str], path: str, value: Any
) -> None:

    about = json.loads(Path("classes", "model.json").read_text())
    *outer, last = path.split(".")
    part = about
    for key in outer:
        part = part[key]
    part[last] = value
    Path("classes", "model.json").write_text(json.dumps(about))
    manifest = json.loads(Path("classes", "manifest.json").read_text())
    manifest["files"]["model.json"] = file_digest(Path("classes", "model.json"))
    Path("classes", "manifest.json").write_text(json.dumps(manifest))
    capsys.readouterr()
    assert main(["predict", "classes", "--data", "customers.csv", "--output", "out.csv"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not Path("out.csv").exists()


def test_types_of_other_packages_are_not_loaded(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import skops.io

    class Foreign:
        value = 1

    Foreign.__module__, Foreign.__qualname__ = "elsewhere", "Foreign"
    skops.io.dump(Foreign(), Path("forest", "model.skops"))
    manifest = json.loads(Path("forest", "manifest.json").read_text())
    manifest["files"]["model.skops"] = file_digest(Path("forest", "model.skops"))
    Path("forest", "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"elsewhere\.Foreign.* not scikit-learn's"):
        hpo.load("forest")
