"""Every code block of the README and the docs is run: Python as objectives or scripts, studies, console commands."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy
import pytest

from hpo.search.cli import main
from hpo.search.running.scratch import fresh_scratch
from hpo.search.running.training import Trainer
from hpo.search.studyfile.reader import read
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms.job import Job, Task
from hpo.search.terms.threads import set_environment

ROOT = Path(__file__).parents[2]
OWN = "add-your-own.md"  # its examples are files of a copy of the suite: test_add_your_own runs them
PAGES = [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").rglob("*.md")) if page.name != OWN)]
OPTIONAL = ("skorch", "lightning", "transformers")
LANGUAGES = ("python", "yaml", "yaml fragment", "sh", "")

pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="runs in a checkout")


@dataclass(frozen=True)
class Block:
    """A fenced block, and where it stands."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that its first line names."""
        named = re.match(r"# (\S+\.(?:py|yaml))\b", self.text)
        return named[1] if named else None

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        yield Block(page, text.count("\n", 0, found.start()) + 1, found[1], found[2])


ALL = [block for page in PAGES for block in blocks(page)] if (ROOT / "docs").is_dir() else []
PYTHON = [block for block in ALL if block.language == "python"]
SCRIPTS = [block for block in PYTHON if "parse_args()" in block.text]  # which the commands of their pages train
OBJECTIVES = [block for block in PYTHON if re.search(r"^def (train|build)\(", block.text, re.MULTILINE)]
SLOW = [block for block in OBJECTIVES if any(f"import {name}" in block.text for name in OPTIONAL)]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the pages take to be there: data, and a training script in another language.

    The standard library is the suite's own sources, a tenth of it.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hpo.objectives.data.texts.sysconfig", SimpleNamespace(get_path=lambda _: str(ROOT / "search")))
    monkeypatch.delenv("HPO_STORAGE", raising=False)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")  # torchrun's place
    set_environment()
    rows = [f"{i},{i % 7},{'ab'[i % 2]},{int(i % 5 > 2)}" for i in range(160)]
    for file in ("customers.csv", "new.csv"):
        Path(file).write_text("\n".join(["id,age,plan,churned", *rows]) + "\n")
    numpy.savez("new.npz", x=numpy.zeros((3, 8, 8)))
    lines = [f"Letter {i} says {'far ' * (i % 9)}away and back." for i in range(120)]
    Path("mine.txt").write_text("\n\n".join(lines))
    with gzip.open("mails.jsonl.gz", "wt") as file:
        file.writelines(json.dumps({"body": line * 20}) + "\n" for line in lines)
    tiny = {"depth": 1, "width": 16, "heads": 2, "max_steps": 2, "score_bytes": 500}
    about = {"objective": "gpt", "data": {"text": {"path": "mine.txt", "documents": "blank"}}, "folder": "."}
    recipe = {"recipe": {**tiny, "seed": 0}, "about": {**about, "study": "words", "goal": "minimize val_bpb"}}
    Path("words.yaml").write_text(json.dumps(recipe))
    Path("new.jsonl").write_text("\n".join(json.dumps({"id": i, "text": line}) for i, line in enumerate(lines)))
    Path("train.sh").write_text('#!/bin/sh\necho \'{"loss": 0.5, "val_loss": 0.5}\'\n')
    Path("train.sh").chmod(0o755)
    return tmp_path


def train(block: Block, **recipe: Any) -> list[tuple[int, dict[str, float]]]:
    """The first points of an objective, as `hpo train` would have them."""
    name = block.file or "objective.py"
    Path(name).write_text(block.text)
    with fresh_scratch() as scratch:
        run = Trainer(Task(str(Path(name).resolve()), folder=str(Path.cwd()))).start(
            Job(0, recipe, checkpoints=scratch)
        )
        points = [(run.step, point) for point in run]
        if hasattr(run.fitted, "save"):
            Path("saved").mkdir()
            assert all(Path(file).is_file() for file in run.fitted.save(Path("saved")))
            assert run.fitted.test()
    return points


def small(block: Block) -> dict[str, Any]:
    epochs = {"epochs": 2, "seed": 3} if "epochs" in block.text and "def build" not in block.text else {}
    return epochs or ({"epochs": 1, "seed": 3} if "def build" in block.text else {})


def test_every_block_is_of_a_kind_that_is_run() -> None:
    assert len(ALL) > 25
    for block in ALL:
        assert block.language in LANGUAGES, f"{block}: {block.language}"
        if block.language == "python" and block not in OBJECTIVES:
            compile(block.text, str(block), "exec")


@pytest.mark.parametrize("block", [block for block in OBJECTIVES if block not in SLOW], ids=str)
def test_an_objective_of_the_docs_trains_and_repeats_itself(place: Path, block: Block) -> None:
    points = train(block, **small(block))
    assert points
    (place / "saved").rename(place / "first") if (place / "saved").exists() else None
    assert train(block, **small(block)) == points


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("block", SLOW, ids=str)
def test_an_objective_with_another_library_trains_repeats_itself_and_leaves_no_files(place: Path, block: Block) -> None:
    for name in OPTIONAL:
        if f"import {name}" in block.text:
            pytest.importorskip(name)
    before = {*place.iterdir(), place / str(block.file), place / "__pycache__"}
    points = train(block, **small(block))
    assert len(points) == 2
    assert train(block, **small(block)) == points
    assert set(place.iterdir()) <= before


