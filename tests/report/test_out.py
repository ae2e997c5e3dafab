"""Text on its way to a terminal."""

from __future__ import annotations

import ast
import io
import unicodedata
from pathlib import Path

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.search.cli import main
from hpo.search.dashboard.note import Summary, markdown
from hpo.search.report import out
from hpo.search.report.out import clean

SEARCH = Path(__file__).parents[2] / "search"
HOSTILE = "a\x1b[2J\x1b]0;owned\x07\u202egpj\u2066\x9b31m\x00\r[/bold][red]\x7fz"


def unsafe(text: str) -> set[str]:
    """Characters of the text that a terminal does not simply show."""
    kinds = {letter: unicodedata.category(letter) for letter in set(text) - {"\n", "\t"}}
    bidi = {letter for letter in kinds if unicodedata.bidirectional(letter) in
            {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}}  # fmt: skip
    return {letter for letter, kind in kinds.items() if kind in ("Cc", "Cs", "Zl", "Zp")} | bidi


@given(st.text(alphabet=st.characters(codec=None), max_size=60))
def test_what_is_cleaned_can_be_shown_and_is_not_changed_again(text: str) -> None:
    assert unsafe(clean(text)) == set()
    assert clean(clean(text)) == clean(text)
    assert unsafe(text) or "\u200e" not in text or "\\u200e" in clean(text)


@given(st.text(max_size=60))
def test_a_console_shows_any_text_without_its_control_characters(text: str) -> None:
    console = out.console()
    console.file = io.StringIO()
    console.print(text, markup=False)
    assert unsafe(console.file.getvalue()) == set()


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_note_has_no_control_characters(name: str, question: str) -> None:
    assert unsafe(markdown(Summary(name, question, ["minimize loss"], ["loss"], file=question))) == set()


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A study of somebody else's whose every text is hostile."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HPO_STORAGE", raising=False)
    study = optuna.create_study(storage="sqlite:///hpo.db", study_name=HOSTILE)
    study.set_user_attr("question", HOSTILE)
    study.set_user_attr(
        "definition", {"goals": [f"minimize {HOSTILE}"], "sampler": HOSTILE, "versions": {HOSTILE: HOSTILE}}
    )
    for number in range(3):
        trial = study.ask({f"p{HOSTILE}": optuna.distributions.CategoricalDistribution([HOSTILE, "b"])})
        trial.set_user_attr("reason", HOSTILE)
        trial.set_user_attr("traceback", HOSTILE)
        trial.set_user_attr("metrics", {HOSTILE: 1.0})
        trial.set_user_attr("evidence", {HOSTILE: 1.0})
        trial.report(1.0, 1)
        study.tell(trial, 1.0 if number else None, state=None if number else optuna.trial.TrialState.FAIL)
    return HOSTILE


@pytest.mark.parametrize(
    "words",
    [["status"], ["show"], ["show", "0"], ["show", "1"], ["show", "9"], ["show", "--json"], ["replay", "1"], ["export"],
     ["delete"], ["delete", "--yes"]],
)  # fmt: skip
def test_no_text_of_a_store_reaches_the_terminal_as_it_is(
    hostile: str, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    given = [] if words == ["status"] else ["--study", hostile]
    assert main([words[0], *given, *words[1:]]) in (0, 2)
    printed = capsys.readouterr()
    assert printed.out + printed.err
    assert unsafe(printed.out + printed.err) == set()


def test_no_text_of_an_objective_or_a_study_file_reaches_the_terminal_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HPO_STORAGE", raising=False)
    Path("o.py").write_text(f"def train(*, x: float = 0.0):\n    raise ValueError({HOSTILE!r})\n")
    text = "# \u202eWhat?\nobjective: ./o.py\nname: ab\ngoal: minimize lo\u202ess\nsearch: {x: {float: [0, 1]}}\n"
    Path("s.yaml").write_text(text)
    assert main(["check", "s.yaml"]) == 0
    assert main(["run", "s.yaml"]) == 3
    assert main(["replay", "ab", "0"]) == 3
    Path("s.yaml").write_text(text + "\u202eodd: 1\nbudget: {trials: '\u2067'}\n")
    assert main(["check", "s.yaml"]) == 2
    printed = capsys.readouterr()
    assert unsafe(printed.out + printed.err) == set()


@pytest.mark.skipif(not SEARCH.is_dir(), reason="runs in a checkout")
def test_text_goes_out_in_one_place() -> None:
    found = []
    for path in sorted(SEARCH.rglob("*.py")):
        if path in (SEARCH / "report" / "out.py", SEARCH / "running" / "forks.py"):  # a child's last word is Python's
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called in ("print", "input", "Console", "sys.stdout.write", "sys.stderr.write"):
                    found.append(f"{path.name}:{node.lineno} {called}")
    assert found == []
