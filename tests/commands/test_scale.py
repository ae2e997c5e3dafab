"""`hpo scale`: from studies that were run to a prediction, and what it runs and refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from hpo.search.cli import main
from hpo.search.describe.objective import describe
from hpo.search.describe.size import size_of

OBJECTIVE = '''
"""A model whose best rate falls with the root of its size, and does not under mup."""
import math
import random

def size(recipe):
    return {"parameters": 12 * recipe["width"] ** 2, "tokens": recipe["steps"] * 512, "tokens_per_step": 512}

def train(*, learning_rate: float = 1e-3, width: int = 64, steps: int = 1000, parametrization: str = "standard",
          hidden: float = 0.5, seed: int = 0):
    power = -0.5 if parametrization == "standard" else 0.0
    best = 0.01 * (12 * width ** 2 / 1e5) ** power
    away = math.log(learning_rate / best)
    noise = random.Random(seed).gauss(0, 0.01)
    yield {"val_bpb": 1 + 20 / (12 * width ** 2) ** 0.3 + 0.4 * (math.exp(away / 2) - 1 - away / 2) + noise}
'''
STUDY = """# What is the best rate of each width?
objective: ./model.py
goal: minimize val_bpb
search: {learning_rate: {float: [1e-4, 1], log: true}}
fixed: {width: 32}
sampler: qmc
pruner: none
confirm: none
budget: {trials: 32}
"""
WIDTHS = (32, 64, 128, 256)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a study was run at each width, and one that searches width and parametrization itself."""
    place = tmp_path_factory.mktemp("scale")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.delenv("HPO_STORAGE", raising=False)
        Path("model.py").write_text(OBJECTIVE)
        Path("width.yaml").write_text(STUDY)
        for width in WIDTHS:
            assert main(["run", "width.yaml", "--set", f"width={width}", "--name", f"width-{width}", "--quiet"]) == 0
        both = ["--set", "width={choice: [32, 64, 128]}", "--set", "parametrization={choice: [standard, mup]}"]
        assert main(["run", "width.yaml", *both, "--name", "both", "--trials", "150", "--quiet"]) == 0
    return place


@pytest.fixture
def place(ran: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same folder, as it was."""
    monkeypatch.chdir(ran)
    monkeypatch.delenv("HPO_STORAGE", raising=False)
    return ran


def told(words: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    capsys.readouterr()
    assert main(["scale", *words]) == code
    printed = capsys.readouterr()
    return printed.err if code else printed.out


def as_json(words: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(told([*words, "--json"], capsys))


NAMES = [f"width-{width}" for width in WIDTHS]


def test_studies_at_several_widths_give_the_planted_law_and_prediction(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = as_json([*NAMES, "--size", "20e6"], capsys)
    (group,) = found["groups"]
    assert [size["parameters"] for size in group["sizes"]] == [12.0 * width**2 for width in WIDTHS]
    assert [size["knobs"] for size in group["sizes"]] == [{"width": width} for width in WIDTHS]
    assert {size["tokens"] for size in group["sizes"]} == {512000.0}
    power = group["rate_law"]["exponents"]["N"]
    assert power["low"] <= -0.5 <= power["high"]
    rate = group["prediction"]["rate"]
    assert rate["low"] <= 0.01 * (20e6 / 1e5) ** -0.5 <= rate["high"]
    assert group["prediction"]["tokens"] == pytest.approx(512000)


def test_one_study_that_searches_width_shows_the_drift_under_standard_beside_that_under_mup(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    groups = {group["parametrization"]: group for group in as_json(["both"], capsys)["groups"]}
    assert groups["mup"]["drift"]["value"] < 1.5 < 3 < groups["standard"]["drift"]["value"]
    assert groups["standard"]["drift"]["low"] > 1.5
    text = told(["both"], capsys)
    assert "parametrization mup" in text
    assert text.splitlines()[-1].startswith("in short: under mup the best learning_rate moves by a factor of")


def test_sizes_of_four_letters_are_numbers(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_letter, by_number = ([*NAMES, "--size", size, "--tokens", "4e8"] for size in ("20M", "20e6"))
    assert told(by_letter, capsys) == told(by_number, capsys)


def test_a_knob_may_say_the_size(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json([*NAMES, "--parameters-knob", "width", "--tokens-knob", "steps", "--batch-knob", "width"], capsys)
    assert [size["parameters"] for size in found["groups"][0]["sizes"]] == list(WIDTHS)
    assert found["parameters_from"] == "the knob width"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "which studies? name those of several sizes"),
        (["width-32", "width-32"], "width-32 is named twice"),
        (["width-32"], "all trials are of one size (12.3k parameters, 512k tokens)"),
        (["width-33", "width-64"], "there is no study 'width-33'"),
        ([*NAMES, "--parameters-knob", "wdth"], "wdth is no knob of it in width-32: did you mean 'width'?"),
        ([*NAMES, "--tokens", "1e6"], "how large is the model? add --size"),
    ],
)
def test_a_mistake_is_one_message_with_the_remedy(
    place: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    printed = told(words, capsys, code=2)
    assert said in printed
    assert len(printed.strip().splitlines()) == 1


def test_a_size_that_is_no_number_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["scale", *NAMES, "--size", "large"])
    assert ended.value.code == 2
    assert "such as 20e6 or 20M, not 'large'" in capsys.readouterr().err


def test_size_of_code_that_the_user_has_not_run_here_is_named_and_not_called(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [*NAMES, "--storage", str(place / "hpo.db")]
    assert "--yes" in told(words, capsys, code=2)
    assert "width 64" in told([*words, "--yes"], capsys)
    assert "width 64" in told(
        [*words, "--parameters-knob", "width", "--tokens-knob", "steps", "--batch-knob", "steps"], capsys
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 1 / 0", "size(recipe) of model.py raised ZeroDivisionError: division by zero"),
        ("return 7", 'size(recipe) of model.py must return {"parameters": N'),
        ("return {'parameters': -1}", "parameters from size(recipe) of model.py must be a number above 0, got -1"),
        ("return {'parameters': 1, 'tokens': True}", "tokens from size(recipe) of model.py must be a number above 0"),
    ],
)
def test_a_size_that_fails_or_is_no_size_is_told(
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    body: str,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(OBJECTIVE.partition("def size")[0] + f"def size(recipe):\n    {body}\n\ndef train" +
                                OBJECTIVE.partition("def train")[2])  # fmt: skip
    shutil.copy(place / "width.yaml", "width.yaml")
    assert main(["run", "width.yaml", "--trials", "2", "--quiet"]) == 0
    assert said in told(["width"], capsys, code=2)


def test_a_language_model_says_its_size_and_a_run_in_tokens_is_as_long_as_it_says() -> None:
    size = size_of(describe("gpt", Path()))
    assert size is not None
    found = size({"width": 64, "depth": 2, "context": 32, "batch_size": 8, "max_tokens": 2560000})
    assert (found.parameters, found.tokens_per_step, found.tokens) == (12 * 2 * 64**2, 256, 2560000)
    assert size({"max_steps": 10}).tokens == 10 * (size({}).tokens_per_step or 0)
