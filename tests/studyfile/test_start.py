"""``start_from``: what it may name, and every mistake in it with its remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hpo.search.studyfile import read
from hpo.search.terms.errors import StudyFileError

STUDY = (
    "# s\nobjective: {}\ngoal: minimize val_loss\nsearch: {{learning_rate: {{float: [1e-3, 1e-2]}}}}\nstart_from: {}\n"
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with studies, and one with models, the working directory."""
    (tmp_path / "studies").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def start(here: Path, value: str, objective: str = "mlp", *overrides: tuple[str, str]) -> str | None:
    file = here / "studies" / "s.yaml"
    file.write_text(STUDY.format(objective, value))
    return read(str(file), overrides).start_from


def put(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(b"")
    return folder / names[0]


@pytest.mark.parametrize(
    ("folder", "name", "value"),
    [
        ("studies/earlier-model", "weights.safetensors", "earlier"),
        ("work/earlier-model", "weights.safetensors", "earlier"),
        ("work/a-b-model", "weights.safetensors", "'a b'"),
        ("studies/s-model", "weights.safetensors", "s.yaml"),
        ("studies/there", "weights.safetensors", "./there"),
        ("studies/there", "model.safetensors", "there"),
        ("studies/there", "anything.safetensors", "there"),
        ("studies/there", "x.safetensors", "there/x.safetensors"),
    ],
)
def test_a_study_a_folder_and_a_file_name_weights(here: Path, folder: str, name: str, value: str) -> None:
    path = put(here / folder, name)
    assert start(here, value) == str(path)


def test_what_is_typed_is_found_where_it_is_typed(here: Path) -> None:
    put(here / "studies" / "there", "weights.safetensors")
    typed = put(here / "work" / "there", "weights.safetensors")
    assert start(here, "there", "mlp", ("start_from", "there")) == str(typed)


def test_nothing_named_is_a_fresh_start(here: Path) -> None:
    assert start(here, "null") is None


@pytest.mark.parametrize(
    ("objective", "value", "told"),
    [
        ("mlp", "earlier", "there are no weights of a study 'earlier'.*hpo export --study earlier --output"),
        ("mlp", "./none", "there is no ./none.*hpo train RECIPE.yaml"),
        ("mlp", "[a]", "names a study, a model's folder or a safetensors file, got a list"),
        ("mlp", "3", "got a whole number"),
        ("mlp", "s.yaml", "there are no weights of a study 's'.*hpo export --study s --output"),
        ("mlp", "plain.txt", "plain.txt is no safetensors file"),
        ("mlp", "empty", "empty holds no weights: no weights.safetensors and no model.safetensors"),
        ("mlp", "two", r"two holds 2 safetensors files.*two/a\.safetensors"),
        ("mlp", "forest", "a model of scikit-learn's, which has no weights"),
        ("sklearn", "two", "sklearn trains by itself.*load them in your own code"),
    ],
)
def test_what_names_no_weights_is_a_mistake_with_its_remedy(here: Path, objective: str, value: str, told: str) -> None:
    put(here / "studies" / "two", "a.safetensors", "b.safetensors")
    put(here / "studies" / "forest", "model.skops")
    (here / "studies" / "empty").mkdir()
    (here / "studies" / "plain.txt").touch()
    with pytest.raises(StudyFileError) as caught:
        start(here, value, objective)
    (mistake,) = [found for found in caught.value.mistakes if found.line == 5]
    assert re.search(told, f"{mistake.message} {mistake.hint}")
