"""Numbers as people write them are read as such, in features and targets, in training and on new rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hpo.objectives.data import apply, load, summary
from hpo.objectives.data.columns import Asked, Column, convert, reading
from hpo.objectives.data.numerals import forms, parse
from hpo.search.terms.errors import DataError


@pytest.mark.parametrize(
    ("texts", "form", "numbers"),
    [
        (["12%", "3.5 %", "-1%"], "%", [12, 3.5, -1]),
        (["$1,200.50", "$ 3", "-$5.25", "7"], ".$", [1200.5, 3, -5.25, 7]),
        (["1 200,50 EUR", "3,25 EUR", "1\u202f000\u202f000,00 EUR"], ",EUR", [1200.5, 3.25, 1e6]),
        (["\u20ac1.200,50", "\u20ac0,99"], ",\u20ac", [1200.5, 0.99]),
        (["CHF 1'200.50", "CHF 20"], ".CHF", [1200.5, 20]),
        (["1,234,567", "12"], ".", [1234567, 12]),
        (["1 234,5", "0,53"], ",", [1234.5, 0.53]),
    ],
)
def test_one_form_reads_a_column(texts: list[str], form: str, numbers: list[float]) -> None:
    values = pd.Series(texts, dtype=object, name="x")
    assert form in forms(values)
    assert parse(values, form).tolist() == numbers
    column, note = reading(values, Asked())
    assert column is not None
    assert (column.kind, parse(values, column.form).tolist()) == ("number", numbers)
    assert "is read as numbers" in note


@pytest.mark.parametrize(
    "texts",
    [
        ["$1.00", "\u20ac2.00"] * 6,  # two currencies are no one quantity
        ["12%", "0.12"] * 6,  # a share and a percentage neither
        ["030 123 456", "030 123 457"] * 6,
        ["A12", "A13"] * 6,
        ["1 200 300,50 EUR x", "2 EUR y"] * 6,
    ],
)
def test_what_only_looks_like_numbers_is_left(texts: list[str]) -> None:
    column, _ = reading(pd.Series(texts, dtype=object, name="x"), Asked())
    assert column is None or column.kind != "number"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    lines = ["share,price,where,sold"]
    for i in range(60):
        price = f"{draw.uniform(1, 5000):,.2f}"
        lines.append(f'{draw.integers(1, 99)}%,"${price}",{("NA", "EU", "", "null")[i % 4]},"{10 * i + 1},50 EUR"')
    (tmp_path / "t.csv").write_text("\n".join(lines))
    return tmp_path / "t.csv"


def test_features_and_the_target_of_a_table_are_numbers_and_new_rows_are_read_alike(table: Path) -> None:
    data = load({"table": {"path": str(table), "target": "sold"}}, 0)
    assert data.task == "regression"
    assert [column.kind for column in data.columns] == ["number", "number", "category"]
    again = apply(data, table)
    assert sorted(again.y) == [10 * i + 1.5 for i in range(60)]
    assert again.X["share"].between(1, 99).all()
    assert again.X["price"].notna().all()
    told = summary({"table": {"path": str(table), "target": "sold"}}, 0)
    assert "unit '%'" in next(column.why for column in told.columns if column.name == "share")


def test_marks_that_count_as_missing_are_told_and_can_be_values(table: Path) -> None:
    options = {"path": str(table), "target": "sold"}
    doubts = "\n".join(summary({"table": options}, 0).doubts)
    assert "15 cells of 'where' are 'NA' and count as missing; not_missing: [NA] makes them a value" in doubts
    assert "15 cells of 'where' are 'null'" in doubts
    data = load({"table": {**options, "not_missing": ["NA"]}}, 0)
    assert set(data.train.X["where"]) == {"NA", "EU", "(missing)"}
    assert set(apply(data, table).X["where"]) == {"NA", "EU", "(missing)"}


@pytest.mark.parametrize("form", ["", ".", ",", "\u20ac", ",\u20ac", "%"])
def test_a_cell_that_is_a_number_is_that_number_whatever_the_form_of_the_texts(form: str) -> None:
    numbers = [691.175, 1234.0, -0.5, None]
    plain = pd.DataFrame({"x": numbers})
    held = pd.DataFrame({"x": [691.175, 1234, Decimal("-0.5"), None]}, dtype=object)
    columns = (Column("x", "number", form),)
    expected = convert(plain, columns)["x"].to_numpy()
    np.testing.assert_array_equal(expected, np.asarray(numbers, dtype=float))
    np.testing.assert_array_equal(convert(held, columns)["x"], expected)
    mixed = pd.concat([held, pd.DataFrame({"x": ["7%" if form == "%" else "7", "no"]}, dtype=object)])
    np.testing.assert_array_equal(convert(mixed, columns)["x"], [*expected, 7, np.nan])


@pytest.mark.parametrize("form", ["", ".", ",", "\u20ac", ",\u20ac", "%"])
@pytest.mark.parametrize("dtype", [float, object, "str"])
def test_a_column_of_which_new_rows_have_no_value_is_missing_there(form: str, dtype: Any) -> None:
    for rows in (0, 1, 3):
        frame = pd.DataFrame({"x": pd.Series([None] * rows, dtype=dtype)})
        assert convert(frame, (Column("x", "number", form),))["x"].isna().sum() == rows


@pytest.mark.parametrize(
    ("text", "form", "number"),
    [
        ("(1,200.50)", ".", -1200.5),
        ("($1,200.50)", ".$", -1200.5),
        ("$(3)", ".$", -3),
        ("1.200,50- \u20ac", ",\u20ac", -1200.5),
        ("1.200,50 \u20ac-", ",\u20ac", -1200.5),
        ("\u22125", "", -5),
        ("5-", "", -5),
        ("1e-5", "", 1e-5),
        ("1-2", "", np.nan),
        ("(-5)", "", np.nan),
        ("2020-01-02", "", np.nan),
    ],
)
def test_a_minus_may_stand_behind_or_be_brackets(text: str, form: str, number: float) -> None:
    np.testing.assert_equal(parse(pd.Series([text]), form)[0], number)


WRITTEN: dict[str, Callable[[int], str]] = {
    "euro": lambda i: f"{i + 1}.{i + 100},50 \u20ac",
    "comma": lambda i: f"{i},5",
    "plain": lambda i: f"{i}.5",
    "percent": lambda i: f"{i}%",
}


@pytest.mark.parametrize("mark", ["k.A.", "-", "NA"])
@pytest.mark.parametrize("written", WRITTEN)
def test_rows_of_which_the_target_is_a_mark_are_left_out(tmp_path: Path, written: str, mark: str) -> None:
    cells = [mark if i % 10 == 3 else WRITTEN[written](i) for i in range(60)]
    path = tmp_path / "t.csv"
    pd.DataFrame({"x": [i * i % 17 for i in range(60)], "y": cells}).to_csv(path, index=False, sep=";")
    table = {"path": str(path), "target": "y"}
    for options in ({}, {"task": "regression"}):
        data = load({"table": {**table, **options, "missing": [mark]}}, 0)
        assert (data.task, len(data.train) + len(data.validation) + len(data.test)) == ("regression", 54)
        assert len(apply(data, path)) == 54
    if mark == "NA":
        assert load({"table": table}, 0).task == "regression"
        return
    with pytest.raises(DataError, match=rf"holds '{re.escape(mark)}' \(6 such rows\).*missing: \[{re.escape(mark)}\]"):
        load({"table": {**table, "task": "regression"}}, 0)
    with pytest.raises(DataError, match="say task: regression"):
        load({"table": table}, 0)


def test_classes_that_are_whole_numbers_are_known_again_beside_empty_cells(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    pd.DataFrame({"x": range(60), "y": ["-" if i % 10 == 3 else i % 2 for i in range(60)]}).to_csv(path, index=False)
    data = load({"table": {"path": str(path), "target": "y", "missing": ["-"]}}, 0)
    assert data.classes == (0, 1)
    assert len(apply(data, path)) == 54


@pytest.mark.parametrize("mark", ["k.A.", "-", "unknown"])
@pytest.mark.parametrize("written", WRITTEN)
def test_marks_among_numbers_are_missing_however_these_are_written(written: str, mark: str) -> None:
    values = pd.Series([mark if i % 10 == 3 else WRITTEN[written](i) for i in range(60)], dtype=object, name="x")
    column, note = reading(values, Asked())
    assert column is not None
    assert column.kind == "number"
    assert f"6 values such as {mark!r} count as missing" in note
    assert convert(values.to_frame(), (column,))["x"].isna().sum() == 6
