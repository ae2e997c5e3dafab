"""Study files: what they mean, what they are made of, and that the reference is true."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpo.objectives.data import KINDS, NAMES
from hpo.search.describe.live import live
from hpo.search.studyfile.plugins import known_names
from hpo.search.studyfile.reader import KEYS, find, read
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms import registry
from hpo.search.terms.budget import Budget
from hpo.search.terms.domain import Choice, Float, Int
from hpo.search.terms.errors import StudyFileError, UserError
from hpo.search.terms.space import Parameter
from hpo.search.terms.study import Confirm, Goal, Plugin, Study

HEAD = "objective: mlp\ngoal: minimize val_loss\n"
RATE = "search: {learning_rate: {float: [1e-4, 1e-1], log: true}}\n"


def test_a_study_file_means_what_it_says(study: Callable[..., Study], tmp_path: Path) -> None:
    found = study(
        """# How fast should it learn?
objective: mlp
goal: [minimize last val_loss, maximize val_accuracy]
search:
  momentum: {float: [0, 0.9], step: 0.3, when: {optimizer: sgd}}
  optimizer: {choice: [sgd, adamw]}
  width: {int: [16, 64], step: 16}
  batch_size: {choice: [1e1, 32]}
fixed: {epochs: 3e1}
""",
    )
    assert found.name == "s"
    assert found.question == "How fast should it learn?"
    assert found.goals == (Goal("val_loss", "minimize", "last"), Goal("val_accuracy", "maximize"))
    assert found.space.parameters == (
        Parameter("optimizer", Choice(("sgd", "adamw"))),
        Parameter("width", Int(16, 64, step=16)),
        Parameter("batch_size", Choice((10, 32))),
        Parameter("momentum", Float(0.0, 0.9, step=0.3), when=(("optimizer", ("sgd",)),)),
    )
    assert repr(found.fixed) == "{'epochs': 30}"
    assert found.budget == Budget(trials=40)
    assert (found.sampler, found.pruner, found.executor, found.workers) == (None, None, None, 1)
    assert (found.confirm, found.seed, found.data, found.device, found.repeats) == (Confirm(), 0, None, "cpu", False)
    assert found.folder == tmp_path


def test_the_recorded_text_is_a_study_again_without_its_storage(study: Callable[..., Study]) -> None:
    text = "# Why?\n" + HEAD + RATE + "storage: postgresql://me:secret@host/db\nconfirm: none\n"
    found = study(text, [("seed", "4")])
    assert found.storage == "postgresql://me:secret@host/db"
    assert "secret" not in found.text
    again = study(found.text)
    assert (again.question, again.seed, again.space, again.confirm) == ("Why?", 4, found.space, None)


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        ("", Budget(trials=50)), ("budget: {}", Budget(trials=50)), ("budget: {target: 0.1}", Budget(50, target=0.1)),
        ("budget: {minutes: 5}", Budget(minutes=5.0)), ("budget: {steps: 900}", Budget(steps=900)),
        ("budget: {trials: 1e3, steps: 99}", Budget(1000, 99)),
    ],
)  # fmt: skip
def test_a_budget_without_a_limit_gets_fifty_trials(study: Callable[..., Study], budget: str, expected: Budget) -> None:
    assert study(HEAD + RATE + budget).budget == expected


def test_a_grid_without_a_budget_is_finished(study: Callable[..., Study]) -> None:
    grid = "search: {width: {int: [1, 80]}, depth: {int: [1, 3]}}\nsampler: grid\n"
    assert study(HEAD + grid).budget == Budget(trials=240)
    assert study(HEAD + "search: {depth: {int: [1, 3]}}\n").budget == Budget(trials=3)


def test_plugins_nest(study: Callable[..., Study]) -> None:
    text = "sampler: {warmup: {first: qmc, then: {tpe: {n_startup_trials: 2e0}}}}\npruner: null\nexecutor: {inline: }\n"
    found = study(HEAD + RATE + text)
    assert found.sampler == Plugin("warmup", {"first": Plugin("qmc"), "then": Plugin("tpe", {"n_startup_trials": 2})})
    assert repr(found.sampler.options["then"].options["n_startup_trials"]) == "2"
    assert found.pruner == Plugin("none")
    assert found.executor == Plugin("inline")


UNREADABLE = """
from dataclasses import dataclass, field
from settings_of_mine import DEFAULTS, Base, Recipe

