"""Recipes on their way through a file: whatever form the objective has they are trained again; edits are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpo.search.cli import main
from hpo.search.studyfile.yaml12 import dump, parse

STUDY = """
objective: ./own.py
goal: minimize loss
search:
  x: {float: [0, 1]}
  kind: {choice: [a, b]}
budget: {trials: 4}
confirm: {top: 2, seeds: 1}
"""
FORMS = {
    "keywords": "def train(*, x: float = 0.0, kind: str = 'a'):\n    yield {'loss': x}\n",
    "a seed": "def train(*, x: float = 0.0, kind: str = 'a', seed: int = 0):\n    yield {'loss': x + seed % 7}\n",
    "a checkpoint": "def train(*, checkpoint: str, x: float = 0.0, kind: str = 'a'):\n    yield {'loss': x}\n",
    "one recipe": "def train(recipe):\n    return {'loss': recipe.x}\n",
    "any keyword": "def train(**knobs):\n    return knobs['x']\n",
    "a dataclass": (
        "from dataclasses import dataclass\n\n@dataclass\nclass Recipe:\n    x: float = 0.0\n    kind: str = 'a'\n\n"
        "def train(recipe: Recipe):\n    return {'loss': recipe.x}\n"
    ),
}


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Runs and exports a study of an objective; gives what is in the file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HPO_STORAGE", raising=False)

    def of(source: str) -> dict[str, Any]:
        Path("own.py").write_text(source)
        Path("own.yaml").write_text(STUDY)
        assert main(["run", "own.yaml", "--quiet"]) == 0
        assert main(["export", "own", "--top", "2", "--output", "best.yaml"]) == 0
        capsys.readouterr()
        content: dict[str, Any] = parse(Path("best.yaml").read_text()).plain()
        return content

    return of


@pytest.mark.parametrize("form", FORMS)
def test_a_recipe_is_trained_again_whatever_form_its_objective_has(
    exported: Callable[..., Any], capsys: pytest.CaptureFixture[str], form: str
) -> None:
    assert "seed" in exported(FORMS[form])["recipe"]
    for pick in ("1", "2"):
        assert main(["train", "best.yaml", "--pick", pick, "--force"]) == 0, capsys.readouterr().err
        told = capsys.readouterr().out
        assert "the recipe is not" not in told
        assert ("exactly" in told) == (pick == "1")


def test_a_seed_that_is_none_is_a_mistake_in_any_recipe(exported: Callable[..., Any], capsys: Any) -> None:
    content = exported(FORMS["keywords"])
    content["recipe"]["seed"] = "zero"
    Path("best.yaml").write_text(dump(content))
    assert main(["train", "best.yaml"]) == 2
    assert "seed takes a whole number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pick", "change", "said"),
    [
        ("1", {"x": 0.25}, r": x 0.\d+ is 0.25 now; "),
        ("1", {"kind": "c"}, r": kind [ab] is c now; "),
        ("1", {"x": 0.25, "seed": 3}, r": seed \d+ is 3 now; x 0.\d+ is 0.25 now; "),
        ("1", {"x": None}, r": x is gone; "),
        ("2", {"x": 0.25}, "; the recorded"),
    ],
)
def test_a_recipe_that_was_edited_is_told_with_its_knobs_before_it_is_trained(
    exported: Callable[..., Any], capsys: Any, pick: str, change: dict[str, Any], said: str
) -> None:
    import re

    content = exported(FORMS["keywords"])
    recipe = content["recipe"] if pick == "1" else content["others"][0]["recipe"]
    recipe |= change
    for name in [name for name, value in change.items() if value is None]:
        del recipe[name]
    Path("best.yaml").write_text(dump(content))
    assert main(["train", "best.yaml", "--pick", pick]) == 0
    told = capsys.readouterr().out.splitlines()
    assert re.search(
        r"the recipe is not the one that was exported \(its digest was \w{12} and is \w{12}\)" + said, told[0]
    )
    assert not any("recorded one" in line for line in told), "its curve is that of another recipe"


def test_the_same_recipe_in_other_words_is_not_edited(exported: Callable[..., Any], capsys: Any) -> None:
    content = exported(FORMS["keywords"])
    content["recipe"] = dict(reversed(content["recipe"].items()))
    del content["about"]["values"]
    Path("best.yaml").write_text("# mine\n" + dump(content))
    assert main(["train", "best.yaml"]) == 0
    assert "equals the recorded one exactly" in capsys.readouterr().out


def test_a_file_of_an_earlier_version_without_a_digest_is_trained(exported: Callable[..., Any], capsys: Any) -> None:
    content = exported(FORMS["keywords"])
    for key in ("digest", "recipe"):
        del content["about"][key]
    content["recipe"]["x"] = 0.25
    Path("best.yaml").write_text(dump(content))
    assert main(["train", "best.yaml"]) == 0
    assert "or the recipe in the file was changed" in capsys.readouterr().out


@pytest.mark.parametrize(("key", "value"), [("digest", 7), ("recipe", [1])])
def test_what_is_damaged_of_the_exported_recipe_is_a_mistake_at_its_place(
    exported: Callable[..., Any], capsys: Any, key: str, value: Any
) -> None:
    content = exported(FORMS["keywords"])
    content["about"][key] = value
    Path("best.yaml").write_text(dump(content))
    assert main(["train", "best.yaml"]) == 2
    assert f"{key} must be" in capsys.readouterr().err
