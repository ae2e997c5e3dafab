"""How mistakes are shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.search.terms import errors
from hpo.search.terms.errors import HpoError, Mistake, StudyFileError, did_you_mean


def test_a_mistake_shows_its_place_the_line_and_the_repair() -> None:
    mistake = Mistake("unknown key 'serach'", "did you mean 'search'?", "s.yaml", "a: 1\nserach: {}\n", 2, 1, 6)
    assert str(mistake) == (
        "s.yaml:2:1: unknown key 'serach'\n"
        "2 | serach: {}\n"
        "  | ^^^^^^ did you mean 'search'?"
    )  # fmt: skip


def test_a_place_without_text_keeps_the_repair() -> None:
    assert str(Mistake("bad", "do this", "s.yaml", "", 3, 4)) == "s.yaml:3:4: bad (do this)"


def test_a_long_line_is_shown_around_its_mistake() -> None:
    text = "x" * 5000 + "HERE" + "y" * 5000
    shown = str(Mistake("bad", "", "s", text, 1, 5001, 4)).splitlines()
    assert max(map(len, shown)) < 130
    start = shown[2].index("^")
    assert shown[1][start : start + 4] == "HERE"
    assert shown[2].count("^") == 4


def test_control_characters_of_a_file_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in str(Mistake("bad", "", "s", "a: \x1b[31m\tb", 1, 1))


def test_lines_are_counted_as_yaml_counts_them() -> None:
    assert errors.lines_of("a\r\nb\rc\x0cd\u2028e") == ["a", "b", "c\x0cd", "e"]


def test_mistakes_are_sorted_by_place_and_one_place_has_one_message() -> None:
    second, first = Mistake("second", line=2), Mistake("first", line=1)
    follows = Mistake("follows from the first", line=1)
    other = Mistake("another knob", line=1, about="other")
    error = StudyFileError([second, first, follows, other])
    assert [mistake.message for mistake in error.mistakes] == ["first", "another knob", "second"]
    assert str(error).count("\n\n") == 2


def test_a_near_word_is_offered_else_the_few_there_are() -> None:
    assert did_you_mean("lerning_rate", ["learning_rate", "dropout"]) == "did you mean 'learning_rate'?"
    assert did_you_mean("q", ["b", "a"]) == "one of: a, b"
    assert did_you_mean("q", []) == ""
    assert did_you_mean("q", map(str, range(100, 200))) == ""


@pytest.mark.parametrize(
    ("typed", "known", "said"),
    [
        ("lr", ["learning_rate", "l2_penalty"], "'learning_rate'"),
        ("bs", ["batch_size", "bias"], "'batch_size'"),
        ("hidden", ["hidden_units", "depth"], "'hidden_units'"),
        ("asha", ["median", "successive-halving"], "'successive-halving'"),
        ("RandomForest", ["RandomForestClassifier", "RandomForestRegressor", "Ridge"],
         "'RandomForestClassifier' or 'RandomForestRegressor'"),
    ],
)  # fmt: skip
def test_what_a_short_form_or_another_tools_word_means_is_offered(typed: str, known: list[str], said: str) -> None:
    assert did_you_mean(typed, known) == f"did you mean {said}?"


def test_another_tools_word_means_nothing_where_there_is_nothing_of_the_kind() -> None:
    assert did_you_mean("asha", ["median", "none"]) == "one of: median, none"
    assert did_you_mean("qr", ["q_red", "quick_run"]) == "one of: q_red, quick_run", "several may be meant"


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    shown = dict(re.findall(r"(?:\|--|`--)\s(\w+)\s+(\d+)", errors.__doc__ or ""))
    kinds = [kind for direct in HpoError.__subclasses__() for kind in (direct, *direct.__subclasses__())]
    assert shown == {kind.__name__: str(kind.exit_code) for kind in kinds if kind.__module__ == errors.__name__}


@pytest.mark.parametrize("kind", HpoError.__subclasses__())
def test_an_error_is_its_message(kind: type[HpoError]) -> None:
    if kind is not StudyFileError:
        assert str(kind("what happened")) == "what happened"


@given(st.text(max_size=200), st.integers(1, 10), st.integers(1, 300), st.integers(1, 300))
def test_any_place_can_be_shown(text: str, line: int, column: int, width: int) -> None:
    shown = str(Mistake("bad", "hint", str(Path("s.yaml")), text, line, column, width))
    assert shown.startswith(f"s.yaml:{line}:{column}: bad")
    assert len(shown.splitlines()) <= 3
