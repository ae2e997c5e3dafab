"""`hpo train` and `hpo replay`: what they run, where they write, and what they make of a damaged file."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import mutate

from hpo.search.cli import main
from hpo.search.describe.objective import describe
from hpo.search.report.exported import RecipeFile
from hpo.search.studyfile.yaml12 import dump, parse
from hpo.search.terms.errors import HpoError
from hpo.search.terms.job import Task

OBJECTIVE = '''
"""A bowl."""
from pathlib import Path

Path("it-ran").touch()

class Model:
    def save(self, folder):
        (folder / "weights.txt").write_text("1")
        return [folder / "weights.txt"]

def train(*, x: float = 0.0, kind: str = "a", epochs: int = 3, seed: int = 0):
    for epoch in range(min(epochs, 5)):
        yield {"val_loss": (x - 0.3) ** 2 + 1 / (epoch + 1)}
    return Model()
'''
STUDY = """# How deep is the bowl?
objective: ./bowl.py
goal: minimize val_loss
search:
  x: {float: [0, 1]}
  kind: {choice: [a, b]}
fixed: {epochs: 3}
budget: {trials: 4}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an objective that leaves a trace when it is imported, and a study of it."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("HPO_STORAGE", raising=False)
    Path("bowl.py").write_text(OBJECTIVE)
    Path("bowl.yaml").write_text(STUDY)
    return tmp_path / "here"


