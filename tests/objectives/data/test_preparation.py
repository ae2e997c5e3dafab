"""A preparation as plain data gives the bits that training saw, out of the raw table, and predicts what was scored."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from hpo.objectives import data
from hpo.objectives.data import scores
from hpo.objectives.data.preparation import Preparation
from hpo.objectives.data.prepare import preprocessor
from hpo.objectives.data.words import Words
from hpo.search.cli import main
from hpo.search.terms.errors import DataError


def through_json(preparation: Preparation) -> Preparation:
    return Preparation.from_plain(json.loads(json.dumps(preparation.plain())))


def churn(rows: int = 240) -> pd.DataFrame:
    """Gaps, dates with hours, decimal commas, rare and padded categories, a column that names categories by numbers."""
    rng = np.random.default_rng(1)
    leaves = rng.random(rows) < 0.4
    plan = rng.choice(["basic", "plus ", "NA", "pro"], rows).astype(object)
    plan[:2] = ["odd", "rare"]
    moments = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 9000, rows), unit="h")
    return pd.DataFrame(
        {
            "seen": moments.strftime("%Y-%m-%d %H:%M"),
            "plan": plan,
            "minutes": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(200 - 40 * leaves, 40, rows)),
            "paid": [f"{value:.2f}".replace(".", ",") for value in rng.normal(20 + 3 * leaves, 4, rows)],
            "zone": rng.integers(1, 4, rows),
            "churned": np.where(leaves, "yes", "no"),
            "amount": rng.normal(50, 9, rows) + 20 * leaves,
        }
    )


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**31), st.integers(40, 200), st.booleans(), st.booleans())
def test_it_computes_what_scikit_learn_does_to_the_last_bit(
    tmp_path: Path, seed: int, rows: int, nonnegative: bool, gaps: bool
) -> None:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "a": rng.normal(0, 10.0 ** rng.integers(-8, 9), rows),
            "b": np.where(rng.random(rows) < (0.3 if gaps else 0), np.nan, rng.integers(-5, 5, rows)),
            "c": rng.choice(["u", "v", "w", " x", "y"], rows, p=[0.4, 0.4, 0.1, 0.08, 0.02]),
            "d": rng.choice([f"k{i}" for i in range(9)], rows),
            "y": np.arange(rows) % 2,
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    loaded = data.load({"table": {"path": str(tmp_path / "t.csv"), "target": "y"}}, seed % 100)
    fitted = preprocessor(loaded, Words(), nonnegative=nonnegative).fit(loaded.train.X)
    preparation = through_json(Preparation.of(fitted, loaded.columns, loaded.features))
    for part in (loaded.train, loaded.validation, loaded.test):
        expected = fitted.transform(part.X)
        assert preparation.transform(part.X).tobytes() == np.ascontiguousarray(expected).tobytes()
        raw = pd.read_csv(tmp_path / "t.csv").iloc[part.rows]
        assert preparation.rows(raw).tobytes() == np.ascontiguousarray(expected).tobytes()


@pytest.mark.parametrize("name", [*data.NAMES])
def test_bundled_sets_are_prepared_alike_through_plain_data(name: str) -> None:
    loaded = data.load(name)
    arrays = data.arrays(loaded)
    again = through_json(arrays.preparation)
    assert again.rows(loaded.test.X).tobytes() == arrays.test.X.tobytes()
    if loaded.image is None:
        fitted = preprocessor(loaded, Words()).fit(loaded.train.X)
        plain = through_json(Preparation.of(fitted, loaded.columns, loaded.features))
        assert plain.rows(loaded.test.X).tobytes() == np.ascontiguousarray(fitted.transform(loaded.test.X)).tobytes()


def trained(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Search, export and train as a user does; gives ``model.json`` and ``metrics.json``."""
    monkeypatch.chdir(folder)
    churn().to_csv(folder / "churn.csv", index=False)
    (folder / "s.yaml").write_text(text)
    assert main(["run", "s.yaml", "--quiet"]) == 0
    assert main(["export", "--study", "s", "--output", "best.yaml"]) == 0
    assert main(["train", "best.yaml", "--output", "model"]) == 0
    return json.loads((folder / "model" / "model.json").read_text()), json.loads(
        (folder / "model" / "metrics.json").read_text()
    )


def raw_test_rows(model: dict[str, Any], spec: dict[str, Any], folder: Path) -> tuple[pd.DataFrame, Any, data.Dataset]:
    """Rows of the test part as the CSV has them, its targets, and the data set."""
    loaded = data.load(spec["data"], spec["split_seed"])
    return pd.read_csv(folder / "churn.csv").iloc[loaded.test.rows], loaded.test.y, loaded


