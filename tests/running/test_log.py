"""What trials print: to their logs and not to the screen, wherever they train."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.search.cli import main
from hpo.search.report import out
from hpo.search.running import log

LOUD = """
import os, sys
def train(*, x: float = 0.0, epochs: int = 3, seed: int = 0):
    for epoch in range(epochs):
        print("said by", x)
        for share in (0, 50, 100):
            sys.stderr.write(f"\\r{share}%|bar")
        sys.stderr.write("\\n")
        if EVERYWHERE:
            os.write(1, b"from C\\n")
            os.system("echo from a child")
        yield {"val_loss": x + 1 / (epoch + 1)}
    print("the end")
"""
STUDY = """objective: ./loud.py
goal: minimize val_loss
search: {x: {float: [0, 1]}}
budget: {trials: 4}
pruner: none
confirm: {top: 1, seeds: 2}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HPO_STORAGE", raising=False)
    Path("loud.py").write_text(LOUD.replace("EVERYWHERE", "False"))
    Path("loud.yaml").write_text(STUDY)
    return tmp_path


@pytest.mark.parametrize("workers", ["1", "2"])
def test_prints_go_to_the_log_of_their_trial_and_not_to_the_screen(
    place: Path, workers: str, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("loud.py").write_text(LOUD.replace("EVERYWHERE", str(workers == "2")))
    assert main(["run", "loud.yaml", "--workers", workers]) == 0
    printed = capfd.readouterr()
    assert "said by" not in printed.out + printed.err
    assert "%|bar" not in printed.out + printed.err
    assert "from" not in printed.out + printed.err
    assert printed.out.count("trial") > 4
    assert main(["show", "loud", "--json"]) == 0
    trials = json.loads(capfd.readouterr().out)["trials"]
    for trial in trials:
        assert main(["show", "loud", str(trial["number"]), "--log"]) == 0
        expected = [f"said by {trial['point']['x']}", "100%|bar"]
        expected += ["from C", "from a child"] if workers == "2" else []
        assert capfd.readouterr().out.splitlines() == [*expected * 3, "the end"]
    assert main(["show", "loud", "--trial", "0"]) == 0
    assert "  the end" in capfd.readouterr().out
    assert main(["show", "loud (confirm)", "1", "--log"]) == 0
    assert main(["delete", "loud", "--yes"]) == 0
    assert list(Path(".hpo").glob("*/logs/*")) == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_is_printed_at_import_is_in_a_log_too(
    place: Path, workers: str, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("loud.py").write_text("print('imported')\n" + LOUD.replace("EVERYWHERE", "False"))
    assert main(["run", "loud.yaml", "--workers", workers]) == 0
    assert "imported" not in "".join(capfd.readouterr())
    assert any("imported\n" in file.read_text() for file in Path(".hpo").rglob("*.log"))
    Path("broken.py").write_text("print('imported')\nraise ValueError('broken')\ndef train(*, x: float = 0.0): ...\n")
    Path("broken.yaml").write_text(STUDY.replace("loud", "broken"))
    assert main(["run", "broken.yaml", "--workers", workers]) == 2
    assert "broken in line 2" in capfd.readouterr().err


def test_a_trial_trained_alone_prints_to_the_screen(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "loud.yaml", "--quiet"]) == 0
    assert main(["export", "loud", "--output", "best.yaml"]) == 0
    capsys.readouterr()
    assert main(["train", "best.yaml"]) == 0
    assert "said by" in capsys.readouterr().out
    assert main(["replay", "loud", "0"]) == 0
    assert "said by" in capsys.readouterr().out


def test_two_stores_in_one_folder_have_logs_of_their_own(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for store in ("a.db", "b.journal"):
        assert main(["run", "loud.yaml", "--quiet", "--storage", store, "--trials", "1", "--confirm", "none"]) == 0
    for store in ("a.db", "b.journal"):
        capsys.readouterr()
        assert main(["show", "loud", "0", "--log", "--storage", store]) == 0
        assert capsys.readouterr().out.count("the end") == 1


@pytest.mark.parametrize(
    ("words", "said"), [(["loud", "--log"], "whose log?"), (["loud", "0", "--log"], "has printed nothing")]
)
def test_a_log_that_is_not_there_is_told(
    place: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    Path("loud.py").write_text("def train(*, x: float = 0.0):\n    return {'val_loss': x}\n")
    assert main(["run", "loud.yaml", "--quiet"]) == 0
    assert main(["show", *words]) == 2
    assert said in capsys.readouterr().err
    assert not list(Path(".hpo").rglob("*.log"))


def test_the_streams_are_restored_whatever_happens_and_messages_stay_on_the_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sys.stdout, sys.stderr, sys.breakpointhook

    def fails() -> None:
        print("to the log")
        out.say("to the screen")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), log.captured(str(tmp_path / "deep" / "1.log")):
        fails()
    assert (sys.stdout, sys.stderr, sys.breakpointhook) == before
    assert capsys.readouterr().out == "to the screen\n"
    assert (tmp_path / "deep" / "1.log").read_text() == "to the log\n"


def test_a_handler_made_in_one_trial_writes_to_the_log_of_the_next(tmp_path: Path) -> None:
    with log.captured(str(tmp_path / "1.log")):
        handler = logging.StreamHandler(sys.stderr)
    with log.captured(str(tmp_path / "2.log")):
        handler.emit(logging.LogRecord("x", 30, "f", 1, "late", None, None))
    assert (tmp_path / "2.log").read_text() == "late\n"


def test_a_log_that_cannot_be_written_fails_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (str(tmp_path / "file" / "1.log"), "/proc/1.log", str(tmp_path)):
        with log.captured(place):
            print("lost")


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=3000), max_size=40))
def test_a_log_keeps_the_end_of_what_was_printed(texts: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "1.log")
        for text in [*texts, "x" * 5000 + "\n"] * 3:
            with log.captured(str(path)):
                print(text)
        assert path.stat().st_size <= log.LIMIT
        assert log.read(path).rstrip("\n").endswith("x" * 5000)


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), min_size=1, max_size=9), min_size=1))
def test_a_bar_is_folded_to_its_last_state(states: list[str]) -> None:
    seen = [state for state in states if state.strip()]
    assert log.folded("\r".join(states)) == (seen[-1] if seen else "")
    once = log.folded("\r".join(states) + "\r\nnext\n")
    assert log.folded(once) == once


