"""Fresh runs combined: the same however often the command was killed, and exported, trained and loaded as one model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from killing import Assassin, Killed

import hpo
from hpo.objectives import data
from hpo.search import studyfile
from hpo.search.cli import main
from hpo.search.engine import run as engine
from hpo.search.engine.context import Progress
from hpo.search.store import Store, open_store
from hpo.search.terms.winner import Winner

STUDIES: dict[str, dict[str, Any]] = {
    "mlp": {
        "objective": "mlp", "data": "digits", "goal": "minimize val_loss",
        "fixed": {"epochs": 5, "width": 8, "batch_size": 16},
        "search": {"learning_rate": {"float": [0.02, 0.03], "log": True}},
    },
    "forest": {
        "objective": "sklearn", "data": {"table": {"path": "rows.csv", "target": "kind"}},
        "goal": "minimize val_log_loss", "fixed": {"n_estimators": 2, "epochs": 2, "estimator": "ExtraTreesClassifier"},
        "search": {"max_depth": {"int": [5, 7]}},
    },
    "ridge": {
        "objective": "sklearn", "data": "diabetes", "goal": "minimize val_rmse", "fixed": {"folds": 2},
        "search": {"estimator": {"choice": ["KNeighborsRegressor", "DecisionTreeRegressor", "Ridge"]}},
    },
}  # fmt: skip


def plain(name: str) -> dict[str, Any]:
    return {
        "name": name, "sampler": "random", "pruner": "none", "budget": {"trials": 3}, "seed": 4,
        "confirm": {"top": 3, "seeds": 2, "ensemble": 6}, **STUDIES[name],
    }  # fmt: skip


def run(store: Store, name: str, progress: Progress | None = None) -> Winner:
    """Run a study; returns its verdict with no latencies in it, which are measured."""
    engine.run(studyfile.read(plain(name), []), store=store, progress=progress)
    snapshot = store.read(name)
    assert snapshot is not None
    found = json.loads(json.dumps(snapshot.user_attrs["winner"]))
    for option in found["ensemble"]["options"]:
        assert option.pop("milliseconds") > 0
        option["milliseconds"] = 0.0
    verdict = Winner.read(found)
    assert verdict is not None
    return verdict


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with each study, ended, and what `hpo train` makes of it."""
    folder = tmp_path_factory.mktemp("combine")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        rng = np.random.default_rng(0)
        x = rng.normal(size=(1200, 3))
        kind = np.where(x[:, 0] + 0.5 * x[:, 1] ** 2 + rng.normal(size=1200) > 0.5, "yes", "no")
        pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "kind": kind}).to_csv("rows.csv", index=False)
        for name in STUDIES:
            Path(f"{name}.yaml").write_text(json.dumps(plain(name)))
            assert main(["run", "--study", f"{name}.yaml", "--quiet"]) == 0
            assert main(["export", "--study", name, "--output", f"{name}-best.yaml"]) == 0
        yield folder