STUDY = """
objective: %s
goal: %s
data: {table: {path: churn.csv, target: %s, categorical: zone}}
search: {%s}
fixed: {%s}
budget: {trials: 2}
confirm: none
"""


@pytest.mark.parametrize(
    ("fixed", "search"),
    [
        ("estimator: RandomForestClassifier, n_estimators: 8, epochs: 2", "max_depth: {int: [2, 5]}"),
        ("estimator: LogisticRegression, folds: 2", "C: {float: [0.1, 9]}"),
        ("estimator: MultinomialNB, folds: 2", "alpha: {float: [0.1, 9]}"),
    ],
)
def test_a_saved_estimator_predicts_on_the_raw_table_what_was_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fixed: str, search: str
) -> None:
    import skops.io

    text = STUDY % ("sklearn", "maximize val_accuracy", "churned", search, fixed)
    model, metrics = trained(tmp_path, monkeypatch, text.replace("target: churned", "target: churned, drop: amount"))
    spec = {
        "table": {"path": str(tmp_path / "churn.csv"), "target": "churned", "drop": "amount", "categorical": "zone"}
    }
    seed = _split_seed()
    raw, y, loaded = raw_test_rows(model, {"data": spec, "split_seed": seed}, tmp_path)
    file = tmp_path / "model" / "model.skops"
    estimator = skops.io.load(file, trusted=skops.io.get_untrusted_types(file=file))[-1]
    X = Preparation.from_plain(model["preparation"]).rows(raw)
    found = scores.classification(y, estimator.predict(X), 2, probabilities=estimator.predict_proba(X))
    assert {name: metrics["test"][name] for name in found} == found
    assert "seen.hour" in loaded.features


def _split_seed() -> int:
    from hpo.search.terms.recipe import derive_seed

    return derive_seed(0, "split")


def test_a_saved_network_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = STUDY % (
        "mlp",
        "minimize val_rmse",
        "amount",
        "width: {choice: [4, 8]}",
        "epochs: 2, depth: 1, activation: relu",
    )
    model, metrics = trained(tmp_path, monkeypatch, text)
    told = model["preprocessing"]
    raw, y, _ = raw_test_rows(model, told, tmp_path)
    X = torch.as_tensor(Preparation.from_plain(told["preparation"]).rows(raw))
    weights = load_file(tmp_path / "model" / "weights.safetensors")
    first, last = [weights[name] for name in weights if name.endswith("weight")]
    bias, end = [weights[name] for name in weights if name.endswith("bias")]
    if first.shape[1] != X.shape[1]:
        first, last, bias, end = last, first, end, bias
    outputs = torch.relu(X @ first.T + bias) @ last.T + end
    predicted = outputs.squeeze(1).double() * model["target"]["deviation"] + model["target"]["mean"]
    assert metrics["test"]["rmse"] == pytest.approx(scores.regression(y, predicted.numpy())["rmse"], rel=1e-6)


def test_rows_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    churn().to_csv(tmp_path / "t.csv", index=False)
    loaded = data.load({"table": {"path": str(tmp_path / "t.csv"), "target": "churned"}})
    preparation = data.arrays(loaded).preparation
    with pytest.raises(DataError, match="lacks 1 of the columns the model was trained on: 'minutes'"):
        preparation.rows(churn().drop(columns="minutes"))
    with pytest.raises(DataError, match="a table with named columns, got ndarray"):
        preparation.rows(np.zeros((3, 5)))
    with pytest.raises(DataError, match="several columns called 'plan'"):
        preparation.rows(pd.concat([churn(), churn()[["plan"]]], axis=1))
    with pytest.raises(DataError, match=r"rows are of shape \[5\], but the model was trained on \[13\]"):
        data.arrays(data.load("wine")).preparation.rows(np.zeros((3, 5)))
    assert preparation.rows(churn()[::-1].assign(more=1)).shape == (240, len(data.arrays(loaded).names))


@given(st.data())
@settings(max_examples=60)
def test_damaged_plain_data_are_refused_or_complete(drawn: st.DataObject) -> None:
    plain = json.loads(json.dumps(data.arrays(data.load("wine")).preparation.plain()))
    name = drawn.draw(st.sampled_from(sorted(plain)))
    if drawn.draw(st.booleans()):
        del plain[name]
    else:
        plain[name] = drawn.draw(
            st.one_of(
                st.none(), st.integers(), st.text(max_size=3), st.lists(st.integers(-2, 20), max_size=4), st.just({})
            )
        )
    with contextlib.suppress(DataError):
        assert isinstance(Preparation.from_plain(plain), Preparation)
    for rubbish in (None, 3, "x", [], [1]):
        with pytest.raises(DataError):
            Preparation.from_plain(rubbish)
