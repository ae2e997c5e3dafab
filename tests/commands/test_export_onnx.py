"""A network as an ONNX file gives what the model gives, at any number of rows, with nothing of this suite at hand."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import modelfolders
import numpy as np
import pytest

import hpo
from hpo.search.cli import main

ort = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

TEXT = {"text": {"path": str(Path(__file__)), "documents": "line"}}
GPT = {
    "depth": 1,
    "width": 16,
    "heads": 2,
    "context": 16,
    "max_steps": 2,
    "eval_every": 2,
    "score_bytes": 500,
    "seed": 3,
}
NAMES = ("images", "module", "gpt")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with trained models and a file of each; that of the table is of 8 bits."""
    folder = tmp_path_factory.mktemp("onnx")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        modelfolders.written(folder)
        about = {"study": "gpt", "objective": "gpt", "data": TEXT, "folder": str(folder), "goal": "minimize val_bpb"}
        packed = {**GPT, "pack": "documents", "positions": "rotary"}
        Path("gpt.yaml").write_text(json.dumps({"recipe": packed, "about": about}))
        for name in (*NAMES, "values", "ridge"):
            modelfolders.trained(folder, name)
        for name in NAMES:
            assert main(["export", name, "--output", f"{name}.onnx", "--yes"]) == 0
        assert main(["export", "values", "--output", "values.onnx", "--int8"]) == 0
        yield folder


def rows_of(name: str, count: int) -> Any:
    random = np.random.default_rng(count)
    shape = {"images": (8, 8), "module": (3,)}[name]
    return random.normal(size=(count, *shape)).astype("float32")


@pytest.mark.parametrize("name", ["images", "module"])
@pytest.mark.parametrize("count", [1, 5, 130])
def test_the_file_predicts_what_the_model_predicts_for_any_number_of_rows(
    exported: Path, name: str, count: int
) -> None:
    model, rows = hpo.load(exported / name, trust=True), rows_of(name, count)
    (found,) = ort.InferenceSession(exported / f"{name}.onnx").run(None, {"inputs": model.prepare(rows)})
    assert found == pytest.approx(model.predict_proba(rows), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("length", [1, 7, 16])
def test_a_language_models_file_takes_one_document_a_row_of_any_length_up_to_the_context(
    exported: Path, length: int
) -> None:
    model, session = hpo.load(exported / "gpt"), ort.InferenceSession(exported / "gpt.onnx")
    symbols = np.random.default_rng(0).integers(0, model.symbols, (5, length))
    (found,) = session.run(None, {"inputs": symbols})
    inputs = np.stack([symbols, np.zeros_like(symbols)], axis=1)
    import torch

    wanted = model.predictor.forward()(torch.from_numpy(inputs)[None])[0].numpy()
    assert found == pytest.approx(wanted, rel=1e-5, abs=1e-5)


@pytest.mark.filterwarnings("ignore:5 cells of 'zone' hold no number")
def test_a_file_of_8_bits_runs_where_there_is_only_onnxruntime_and_says_what_goes_in_and_comes_out(
    exported: Path,
) -> None:
    model, rows = hpo.load(exported / "values"), modelfolders.customers(60, 5)
    np.save(exported / "inputs.npy", model.prepare(rows))
    code = """
import json, sys
for name in ("torch", "hpo", "onnx"):
    sys.modules[name] = None
import numpy, onnxruntime
session = onnxruntime.InferenceSession("values.onnx")
(found,) = session.run(None, {"inputs": numpy.load("inputs.npy")})
print(json.dumps([found.tolist(), session.get_modelmeta().custom_metadata_map]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=exported, capture_output=True, text=True, check=True)
    found, about = json.loads(done.stdout)
    assert np.array(found) == pytest.approx(model.predict(rows), abs=1.0)
    assert about["hpo outputs"].startswith("values of amount [rows]")
    assert "preparation is outside" in about["hpo inputs"]
    assert about["hpo preparation"] == json.dumps(model.preparation.plain())
    assert str(exported).encode() not in (exported / "values.onnx").read_bytes()


def test_what_cannot_become_a_file_is_said_and_nothing_is_written(
    exported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(exported)
    for words, told in (
        (["ridge", "--output", "new.onnx"], "only networks"),
        (["nowhere", "--output", "new.onnx"], "hpo train nowhere.yaml"),
        (["values", "--output", "values.onnx"], "--force"),
        (["values", "--output", "new.onnx", "--devices", "2"], "--devices goes with the format of a tool"),
        (["values", "--int8"], "--output FILE.onnx"),
        (["values", "--format", "onnx"], "--output FILE.onnx"),
    ):
        assert main(["export", *words]) == 2
        assert told in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert main(["export", "values", "--output", "new.onnx"]) == 2
    assert "hpo-suite[onnx]" in capsys.readouterr().err
    assert not Path("new.onnx").exists()


FIXED = """
import torch

class Fixed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.last = torch.nn.Linear(3, 2)
    def forward(self, x):
        return self.last(x) + len(x.tolist())

def build():
    return Fixed()
"""


def test_a_network_that_depends_on_the_number_of_rows_is_refused(
    exported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(exported)
    Path("fixed.py").write_text(
        FIXED + modelfolders.NETWORK[modelfolders.NETWORK.index("def data") :].join(["import numpy\n", ""])
    )
    about = {"study": "fixed", "objective": "./fixed.py", "folder": str(exported), "goal": "minimize val_loss"}
    Path("fixed.yaml").write_text(json.dumps({"recipe": {"epochs": 1, "seed": 1}, "about": about}))
    modelfolders.trained(exported, "fixed")
    capsys.readouterr()
    assert main(["export", "fixed", "--output", "fixed.onnx", "--yes"]) == 2
    assert "number of rows" in capsys.readouterr().err
    assert not Path("fixed.onnx").exists()