@pytest.mark.parametrize("block", [block for block in PYTHON if block not in (*OBJECTIVES, *SCRIPTS)], ids=str)
def test_a_script_of_the_docs_runs(place: Path, block: Block) -> None:
    if "words-model" in block.text:
        assert main(["train", "words.yaml"]) == 0
    if "churn-model" in block.text:
        train_churn_model()
    if "churn.onnx" in block.text:
        pytest.importorskip("onnxruntime")
        assert main(["export", "churn-model", "--output", "churn.onnx"]) == 0
    Path("script.py").write_text(block.text.replace("trials=50", "trials=2, confirm='none'"))
    spec = importlib.util.spec_from_file_location("script", "script.py")
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def shorter(study: str, target: str | None = None) -> list[str]:
    """What makes a study, or that of a table with a target, one of seconds."""
    known, sizes = read(study, [("budget.target", target)] if target else ()), dict[str, int]()
    if "epochs" in known.fixed:
        sizes = {"epochs": 2}
    if known.objective in ("gpt", "masked"):
        sizes = {"max_steps": 2, "eval_every": 1, "score_bytes": 500}
        small = {"tokens_per_step": 512, "depth": 1, "width": 32, "heads": 2, "context": 32}
        sizes |= {knob: size for knob, size in small.items() if knob in known.fixed}
    elif "max_steps" in known.fixed:
        sizes = {"max_steps": 2}
    one = ["--workers", "1"] if known.data == "stdlib" else []  # the process in which that is a small one
    return [*one, *(word for knob, size in sizes.items() for word in ("--set", f"{knob}={size}"))]


def run_lr_batch() -> None:
    """The study that pages take to have run."""
    options = ["--trials", "2", "--confirm", "none", "--quiet"]
    assert main(["run", "--study", "lr-batch", *options, *shorter("lr-batch")]) == 0


def train_churn_model() -> None:
    """The model that pages take to be there."""
    about = {"objective": "mlp", "data": {"table": {"path": "customers.csv", "target": "churned"}}, "folder": "."}
    recipe = {"epochs": 1, "seed": 0}
    Path("r.yaml").write_text(json.dumps({"recipe": recipe, "about": {**about, "goal": "minimize val_loss"}}))
    assert main(["train", "r.yaml", "--output", "churn-model"]) == 0


def studies(page: Path) -> list[Block]:
    """Those that stand on their own; one that starts from a model runs after the commands that train it."""
    own = [block for block in ALL if block.page == page and block.language == "yaml"]
    return [block for block in own if "start_from:" not in block.text]


HEAVY = ("devices.md",)
"""Pages whose studies start several processes a trial."""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.slow] if page.name in HEAVY else [], id=page.name)
        for page in PAGES
        if studies(page)
    ],
)
def test_the_studies_of_a_page_run(place: Path, page: Path) -> None:
    for block in ALL:
        if block.page == page and block.language == "python" and block.file:
            Path(block.file).write_text(block.text)
    run_lr_batch()
    if any("churn-model" in block.text or "source: churn" in block.text for block in studies(page)):
        train_churn_model()
    if any("source: words" in block.text for block in studies(page)):
        assert main(["train", "words.yaml"]) == 0
    for number, block in enumerate(studies(page)):
        content = parse(block.text).plain()
        name = block.file or f"study{number}.yaml"
        if set(content) == {"objective"}:  # one key, in a page that shows spellings
            block_text = block.text + "goal: minimize loss\nsearch: {learning_rate: {float: [1e-4, 1]}}\n"
        else:
            block_text = block.text
        Path(name).write_text(block_text)
        assert read(name).name
        options = ["--trials", "2", "--confirm", "none", "--quiet", *shorter(name)]
        assert main(["run", name, *options]) == 0, f"{block}"


def commands(block: Block) -> list[list[str]]:
    """The commands of a console block, comments left out."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


@pytest.mark.parametrize(
    "page", [p for p in PAGES if any(b.page == p and b.language == "sh" for b in ALL)], ids=lambda p: p.name
)
def test_the_commands_of_a_page_run_in_their_order(place: Path, page: Path) -> None:
    run_lr_batch()
    for block in ALL:
        if block.page != page:
            continue
        if block.language == "python" and block.file:
            Path(block.file).write_text(block.text)
        if block.language == "yaml fragment" and block.file:  # another tool's
            Path(block.file).write_text(block.text)
        if block.language == "yaml" and (block.file or not Path("mystudy.yaml").exists()):
            Path(block.file or "mystudy.yaml").write_text(block.text)
    Path("mystudy-2.yaml").unlink(missing_ok=True)
    ran, page_text = 0, page.read_text()
    confirm = "{top: 2, seeds: 2}" if "--within" in page_text else "none"  # which needs to know how sure values are
    for words in [words for block in ALL if block.page == page and block.language == "sh" for words in commands(block)]:
        if words[0] != "hpo":
            assert "venv" in " ".join(words) or "pytest" in words, words  # what sets this very test up
            continue
        if words[1] == "dashboard":
            continue  # serves until it is stopped; its own tests reach it
        if any(word.endswith(".onnx") for word in words) and importlib.util.find_spec("onnxruntime") is None:
            continue  # an extra; CI runs this page where it is installed
        extra = []
        if words[1] == "run":
            extra = ["--quiet", "--confirm", confirm, *([] if "--trials" in words else ["--trials", "2"])]
            target = words[words.index("--target") + 1] if "--target" in words else None
            extra += shorter(words[3] if words[2] == "--study" else words[2], target)
        if ">" in words:
            words = words[: words.index(">")]
        assert main([*words[1:], *extra]) == 0, words
        ran += 1
    assert ran


def test_the_commands_that_tables_name_exist() -> None:
    from hpo.search.cli import commands as known

    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"`hpo ([a-z]+)", text))
    assert named <= set(known())
    assert set(known()) <= named