def test_a_command_that_complains_has_it_in_its_log(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("c.yaml").write_text(
        "objective: {command: \"sh -c 'echo careful >&2; echo {x}'\"}\ngoal: minimize value\n"
        "search: {x: {float: [0, 1]}}\nbudget: {trials: 2}\nconfirm: none\n"
    )
    assert main(["run", "c.yaml"]) == 0
    assert "careful" not in "".join(capfd.readouterr())
    assert main(["show", "c", "1", "--log"]) == 0
    assert capfd.readouterr().out == "careful\n"


BREAK = "def train(*, x: float = 0.0):\n    breakpoint()\n    return {'val_loss': x}\n"


def test_a_breakpoint_without_debug_says_what_it_needs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("loud.py").write_text(BREAK)
    assert main(["run", "loud.yaml"]) == 3
    assert "add --debug" in capsys.readouterr().out


def test_a_debugger_works_on_a_terminal_with_debug(place: Path) -> None:
    Path("loud.py").write_text(BREAK)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "hpo", "run", "loud.yaml", "--trials", "1", "--confirm", "none", "--debug"]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True)
    os.close(theirs)
    os.write(ours, b"p 'x is', x * 0 + 41 + 1\nc\n")
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:
        pass
    assert process.wait(60) == 0
    assert b"('x is', 42.0)" in shown
    assert b"1 complete" in shown
    os.close(ours)


def test_a_stream_of_another_kind_is_captured_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with log.captured(str(tmp_path / "1.log")):
        print("kept")
        print(sys.stdout.isatty(), sys.stdout.writable(), sys.stdout.encoding)
    assert (tmp_path / "1.log").read_text() == "kept\nFalse True utf-8\n"


@given(st.lists(st.text(st.sampled_from("ab \r\n"), max_size=12), max_size=8))
def test_who_follows_a_log_sees_its_lines_whenever_he_looks(tmp_path_factory: pytest.TempPathFactory, written) -> None:
    path = tmp_path_factory.mktemp("followed") / "1.log"
    tail, seen, rest = log.Tail(path), list[str](), ""
    for text in written:
        with path.open("a", newline="") as file:
            file.write(text)
        lines, rest = tail.look()
        seen += lines
    assert "\n".join([*seen, rest]) == log.folded("".join(written))


def test_who_follows_a_log_that_is_cut_sees_each_line_once(tmp_path: Path) -> None:
    path = tmp_path / "1.log"
    tail, seen = log.Tail(path), list[str]()
    for number in range(4000):
        with path.open("a") as file:
            file.write(f"line {number} {'.' * 40}\n")
        if number % 500 == 499:
            seen += tail.look()[0]
            log.trim(path)
    assert [int(line.split()[1]) for line in seen] == list(range(4000))
