"""Stopping a run from elsewhere, watching how far runs are, following a log, several studies in a row."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import hpo
from hpo.search.cli import main
from hpo.search.commands.common.following import follow
from hpo.search.engine import asked
from hpo.search.terms.errors import HpoError, Interrupted

SEARCH = {"search": {"x": {"float": [0, 1]}}, "goal": "minimize loss", "confirm": "none", "pruner": "none"}
QUICK = """objective: ./quick.py
goal: minimize loss
search: {x: {float: [0, 1]}}
budget: {trials: 2}
confirm: none
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HPO_STORAGE", raising=False)
    Path("quick.py").write_text("def train(*, x: float = 0.0):\n    print('x is', x)\n    yield {'loss': x}\n")
    Path("quick.yaml").write_text(QUICK)
    Path("broken.py").write_text("def train(*, x: float = 0.0):\n    raise RuntimeError('no luck')\n")
    Path("broken.yaml").write_text(QUICK.replace("quick", "broken"))
    return tmp_path


@pytest.mark.parametrize("storage", ["hpo.db", "hpo.journal"])
def test_a_run_is_stopped_from_elsewhere_and_goes_on_later(
    place: Path, storage: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "_LOOK", 0.05)
    ended: list[BaseException] = []
    begun, patient = threading.Event(), [True]

    def waits(*, x: float = 0.0):
        for step in range(1000 if patient else 1):
            begun.set()
            threading.Event().wait(0.005)
            yield {"loss": x + step}

    def run() -> None:
        try:
            hpo.run(waits, trials=1000, storage=storage, **SEARCH)
        except HpoError as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(60)
    assert main(["stop", "waits", "--storage", storage]) == 0
    thread.join(60)
    assert isinstance(ended[0], Interrupted)
    said = capsys.readouterr().out
    assert "asking process" in said
    assert "the command that ran it goes on from there" in said
    assert main(["stop", "waits", "--storage", storage]) == 0
    assert "nobody runs waits" in capsys.readouterr().out

    patient.clear()
    with pytest.warns(UserWarning, match="is not what 1 earlier trials"):
        again = hpo.run(waits, trials=2, storage=storage, **SEARCH)
    assert len(again.trials) == 2, "nothing of the request is left"


def test_a_study_that_is_not_there_cannot_be_stopped(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "quick.yaml", "--quiet"]) == 0
    assert main(["stop", "quikc"]) == 2
    assert "did you mean 'quick'?" in capsys.readouterr().err


def test_several_studies_run_one_after_the_other_and_the_worst_exit_code_counts(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "broken.yaml", "--quiet", "quick.yaml"]) == 3
    said = capsys.readouterr()
    assert "hpo: broken: all 2 trials failed" in said.err
    assert "quick" in said.out
    assert main(["status", "--watch"]) == 0, "nobody runs any"
    assert "quick: done; 2 complete" in capsys.readouterr().out


def test_mistakes_in_any_of_several_studies_come_before_the_first_run(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("wrong.yaml").write_text(QUICK.replace("goal", "gaol"))
    assert main(["run", "quick.yaml", "wrong.yaml"]) == 2
    assert "did you mean 'goal'?" in capsys.readouterr().err
    assert not Path("hpo.db").exists()
    assert main(["run", "quick.yaml", "broken.yaml", "--name", "both"]) == 2


def test_a_log_is_followed_to_the_end_of_its_trial(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "quick.yaml", "--quiet"]) == 0
    capsys.readouterr()
    assert main(["show", "quick", "--follow", "1"]) == 0, "the number may stand behind an option"
    assert capsys.readouterr().out.startswith("x is 0.")
    assert main(["show", "quick", "--follow"]) == 2
    assert "whose log?" in capsys.readouterr().err
    assert main(["show", "quick", "7", "--follow"]) == 2


def test_what_comes_while_a_log_is_followed_is_printed_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, comes = tmp_path / "0.log", ["0%\r50%", "\r100%\nnext\n", "no end"]

    def goes_on() -> bool:
        with log.open("a", newline="") as file:
            file.write(comes.pop(0))
        return bool(comes)

    assert follow(log, goes_on) == 0
    assert capsys.readouterr().out == "100%\nnext\nno end\n"
