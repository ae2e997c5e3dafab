"""Points between thousands are read as such where the user says so or commas tell, and are told where they may be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hpo.objectives.data import apply, load, summary
from hpo.objectives.data.columns import Asked, convert, reading
from hpo.objectives.data.summaries import of_file

Number = Callable[[int], str]


def _table(folder: Path, **columns: Number) -> Path:
    made: dict[str, Number] = {"sold": lambda i: f"{1000 + 37 * i}", **columns}
    frame = pd.DataFrame({name: [one(i) for i in range(60)] for name, one in made.items()})
    frame.to_csv(folder / "t.csv", index=False, sep=";")
    return folder / "t.csv"


def _thousand(i: int) -> str:
    return f"{i + 1}.{100 + 7 * i}"


def _comma(i: int) -> str:
    return f"{i},5"


@pytest.mark.parametrize("unit", ["", " \u20ac"])
def test_with_commas_as_the_decimal_mark_points_stand_between_thousands(tmp_path: Path, unit: str) -> None:
    path = _table(tmp_path, area=lambda i: _thousand(i) + unit, rate=lambda i: f"{i}.25")
    data = load({"table": {"path": str(path), "target": "sold", "decimal": ","}}, 0)
    again = apply(data, path)
    assert list(again.X["area"]) == [1000 * (i + 1) + 100 + 7 * i for i in range(60)]
    assert list(again.X["rate"]) == [i + 0.25 for i in range(60)]
    both = pd.concat([part.X for part in (data.train, data.validation, data.test)])
    assert sorted(both["area"]) == list(again.X["area"])
    assert any("the point of" in note and "between thousands" in note for note in data.notes)


def test_a_target_is_read_like_a_feature(tmp_path: Path) -> None:
    path = _table(tmp_path, sold=_thousand, rate=_comma)
    data = load({"table": {"path": str(path), "target": "sold", "decimal": ","}}, 0)
    assert list(apply(data, path).y) == [1000 * (i + 1) + 100 + 7 * i for i in range(60)]


@pytest.mark.parametrize(
    ("texts", "decimal", "first"),
    [
        (["1.945", "12,50", "3"], "", 1945),
        (["1.945 \u20ac", "12,50 \u20ac", "3 \u20ac"], "", 1945),
        (["1.945", "2.500", "3"], "", 1.945),
        (["1.945", "2.500", "3"], ".", 1.945),
        (["1,945", "12.50", "3"], "", 1945),
        (["1,945", "2,500", "3"], "", 1945),
        (["1,945", "2,500", "3"], ",", 1.945),
        (["$1,945", "$2,500", "$3"], "", 1945),
    ],
)
def test_other_cells_or_the_user_tell_what_a_mark_is(texts: list[str], decimal: str, first: float) -> None:
    values = pd.Series(texts, dtype=object, name="x")
    column, _ = reading(values, Asked(decimal=decimal))
    assert column is not None
    assert convert(values.to_frame(), (column,))["x"][0] == first


@pytest.mark.parametrize("unit", ["", " \u20ac"])
def test_points_are_told_where_other_columns_have_decimal_commas(tmp_path: Path, unit: str) -> None:
    def told(**columns: Number) -> list[str]:
        path = _table(tmp_path, **columns)
        notes = load({"table": {"path": str(path), "target": "sold"}}, 0).notes
        shown = summary({"table": {"path": str(path), "target": "sold"}}, 0).doubts
        found: list[Any] = [[note for note in each if "has points as in" in note] for each in (notes, shown)]
        assert found[0] == found[1] == list(of_file(path).doubts)
        return list(found[0])

    area = {"area": lambda i: _thousand(i) + unit}
    (note,) = told(**area, rate=_comma)
    assert "column 'area' has points as in" in note
    assert "decimal: ','" in note
    assert not told(**area, rate=lambda i: f"{i}.25")
    assert not told(area=lambda i: f"{i}.5{unit}", rate=_comma)