@pytest.fixture
def exported(place: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The winner's file, of a study run in this folder."""
    assert main(["run", "bowl.yaml", "--quiet"]) == 0
    assert main(["export", "bowl", "--top", "3", "--output", "best.yaml"]) == 0
    Path("it-ran").unlink()
    forget()
    capsys.readouterr()
    return place / "best.yaml"


def forget() -> None:
    """Have the objective's file imported anew, as another process would."""
    for name in [name for name in sys.modules if name.startswith("_hpo_objective_")]:
        del sys.modules[name]


def changed(path: Path, change: Callable[[dict[str, Any]], None], to: str = "changed.yaml") -> str:
    content = parse(path.read_text()).plain()
    change(content)
    Path(to).write_text(dump(content))
    return to


def test_what_was_run_and_exported_here_is_trained_and_replayed_without_a_question(exported: Path) -> None:
    assert main(["train", "best.yaml"]) == 0
    assert main(["replay", "bowl", "0"]) == 0
    edited = changed(exported, lambda content: content["recipe"].update(x=0.25))
    assert main(["train", edited, "--output", "edited"]) == 0


def _unsealed(content: dict[str, Any]) -> None:
    del content["about"]["seal"]


def _forged(content: dict[str, Any]) -> None:
    content["about"]["seal"] = "0" * 32


def _other_file(content: dict[str, Any]) -> None:
    Path("evil.py").write_text(OBJECTIVE)
    content["about"]["objective"] = "./evil.py"


def _other_function(content: dict[str, Any]) -> None:
    content["about"]["objective"] += ":Model"


def _command(content: dict[str, Any]) -> None:
    content["about"]["objective"] = "command:touch it-ran"


def _module(content: dict[str, Any]) -> None:
    content["about"]["objective"] = "shutil:rmtree"
    content["recipe"] = {"path": "."}


@pytest.mark.parametrize("change", [_unsealed, _forged, _other_file, _other_function, _command, _module])
def test_code_that_the_user_has_not_run_here_is_named_and_not_run(
    exported: Path, capsys: pytest.CaptureFixture[str], change: Callable[[dict[str, Any]], None]
) -> None:
    name = changed(exported, change)
    there = set(Path().iterdir())
    assert main(["train", name]) == 2
    told = capsys.readouterr().err
    assert "--yes" in told
    assert "\n" not in told.strip()
    assert set(Path().iterdir()) == there


def test_a_file_from_another_folder_runs_when_the_user_says_so(
    exported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (exported.parent.parent / "there").mkdir()
    monkeypatch.chdir(exported.parent.parent / "there")
    assert main(["train", str(exported)]) == 2
    assert str(exported.parent / "bowl.py") in capsys.readouterr().err
    assert main(["replay", "bowl", "0", "--storage", str(exported.parent / "hpo.db")]) == 2
    assert not Path("it-ran").exists()
    assert main(["train", str(exported), "--yes"]) == 0
    assert main(["replay", "bowl", "0", "--yes", "--storage", str(exported.parent / "hpo.db")]) == 0
    assert Path("it-ran").exists()


def test_exporting_a_study_that_somebody_else_ran_does_not_make_it_ours(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (exported.parent.parent / "there").mkdir()
    monkeypatch.chdir(exported.parent.parent / "there")
    assert main(["export", "bowl", "--storage", str(exported.parent / "hpo.db"), "--output", "best.yaml"]) == 0
    assert main(["train", "best.yaml"]) == 2
    assert not Path("it-ran").exists()


@pytest.mark.parametrize("study", ["../../escaped", "/tmp/escaped", "..", ".", "~", "-f", "a\nb", "é" * 300, "\u202e"])
def test_the_output_lies_in_the_working_directory_whatever_the_study_is_called(exported: Path, study: str) -> None:
    name = changed(exported, lambda content: content["about"].update(study=study))
    before, above = set(Path().iterdir()), set(exported.parent.parent.iterdir())
    assert main(["train", name]) == 0
    (made,) = {path for path in Path().iterdir() if path.is_dir()} - before
    assert sorted(path.name for path in made.iterdir()) == [
        "README.md", "manifest.json", "metrics.json", "objective.py", "weights.txt",
    ]  # fmt: skip
    assert set(exported.parent.parent.iterdir()) == above


@given(st.text(max_size=400))
def test_any_studys_name_gives_the_name_of_a_folder(study: str) -> None:
    folder = RecipeFile({}, Task("mlp"), describe("mlp", Path()), study, ()).folder
    assert folder == Path(folder).name
    assert folder.isprintable()
    assert folder[0] not in ".-~"
    assert len(folder.encode()) < 200


@pytest.mark.parametrize("output", ["/proc/x", "bowl.py", "bowl.py/x", "x" * 300])
def test_an_output_that_cannot_be_written_is_found_before_training(
    exported: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    assert main(["train", "best.yaml", "--output", output, "--force"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not Path("it-ran").exists()
    assert main(["export", "bowl", "--force", "--output", "/proc/x"]) == 2
    assert Path("bowl.py").read_text() == OBJECTIVE


def test_a_link_planted_where_the_model_goes_is_not_followed(exported: Path) -> None:
    Path("bowl-model").symlink_to(exported.parent.parent / "victim")
    assert main(["train", "best.yaml"]) == 2
    victim = exported.parent.parent / "precious"
    victim.write_text("precious")
    Path("model").mkdir()
    Path("model/metrics.json").symlink_to(victim)
    assert main(["train", "best.yaml", "--output", "model", "--force"]) == 0
    assert victim.read_text() == "precious"
    assert json.loads(Path("model/metrics.json").read_text())["curve"]


@pytest.mark.parametrize("form", ["train", "replay"])
def test_an_objective_that_checkpoints_gets_an_empty_folder_that_is_gone_afterwards(
    place: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    Path("bowl.py").write_text(
        "from pathlib import Path\n"
        "class Model:\n"
        "    def test(self):\n        return {'accuracy': 0.5}\n"
        "def train(*, checkpoint: str, x: float = 0.0, kind: str = 'a', epochs: int = 3, seed: int = 0):\n"
        "    assert list(Path(checkpoint).iterdir()) == [] or seed == -1\n"
        "    for epoch in range(epochs):\n"
        "        Path(checkpoint, 'state').write_text(str(epoch))\n"
        "        yield {'step': epoch + 1, 'val_loss': x}\n"
        "    Path('where').write_text(checkpoint)\n"
        "    return Model()\n"
    )
    assert main(["run", "bowl.yaml"]) == 0
    assert "test split, measured once: accuracy 0.5" in capsys.readouterr().out
    assert main(["export", "bowl", "--output", "best.yaml"]) == 0
    assert main(["train", "best.yaml"] if form == "train" else ["replay", "bowl", "0"]) == 0
    assert "as recorded" in (told := capsys.readouterr().out) or "exactly" in told
    assert not Path(Path("where").read_text()).exists()


def test_an_objective_that_raises_is_told_in_a_line_with_its_place(
    exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bowl.py").write_text(OBJECTIVE.replace("    for epoch", "    raise OSError(28, 'no luck')\n    for epoch"))
    assert main(["train", "best.yaml"]) == 2
    assert (
        "the recipe cannot be trained: OSError: [Errno 28] no luck in line 13 of bowl.py: make room"
        in capsys.readouterr().err
    )


def test_a_model_that_cannot_be_tested_is_saved_all_the_same(exported: Path) -> None:
    broken = "    def test(self):\n        return 1 / 0\n    def save"
    Path("bowl.py").write_text(OBJECTIVE.replace("    def save", broken))
    assert main(["train", "best.yaml"]) == 0
    assert Path("bowl-model/weights.txt").exists()


@pytest.mark.parametrize("files", [60, pytest.param(5000, marks=pytest.mark.slow)])
def test_a_damaged_recipe_file_trains_or_is_refused_with_a_message(
    exported: Path, capsys: pytest.CaptureFixture[str], files: int
) -> None:
    study = "objective: mlp\ndata: iris\ngoal: maximize val_accuracy\nsearch: {dropout: {float: [0, 0.5]}}\n"
    Path("small.yaml").write_text(study + "fixed: {epochs: 1}\nbudget: {trials: 2}\nconfirm: none\n")
    study = study.replace("mlp", "sklearn").replace("dropout: {float: [0, 0.5]}", "C: {float: [1, 2]}")
    Path("svc.yaml").write_text(study + "fixed: {estimator: SVC}\nbudget: {trials: 2}\nconfirm: none\n")
    texts = [exported.read_text()] * 3
    for name in ("small", "svc"):
        assert main(["run", f"{name}.yaml", "--quiet"]) == 0
        assert main(["export", name, "--output", f"{name}-best.yaml"]) == 0
        texts.append(Path(f"{name}-best.yaml").read_text())
    draw, codes, here = random.Random(files), [], set(Path().iterdir()) | {Path("it-ran"), Path("model")}
    for turn in range(files):
        text = mutate(draw.choice(texts), draw)
        Path("best.yaml").write_bytes(text.encode("utf-8", errors="surrogatepass"))
        if _long(text):
            continue
        capsys.readouterr()
        pick = ["--pick", "2"] if turn % 10 == 0 else []
        try:
            codes.append(main(["train", "best.yaml", "--yes", "--output", "model", "--force", *pick]))
        except BaseException as error:
            error.add_note(f"--- the recipe file:\n{text}")
            raise
        told = capsys.readouterr().err
        assert codes[-1] in (0, 2), f"{told}\n{text}"
        assert codes[-1] == 0 or told.strip()
    assert {path for path in Path().iterdir() if not path.name.startswith(".")} <= here
    print(f"{codes.count(0)} of {files} recipe files trained")
    assert min(codes.count(0), codes.count(2)) > files / 10


def _long(text: str) -> bool:
    """Whether a number was put where it means years of training, which is no damage to the file."""
    try:
        recipe = parse(text).plain()["recipe"]
        return any(isinstance(value, (int, float)) and value > 1000 for name, value in recipe.items() if name != "seed")
    except (HpoError, KeyError, TypeError, AttributeError):
        return False


def test_a_changed_source_is_named_where_the_curve_differs(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    about = parse(exported.read_text()).plain()["about"]
    assert set(about["machine"]) == {"cpu", "platform", "threads", "device"}
    Path("bowl.py").write_text(OBJECTIVE.replace("0.3", "0.31"))
    assert main(["train", "best.yaml"]) == 0
    told = capsys.readouterr().out
    assert "the curve differs from the recorded one from step 1 on" in told
    assert "the objective's source is another one\n" in told
    Path("bowl.py").write_text(OBJECTIVE)
    forget()

    def older(content: dict[str, Any]) -> None:
        for key in ("machine", "source", "data_digest"):
            content["about"].pop(key, None)
        content["about"]["curve"][0][1] += 1e-9

    assert main(["train", changed(exported, older), "--output", "older"]) == 0
    assert "not recorded: machine, source" in capsys.readouterr().out