@pytest.fixture
def here(ended: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it in the working directory."""
    shutil.copytree(ended, tmp_path / "there", symlinks=True)
    monkeypatch.chdir(tmp_path / "there")
    return tmp_path / "there"


def stored(name: str) -> Winner:
    snapshot = open_store("hpo.db").read(name)
    assert snapshot is not None
    found = Winner.read(snapshot.user_attrs["winner"])
    assert found is not None
    return found


@pytest.mark.parametrize("name", STUDIES)
def test_the_trained_combination_is_loaded_as_one_model_with_the_scores_of_the_search(here: Path, name: str) -> None:
    ensemble = stored(name).ensemble
    assert ensemble is not None
    assert ensemble.taken, ensemble.options
    assert main(["train", f"{name}-best.yaml", "--output", "model", "--yes"]) == 0
    metrics = json.loads(Path("model", "metrics.json").read_text())
    assert metrics["validation"][ensemble.metric] == ensemble.value
    assert ensemble.test is not None
    assert {key: metrics["test"][key] for key in ensemble.test} == ensemble.test
    model, loaded = hpo.load("model"), data.load(STUDIES[name]["data"], _split_seed(name))
    raw = pd.read_csv("rows.csv").iloc[loaded.test.rows] if name == "forest" else loaded.test.X
    assert model.evaluate(raw, None if name == "forest" else loaded.test.y) == metrics["test"]
    if name == "forest":
        assert main(["predict", "model", "--data", "rows.csv", "--output", "out.csv"]) == 0
        assert list(pd.read_csv("out.csv")["prediction"]) == list(model.predict(pd.read_csv("rows.csv")))


def _split_seed(name: str) -> int:
    return studyfile.read(plain(name), []).task.split_seed


def test_show_tells_every_way_and_what_it_costs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["show", "mlp"]) == 0
    told = capsys.readouterr().out
    ensemble = stored("mlp").ensemble
    assert ensemble is not None
    assert f"combined ({ensemble.options[0].kind} of" in told
    assert all(option.kind in told for option in ensemble.options)


def test_the_winner_alone_is_trained_where_it_is_asked_for(here: Path) -> None:
    assert main(["train", "mlp-best.yaml", "--output", "model", "--alone", "--seed", "1"]) == 0
    assert not Path("model", "members").exists()


def test_a_members_changed_weights_are_noticed_and_so_is_a_damaged_combination(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "mlp-best.yaml", "--output", "model"]) == 0
    assert main(["train", "mlp-best.yaml", "--output", "other", "--seed", "1"]) == 2
    assert "add --alone" in capsys.readouterr().err
    with Path("model", "members", "1", "weights.safetensors").open("ab") as file:
        file.write(b"x")
    assert main(["predict", "model", "--data", "rows.csv"]) == 2
    assert "is not the one that was trained" in capsys.readouterr().err
    text = Path("mlp-best.yaml").read_text()
    Path("mlp-best.yaml").write_text(text.replace("models: ", "models: 1"))
    assert main(["train", "mlp-best.yaml", "--output", "other"]) == 2
    assert "export the study again" in capsys.readouterr().err
    assert not Path("other").exists()


@pytest.mark.parametrize(("name", "after", "place"), [("mlp", 7, ":memory:"), ("forest", 5, "s.journal")])
def test_a_confirmation_that_was_killed_gives_the_same_combination(
    here: Path, name: str, after: int, place: str
) -> None:
    store = open_store(place)
    with pytest.raises(Killed):
        run(store, name, Assassin(after))
    whole = stored(name)
    assert whole.ensemble is not None
    found = run(store, name)
    assert found.ensemble is not None
    assert found.recipe == whole.recipe
    assert (found.ensemble.combination, found.ensemble.members, found.ensemble.value, found.ensemble.test) == (
        whole.ensemble.combination, whole.ensemble.members, whole.ensemble.value, whole.ensemble.test,
    )  # fmt: skip
    assert [(o.kind, o.value) for o in found.ensemble.options] == [(o.kind, o.value) for o in whole.ensemble.options]


def test_predictions_that_are_gone_are_made_again_and_go_with_the_study(here: Path) -> None:
    before = stored("forest").ensemble
    folder = here / ".hpo" / "hpo.db" / "predictions"
    kept = sorted(path.name for path in folder.rglob("*.npz"))
    assert kept
    shutil.rmtree(folder)
    assert main(["run", "--study", "forest.yaml", "--quiet"]) == 0
    after = stored("forest").ensemble
    assert before is not None
    assert after is not None
    assert (after.combination, after.members, after.value) == (before.combination, before.members, before.value)
    assert len(list(folder.rglob("*.npz"))) == 6
    assert main(["delete", "forest", "--yes"]) == 0
    assert not list(folder.rglob("*.npz"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"confirm": {"ensemble": 1}}, "1 model is not combined"),
        ({"confirm": {"top": 2, "seeds": 1, "ensemble": 3}}, "raise top to 3"),
        ({"goal": ["minimize val_loss", "maximize val_accuracy"]}, "for one goal"),
        ({"objective": "gpt", "data": "stdlib", "goal": "minimize val_bpb", "fixed": {}}, "tokens"),
        ({"objective": "./own.py", "data": None, "fixed": {}}, "trains by itself"),
    ],
)
def test_models_that_cannot_be_combined_are_refused_beforehand(
    here: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], told: str
) -> None:
    Path("own.py").write_text("def train(*, learning_rate: float = 0.1):\n    yield {'val_loss': learning_rate}\n")
    Path("s.yaml").write_text(json.dumps({key: v for key, v in {**plain("mlp"), **changes}.items() if v is not None}))
    assert main(["check", "s.yaml"]) == 2
    assert told in capsys.readouterr().err


def test_a_folder_that_is_trained_into_again_holds_the_new_model_alone(here: Path) -> None:
    both = "forest-best.yaml"
    assert main(["train", both, "--output", "model", "--yes"]) == 0
    Path("model", "notes.txt").write_text("mine")
    for words in (["--alone"], [], ["--alone"]):
        assert main(["train", both, "--output", "model", "--yes", "--force", *words]) == 0
        assert len(hpo.load("model").predict(pd.read_csv("rows.csv"))) == 1200
        assert Path("model", "members").exists() != bool(words)
    assert Path("model", "notes.txt").read_text() == "mine"
