"""The page of a study: whole in one file, safe with any name, small for many trials, seen in a browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.search.cli import main
from hpo.search.report.importance import importance
from hpo.search.report.out import clean
from hpo.search.report.page import braille
from hpo.search.report.page.drawn import drawn
from hpo.search.report.page.html import page
from hpo.search.report.page.svg import numbers
from hpo.search.report.study import StudyReport, report
from hpo.search.store import open_store
from hpo.search.terms.trial import Trial
from hpo.search.terms.winner import Candidate, Winner

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class _Balanced(HTMLParser):
    """Fails where an element is closed that is not open, or is left open."""

    void = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def checked(text: str) -> str:
    """The words of a page that is whole: balanced, its figures well-formed, nothing from elsewhere."""
    parser = _Balanced()
    parser.feed(text)
    assert not parser.open
    for figure in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ElementTree.fromstring(figure)
        assert not re.search(r'="[^"]*(nan|inf)[^"]*"', re.sub(r'aria-label="[^"]*"', "", figure))
    assert not re.search(r"https?://|<script|<link|url\(|@import", re.sub(r"<pre>.*?</pre>", "", text))
    return " ".join(parser.words)


def made(
    trials: list[Trial], goals: tuple[str, ...] = ("minimize loss",), winner: Winner | None = None, name: str = "made"
) -> StudyReport:
    counts = {state: sum(trial.state == state for trial in trials) for state in ("complete", "pruned", "failed")}
    return StudyReport(
        name, "Why?", goals, None, counts, sum(len(t.curve) for t in trials), 10, 1.0, tuple(trials), winner, {}
    )


def trial(number: int, state: str, values: tuple[float, ...], **point: object) -> Trial:
    curve = tuple((step, (values or (1.0,))[0] + 1 / step) for step in range(1, 11))
    return Trial(number, point, curve, state, values, reason="place 3 of 9 at step 2")  # type: ignore[arg-type]


def test_the_page_of_a_study_says_what_the_command_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    study = "lr-batch"
    fast = ["--set", "epochs=2", "--trials", "24", "--pruner", "none", "--quiet", "--confirm", "{seeds: 2}"]
    assert main(["run", "--study", study, *fast]) == 0
    assert main(["report", study]) == 0
    words = checked(Path("lr-batch.html").read_text())
    found = report(open_store(None), study)
    assert found.winner is not None
    for told in (
        "Which learning rate suits which batch size", f"trial {found.winner.first.trial}", "mean of 2 fresh runs",
        "Finalists", "Learning curves", "Learning rate and batch", "Which knobs matter", "Recipes", "Each knob",
        "Best trials", "hpo export --study lr-batch", "test part, measured once", "Calibration", "Confusion",
    ):  # fmt: skip
        assert told in words, told
    assert main(["report", study]) == 2
    assert main(["report", study, "--force", "--output", "lr-batch.html"]) == 0
    assert main(["report", "lr-bach"]) == 2
    assert main(["show", study, "--plot"]) == 0
    told = capsys.readouterr().out
    assert "Learning curves" in told
    assert any("\u2801" <= letter <= "\u28ff" for letter in told)
    assert main(["show", study, "--plot", "a.png"]) == 0
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    assert main(["show", study, "--plot", "a.png"]) == 2
    assert main(["show", study, "--plot", "a.jpg"]) == 2
    assert main(["show", study, "3", "--plot"]) == 2


@settings(max_examples=20)  # each computes importances and draws a page
@given(
    st.text(max_size=30),
    st.lists(
        st.tuples(
            st.sampled_from(["complete", "pruned", "failed", "running"]),
            st.one_of(st.just(()), st.tuples(st.floats())),
            st.one_of(st.floats(1e-9, 1e9), st.booleans(), st.text(max_size=5), st.integers(-9, 9), st.none()),
        ),
        max_size=12,
    ),
    st.sampled_from([("minimize loss",), ("maximize accuracy",)]),
)
def test_any_trials_give_a_whole_page(
    name: str, rows: list[tuple[str, tuple[float, ...], object]], goals: tuple[str]
) -> None:
    trials = [trial(i, state, values, knob=knob, other=i) for i, (state, values, knob) in enumerate(rows)]
    found = made(trials, goals, name=name)
    checked(page(found))
    for one in drawn(found, importance(found)):
        rows_of_cells = braille.cells(one.figure, 80)
        assert {len(row) for row in rows_of_cells} == {80}
        assert all(len(letter) == 1 and clean(letter) == letter for row in rows_of_cells for letter, _ in row)


def test_names_that_are_markup_are_text() -> None:
    found = made([trial(0, "complete", (1.0,), **{"<b>knob": "<script>x</script>"})], name="<script>alert(1)</script>")
    text = page(found)
    assert "<script" not in text
    assert "<b>knob" not in text
    checked(text)


def test_five_thousand_trials_are_less_than_two_megabytes() -> None:
    knobs = [f"knob_{i}" for i in range(10)]
    trials = [
        trial(i, "complete" if i % 5 == 0 else "pruned", (1 + (i * 7919 % 1000) / 1000,),
              **{knob: (i * (j + 3) % 997) / 997 for j, knob in enumerate(knobs)})
        for i in range(5000)
    ]  # fmt: skip
    first = Candidate(0, trials[0].point, (1.0,), ((1.1,), (1.2,)), (1.15,), (0.1,))
    text = page(made(trials, winner=Winner(dict(trials[0].point), (first,))))
    assert len(text.encode()) < 2_000_000
    checked(text)


def test_a_front_of_two_goals_is_drawn() -> None:
    trials = [trial(i, "complete", (float(i), 9.0 - i), knob=i) for i in range(8)]
    candidates = tuple(Candidate(t.number, t.point, t.values, (), t.values, None) for t in trials)
    assert "Front" in checked(page(made(trials, ("minimize loss", "minimize size"), Winner({"knob": 0}, candidates))))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=9))
def test_what_is_on_an_axis_lies_between_its_ends_in_order(values: list[float]) -> None:
    axis = numbers("x", values, 10, 110)
    placed = [axis(value) for value in sorted(values)]
    assert placed == sorted(placed)
    assert all(10 <= place <= 110 for place in placed)
    assert all(9.9 <= axis(value) <= 110.1 for value, _ in axis.ticks())


def test_a_study_of_plain_optuna_has_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(storage="sqlite:///hpo.db", study_name="plain")
    study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=5)
    assert main(["report", "plain", "--output", "plain.html"]) == 0
    checked(Path("plain.html").read_text())


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_sticks_out_of_the_page_in_a_browser(tmp_path: Path, width: int) -> None:
    trials = [trial(i, "complete", (1 / (i + 1),), learning_rate=10.0**-i, kind="ab"[i % 2]) for i in range(6)]
    first = Candidate(0, trials[0].point, (1.0,), ((1.1,), (1.2,)), (1.15,), (0.1,))
    probe = "<script>document.title = document.documentElement.scrollWidth + ' ' + innerWidth</script>"
    text = page(made(trials, winner=Winner(dict(trials[0].point), (first,)))).replace("</body>", f"{probe}</body>")
    (tmp_path / "page.html").write_text(text)
    shown = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},900", "--dump-dom",
         (tmp_path / "page.html").as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip
    title = re.search(r"<title>(\d+) (\d+)</title>", shown)
    assert title is not None
    assert int(title[1]) <= int(title[2])
