"""A language model is made smaller by a study, and the folder that comes of it is a language model like any other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import modelfolders
import pytest

import hpo
from hpo.objectives.text.corpus import open_corpus
from hpo.search.cli import main
from hpo.search.terms.errors import StudyFileError

pytest.importorskip("tokenizers", reason="bpe needs the extra [text]")

pytestmark = pytest.mark.filterwarnings("ignore::hpo.search.terms.errors.Advice")

LENGTH = {"max_steps": 4, "eval_every": 2, "batch_size": 4}
RECIPES: dict[str, tuple[str, dict[str, Any]]] = {
    "rows": ("stream", {"prune": 0.5, "prune_by": "rows", "rank": 3, "int8": True, "alpha": 0.5}),
    "gated": ("gates", {"prune": 0.5, "prune_by": "rows", "alpha": 0.9, "temperature": 1.0}),
    "student": ("pairs", {"student_width": 8, "student_depth": 1, "alpha": 0.5, "int8": True}),
    "zeros": ("hidden", {"prune": 0.9, "alpha": 0.5}),
}
"""Source and what is done to it."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Sources, and smaller ones of them."""
    folder = tmp_path_factory.mktemp("texts")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        modelfolders.written(folder)
        gates = json.loads(Path("stream.yaml").read_text())
        gates["recipe"] |= {"activation": "swiglu", "normalization": "rms"}
        Path("gates.yaml").write_text(json.dumps(gates))
        for name in ("stream", "gates", "pairs", "hidden"):
            modelfolders.trained(folder, name)
        for name, (source, knobs) in RECIPES.items():
            about = {
                "study": name, "objective": "compress", "data": {"model": {"path": source}}, "folder": str(folder),
                "goal": "minimize val_bpb",
            }  # fmt: skip
            Path(f"{name}.yaml").write_text(json.dumps({"recipe": {**LENGTH, "seed": 5, **knobs}, "about": about}))
            modelfolders.trained(folder, name)
        yield folder


@pytest.mark.parametrize("name", RECIPES)
def test_a_smaller_language_model_is_loaded_and_scores_what_was_scored_and_its_file_is_as_large_as_was_told(
    models: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(models)
    source = RECIPES[name][0]
    metrics = json.loads(Path(name, "metrics.json").read_text())
    small = hpo.load(name)
    assert json.loads(Path(name, "manifest.json").read_text())["objective"] in ("gpt", "masked")
    assert small.score(list(open_corpus(modelfolders.CORPUS, 0).texts("test"))) == metrics["test"]
    size = Path(name, "weights.safetensors").stat().st_size
    assert size == round(metrics["validation"]["kilobytes"] * 1000)
    assert size < Path(source, "weights.safetensors").stat().st_size
    assert metrics["validation"]["latency_64"] > 0


def test_a_study_names_the_study_whose_model_it_makes_smaller(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(models)
    Path("stream").rename("stream-model")
    try:
        study = {
            "name": "small", "objective": "compress", "source": "stream",
            "goal": ["minimize val_bpb", "minimize kilobytes"], "search": {"int8": {"choice": [False, True]}},
            "fixed": LENGTH, "budget": {"trials": 2}, "confirm": "none",
        }  # fmt: skip
        result = hpo.run(study)
        assert result.trials["state"].eq("complete").all()
        result.export("small.yaml")
        assert main(["train", "small.yaml"]) == 0
        assert "the curve equals the recorded one exactly" in capsys.readouterr().out
        assert hpo.load("small-model").generate("the ", n=5)
        with pytest.raises(StudyFileError, match="no folder nothing-model beside the study or here"):
            hpo.run({**study, "source": "nothing"})
    finally:
        Path("stream-model").rename("stream")
