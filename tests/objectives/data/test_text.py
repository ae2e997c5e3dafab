"""Texts in tables: labels are what they say, numbers are read however they are written, notes say which key helps."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpo.objectives import data
from hpo.search.terms.errors import DataError

MARKS = ["NA", "None", "null", "nan", "NaN", "N/A", "NULL", "<NA>", "n/a", "-nan", "#N/A"]
HERE = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(path: Path, columns: dict[str, list[str]], separator: str = ",") -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, delimiter=separator)
        rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))
    return str(path)


def load(path: str, **options: Any) -> data.Dataset:
    return data.load({"table": {"path": path, "target": "y", **options}})


def whole(found: data.Dataset) -> tuple[Any, np.ndarray[Any, Any]]:
    """Features and targets of all parts, in the order of the file."""
    parts = [found.train, found.validation, found.test]
    order = np.argsort(np.concatenate([part.rows for part in parts]))
    values = {name: np.concatenate([part.X[name] for part in parts])[order] for name in found.features}
    return values, np.concatenate([part.y for part in parts])[order]


@HERE
@given(
    labels=st.lists(
        st.one_of(st.sampled_from(MARKS), st.text("abcxyz éЖ日-_/", min_size=1, max_size=6))
        .map(str.strip)
        .filter(lambda label: label not in ("", "?")),
        min_size=2,
        max_size=5,
        unique=True,
    ),
    pads=st.lists(st.sampled_from(["", " ", "  "]), min_size=60, max_size=60),
)
def test_target_texts_are_classes_whatever_they_say_and_stripped(
    tmp_path: Path, labels: list[str], pads: list[str]
) -> None:
    written = [labels[i % len(labels)] for i in range(60)]
    columns = {
        "x": [str(i % 7) for i in range(60)],
        "y": [p + label + p for p, label in zip(pads, written, strict=True)],
    }
    found = load(write(tmp_path / "t.csv", columns))
    assert found.classes == tuple(sorted(labels))
    assert [found.classes[number] for number in whole(found)[1]] == written
    again = data.apply(found, write(tmp_path / "other.csv", {"x": columns["x"][:9], "y": written[:9]}))
    assert [found.classes[number] for number in again.y] == written[:9]
    told = " ".join(found.notes)
    assert all(
        f"has a class {label!r}: leave cells empty that are missing" in told for label in labels if label in MARKS
    )


def test_empty_cells_and_question_marks_of_a_text_target_are_missing(tmp_path: Path) -> None:
    found = load(write(tmp_path / "t.csv", {"x": [str(i % 7) for i in range(60)], "y": ["a", "b", " ", "", "?"] * 12}))
    assert found.classes == ("a", "b")
    assert "36 of 60 rows have no target and are left out" in found.notes


def test_marks_among_numbers_and_truths_stay_missing(tmp_path: Path) -> None:
    x = [str(i % 7) for i in range(90)]
    quantity = load(write(tmp_path / "q.csv", {"x": x, "y": ["NA" if i % 3 else f"{i}.5" for i in range(90)]}))
    assert (quantity.task, len(quantity.train) + len(quantity.validation) + len(quantity.test)) == ("regression", 30)
    truths = load(write(tmp_path / "t.csv", {"x": x, "y": ["True", "False", "NA"] * 30}))
    assert truths.classes == (False, True)


def shown(value: float, mark: str) -> str:
    """A number with a group mark between thousands."""
    text = f"{value:,.2f}"
    return text if mark == "." else text.replace(",", "_").replace(".", ",").replace("_", ".")


@HERE
@given(
    st.lists(st.floats(-1e9, 1e9).map(lambda x: round(x, 2) + 0.0), min_size=60, max_size=60, unique=True),
    st.sampled_from([".", ","]),
    st.booleans(),
)
def test_numbers_are_read_with_either_decimal_mark(tmp_path: Path, numbers: list[float], mark: str, said: bool) -> None:
    written = [shown(value, mark) for value in numbers]
    columns = {"x": written, "v": ["a", "b", "c"] * 20, "y": written[::-1]}
    found = load(write(tmp_path / "t.csv", columns, ";"), **({"decimal": mark} if said else {}))
    values, targets = whole(found)
    assert found.task == "regression"
    assert values["x"].tolist() == numbers
    assert targets.tolist() == numbers[::-1]
    if any("," in text for text in written):
        assert f"decimal: {'.' if mark == ',' else ','!r} changes that" in " ".join(found.notes)
    again = data.apply(found, write(tmp_path / "other.csv", {name: texts[:9] for name, texts in columns.items()}, ";"))
    assert again.X["x"].tolist() == numbers[:9]
    assert again.y.tolist() == numbers[::-1][:9]


@pytest.mark.parametrize("place", ["x", "y"])
def test_numbers_with_commas_may_be_missing(tmp_path: Path, place: str) -> None:
    columns = {
        "x": [f"{i},5" for i in range(60)],
        "z": [f"{i % 7}" for i in range(60)],
        "y": [f"{i},25" for i in range(60)],
    }
    columns[place][5] = columns[place][40] = ""
    found = load(write(tmp_path / "t.csv", columns, ";"))
    values, targets = whole(found)
    assert found.task == "regression"
    assert int(np.isnan(values["x"]).sum()) == (2 if place == "x" else 0)
    assert len(targets) == (58 if place == "y" else 60)


def test_one_comma_before_three_digits_is_told_and_a_key_changes_it(tmp_path: Path) -> None:
    columns = {"x": [f"1,{i:03d}" for i in range(60)], "y": ["a", "b"] * 30}
    path = write(tmp_path / "t.csv", columns)
    assert whole(load(path))[0]["x"].tolist() == [1000.0 + i for i in range(60)]
    assert "the comma of '1,0" in load(path).notes[0]
    assert whole(load(path, decimal=","))[0]["x"].tolist() == [float(f"1.{i:03d}") for i in range(60)]
    assert data.check({"table": {"path": path, "target": "y", "decimal": ";"}}) == [
        "data table: decimal must be ',' or '.', got ';'"
    ]


def test_texts_with_commas_that_are_no_numbers_stay_categories(tmp_path: Path) -> None:
    columns = {"x": ["a,b", "1,2,3", "1,,2", "x"] * 15, "y": ["a", "b"] * 30}
    found = load(write(tmp_path / "t.csv", columns))
    assert [column.kind for column in found.columns] == ["category"]


def test_a_column_that_seems_to_identify_rows_is_dropped_with_the_key_that_keeps_it(tmp_path: Path) -> None:
    columns = {"name": [f"n{i}" for i in range(60)], "x": ["1", "2", "3"] * 20, "y": ["a", "b"] * 30}
    path = write(tmp_path / "t.csv", columns)
    assert any("categorical: [name] keeps it" in note for note in load(path).notes)
    assert "name" in load(path, categorical=["name"]).features


def test_features_count_as_different_after_stripping(tmp_path: Path) -> None:
    columns = {"x": ["u", " u"] * 30, "v": ["1", "2", "3"] * 20, "y": ["a", "b"] * 30}
    found = load(write(tmp_path / "t.csv", columns))
    assert found.features == ("v",)


def test_a_class_of_one_row_is_still_refused(tmp_path: Path) -> None:
    columns = {"x": [str(i % 7) for i in range(61)], "y": [*["a", "b"] * 30, "NA"]}
    with pytest.raises(DataError, match=r"single row \('NA'\)"):
        load(write(tmp_path / "t.csv", columns))