@dataclass
class Mine(Base):
    learning_rate: float = DEFAULTS["rate"]
    layers: list[int] = field(default_factory=list)

def train(recipe: Mine): ...
def fit(recipe: Recipe): ...
def build(recipe): ...
def data(): ...
"""


@pytest.mark.parametrize("function", ["", ":fit"])
def test_an_objective_that_cannot_be_read_gives_no_false_mistakes(
    study: Callable[..., Study], tmp_path: Path, function: str
) -> None:
    (tmp_path / "my.py").write_text(UNREADABLE)
    text = f"objective: ./my.py{function}\ngoal: minimize anything\nfixed: {{layers: [3, 4], deep: {{a: 1}}}}\n"
    found = study(text + "search: {learning_rate: {float: [0, 1]}, whatever: {choice: [a, 1]}}\n")
    assert found.fixed == {"layers": [3, 4], "deep": {"a": 1}}


def test_what_is_known_of_an_open_objective_is_still_checked(
    mistakes: Callable[..., list[str]], tmp_path: Path
) -> None:
    (tmp_path / "my.py").write_text("def build(recipe): ...\ndef data(): ...\n")
    text = "objective: ./my.py\ngoal: minimize val_loss\nsearch: {anything: {int: [1, 3]}}\nfixed: {momentum: 2}\n"
    assert mistakes(text) == ["4:19 momentum must be at least 0 and below 1, got 2"]


def test_a_function_of_this_process_stays_in_it(tmp_path: Path) -> None:
    data = {"objective": live(lambda x: x), "goal": "minimize value", "search": {"x": {"float": [0, 1]}}}
    assert read(data).objective == "live:test_a_function_of_this_process_stays_in_it.<locals>.<lambda>"
    assert read({**data, "workers": 2}).workers == 2  # and a copy of it goes to each worker


@pytest.mark.parametrize("name", registry.names("study"))
def test_every_shipped_study_is_one_and_asks_a_question(name: str) -> None:
    found = read(name)
    assert found.name == name
    assert found.question.endswith(("?", "."))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "1:1 the file is empty"),
        (b"\xef\xbb\xbf", "1:1 the file is empty"),
        (b"a: 1\nb: \xe9\n", "2:4 this is not UTF-8 text (byte 0xe9)"),
        ("a: 1".encode("utf-16"), "1:1 this is not UTF-8 text (byte 0xff)"),
        (b"\xef\xbb\xbf" + (HEAD + RATE + "x: 1\n").replace("\n", "\r\n").encode(), "4:1 unknown key 'x'"),
    ],
)  # fmt: skip
def test_what_bytes_a_file_is_made_of(mistakes: Callable[..., list[str]], raw: bytes, expected: str) -> None:
    (found,) = mistakes(raw)
    assert found.startswith(expected)


def test_a_mapping_is_a_study_and_odd_objects_are_refused() -> None:
    data: dict[str, Any] = {"objective": "mlp", "goal": "minimize val_loss", "search": {"depth": {"int": [1, 3]}}}
    assert read(data).space["depth"].domain == Int(1, 3)
    with pytest.raises(StudyFileError, match="depth must be a range"):
        read({**data, "search": {"depth": None}})
    with pytest.raises(UserError, match="plain data"):
        read({**data, "seed": object()})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nosuch", "no study is called 'nosuch'"),
        ("lr-bach", "did you mean 'lr-batch'?"),
        ("s", "did you mean --study s.yaml?"),
        ("./t.yaml", "there is no study file ./t.yaml: did you mean 's.yaml'?"),
        ("./folder.yaml", "is a folder"),
        ("nowhere/x.yaml", "there is no study file nowhere/x.yaml"),
        ("x" * 5000 + ".yaml", "there is no study file"),
        ("a\0b/c.yaml", "there is no study file"),
        ("~nobody-of-this-name/x.yaml", "there is no study file"),
        ("", "no study is called ''"),
    ],
)
def test_a_study_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str) -> None:
    (tmp_path / "s.yaml").write_text("")
    (tmp_path / "folder.yaml").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        find(name)
    assert message in str(caught.value)


def test_the_shown_message_is_clickable_and_marked(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(HEAD + RATE + "sampler: tpee\n")
    with pytest.raises(StudyFileError) as caught:
        read(tmp_path / "s.yaml")
    assert str(caught.value) == (
        f"{tmp_path / 's.yaml'}:4:10: no sampler is called 'tpee'\n"
        "4 | sampler: tpee\n"
        "  |          ^^^^ did you mean 'tpe'?"
    )  # fmt: skip


def test_reading_writes_nothing_and_leaves_the_parsed_text_alone(study: Callable[..., Study], tmp_path: Path) -> None:
    text = HEAD + RATE
    study(text)
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]
    assert parse(study(text).text).plain() == parse(text).plain()


DOCUMENT = Path(__file__).parents[2] / "docs" / "study-file.md"


@pytest.mark.skipif(not DOCUMENT.is_file(), reason="runs in a checkout")
class TestTheReference:
    def test_its_complete_studies_are_studies(self, study: Callable[..., Study]) -> None:
        blocks = re.findall(r"^```yaml\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
        assert len(blocks) >= 5
        for block in blocks:
            assert study(block).question

    def test_its_fragments_are_yaml(self) -> None:
        for block in re.findall(r"^```yaml fragment\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE):
            for line in block.splitlines():
                assert line.startswith("#") or parse(line).value

    def test_its_mistakes_are_shown_as_they_print(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        (shown,) = re.findall(r"^```\n(mystudy.*?)\n```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
        lines = dict(re.findall(r"^(\d+) \| (.*)$", shown, re.MULTILINE))
        (tmp_path / "mystudy.yaml").write_text(HEAD + "\n".join(lines.values()) + "\n")
        with pytest.raises(StudyFileError) as caught:
            read("mystudy.yaml")
        assert str(caught.value) == shown

    def test_it_names_every_key_plugin_and_objective(self) -> None:
        text = DOCUMENT.read_text()
        named = [*KEYS, *known_names("sampler"), *registry.names("pruner"), *registry.names("executor")]
        for name in [*named, *registry.names("objective"), *NAMES, *KINDS]:
            assert f"`{name}`" in text or f"{name}: {{" in text, f"{name} is missing"


@pytest.mark.parametrize(("budget", "trials"), [("", 50), ("budget: {trials: 60}\n", 60)])
def test_freeze_thaw_is_content_with_a_number_of_trials(study: Callable[..., Study], budget: str, trials: int) -> None:
    read_back = study(HEAD + RATE + budget + "sampler: freeze-thaw\n")
    assert read_back.budget == Budget(trials=trials)


def test_a_path_that_is_typed_starts_where_it_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in the folder of a study file, which for a shipped study is the installation's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.txt").write_text("a text\n")
    (tmp_path / "mine.csv").write_text("a,b\n1,2\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "own.csv").write_text("a,b\n1,2\n")
    (tmp_path / "sub" / "own.yaml").write_text(
        "objective: mlp\ngoal: minimize val_loss\nsearch: {width: {choice: [4, 8]}}\nbudget: {trials: 2}\n"
        "data: {table: {path: own.csv, target: b}}\n"
    )
    for study, given, path in (
        ("gpt", "{text: {path: mine.txt}}", "mine.txt"),
        ("lr-batch", "{table: {path: mine.csv, target: b}}", "mine.csv"),
        ("sub/own.yaml", "{table: {path: mine.csv, target: b}}", "mine.csv"),
        ("sub/own.yaml", "", "sub/own.csv"),
    ):
        found = read(study, [("data", given)] if given else [])
        ((_, options),) = found.data.items()
        assert options["path"] == str(tmp_path / path)
