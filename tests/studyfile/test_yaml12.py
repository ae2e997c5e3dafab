"""YAML as people mean it: numbers, booleans and places of version 1.2, and refusals that say where."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hpo.search.studyfile.yaml12 import Node, dump, parse
from hpo.search.terms.errors import Mistake, StudyFileError

KEYS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**25), 10**25), st.floats(allow_nan=False), st.text(max_size=20),
    st.sampled_from(["no", "yes", "on", "12:30", "1e-4", "0o17", "0x1F", "1_000", "~", "null", "2020-01-01", "="]),
)  # fmt: skip
DATA = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4))


def readable(data: Any) -> bool:
    """Whether the text has only what a study may hold."""
    if isinstance(data, dict):
        return all(readable(value) for value in data.values())
    if isinstance(data, list):
        return all(map(readable, data))
    return not isinstance(data, str) or ("\0" not in data and not any(0xD800 <= ord(c) <= 0xDFFF for c in data))


def mistakes(text: str) -> list[Mistake]:
    with pytest.raises(StudyFileError) as caught:
        parse(text)
    return caught.value.mistakes


@example({"0": "\x85"})
@settings(max_examples=50)
@given(st.dictionaries(KEYS, DATA, max_size=5))
def test_what_is_written_reads_back_the_same_here_and_in_yaml_1_1(data: dict[str, Any]) -> None:
    if readable(data):
        assert parse(dump(data)).plain() == data
        assert yaml.safe_load(dump(data)) == data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4), ("1E5", 1e5), (".5", 0.5), ("5.", 5.0), ("+3", 3), ("-0.0", -0.0), ("007", 7), ("0o17", 15),
        ("0x1F", 31), ("-.INF", -math.inf), ("no", "no"), ("off", "off"), ("Yes", "Yes"), ("True", True), ("~", None),
        ("12:30", "12:30"), ("2020-01-01", "2020-01-01"), ("1_000", "1_000"), ("0b11", "0b11"), ("1e", "1e"),
        ("'1'", "1"), ('"true"', "true"), ("y", "y"), ("n", "n"), ("1.2.3", "1.2.3"), ("- 1", [1]), ("e5", "e5"),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    found = parse(text).plain()
    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_number() -> None:
    assert math.isnan(parse(".nan").plain())


def test_every_value_and_key_knows_its_place() -> None:
    node = parse("a: 1\nb:\n  - x\n  - {c: long}\n", "f.yaml")
    assert isinstance(node.value, dict)
    assert (node.keys["b"].line, node.keys["b"].column) == (2, 1)
    (_, inner) = node.value["b"].plain(), node.value["b"].value
    assert isinstance(inner, list)
    assert isinstance(inner[1].value, dict)
    last = inner[1].value["c"]
    assert (last.line, last.column, last.width, last.source) == (4, 9, 4, "f.yaml")


def test_windows_line_ends_and_a_mark_of_utf8_do_not_shift_places() -> None:
    node = parse("a: 1\r\nb: 2\r\n")
    assert isinstance(node.value, dict)
    assert (node.value["b"].line, node.value["b"].column) == (2, 4)


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "empty"),
        ("# only words\n", 1, 1, "empty"),
        ("a: 1\n\tb: 2\n", 2, 1, "a tab indents this line"),
        ("a:\n\t- 1\n", 2, 1, "a tab indents this line"),
        ("a: [1, 2\nb: 3\n", 2, 2, "cannot be read on"),
        ("a: {b: 1\n", 2, 1, "cannot be read on"),
        ("a: b: c\n", 1, 5, "':' where none can stand"),
        ("a\nb: 1\n", 1, 1, "no ': ' after its key"),
        ("a: 1\n  b: 2\n", 2, 4, "':' where none can stand"),
        (" a: 1\nb: 2\n", 2, 1, ""),
        ("a: 1\n---\nb: 2\n", 2, 1, "a second document"),
        ("a: &x 1\nb: *x\n", 1, 4, "anchors and aliases"),
        ("b: *x\n", 1, 4, "anchors and aliases"),
        ("a: !!python/object:os.system x\n", 1, 4, "tag !!python/object:os.system"),
        ("a: !mine x\n", 1, 4, "tag !mine"),
        ("a: !!timestamp 2020-01-01\n", 1, 4, "tag !!timestamp"),
        ("a: !!int x\n", 1, 4, "'x' is not int"),
        ("a: 1\na: 2\n", 2, 1, "a is given twice"),
        ("{a: 1}: 2\n", 1, 1, "a key must be a name"),
        ("? [a]\n: 1\n", 1, 3, "a key must be a name"),
        ("a: 'x\n", 2, 1, ""),
        ('a: "\\q"\n', 1, 6, "unknown escape"),
        ('a: "\\UFFFFFFFF"\n', 1, 1, "out of range"),
        ('a: "\\0"\n', 1, 4, "NUL"),
        ('a: "\\ud800"\n', 1, 4, "surrogate"),
        ("a: 1\nb: \x07\n", 2, 4, "U+0007"),
        ("a: " + "9" * 40, 1, 4, "more than 30 digits"),
        ("a: 1e999", 1, 4, "1.8e308"),
        ("a: " + "[" * 5000, 1, 44, "nested too deeply"),
        ("a: " + "{b: " * 500, 1, 161, "nested too deeply"),
        ("- " * 5000, 1, 83, "nested too deeply"),
    ],
)  # fmt: skip
def test_what_a_study_cannot_hold_is_refused_where_it_stands(text: str, line: int, column: int, message: str) -> None:
    (mistake,) = mistakes(text)
    assert message in mistake.message
    assert (mistake.line, mistake.column) == (line, column)


def test_an_avalanche_of_aliases_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60)]
    (mistake,) = mistakes("\n".join(lines))
    assert (mistake.line, mistake.column) == (1, 5)


def test_a_file_that_cannot_be_a_study_is_not_parsed() -> None:
    (mistake,) = mistakes("x: 1\n" * 300_000)
    assert "1.5 MB are too much" in mistake.message


def test_duplicates_are_all_reported_and_the_rest_is_still_read_if_wanted() -> None:
    found: list[Mistake] = []
    node = parse("a: 1\na: 2\nb: 3\nb: 4\nc: 5\n", mistakes=found)
    assert [mistake.line for mistake in found] == [2, 4]
    assert node.plain() == {"a": 1, "b": 3, "c": 5}


@settings(max_examples=50)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert isinstance(parse(text), Node)
    except StudyFileError as error:
        refused = error
    else:
        return
    assert all(mistake.line >= 1 and mistake.column >= 1 for mistake in refused.mistakes)
