"""Tables: types are inferred, gaps and rare categories handled, impossible data refused, other files read alike."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hpo.objectives import data
from hpo.objectives.data.columns import MISSING
from hpo.search.terms.errors import DataError

ROWS = 300


def mixed(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Numbers, text, booleans, dates, gaps, rare categories, identifiers and useless columns."""
    rng = np.random.default_rng(seed)
    age = rng.normal(50, 10, rows).round(1)
    city = rng.choice(["Lyon", "Graz", "Turku"], rows).astype(object)
    city[:2] = ["Oslo", "Rome"]
    frame = pd.DataFrame(
        {
            "age": np.where(rng.random(rows) < 0.1, np.nan, age),
            "income": [f"{value:.0f}" for value in rng.lognormal(8, 1, rows)],
            "city": np.where(rng.random(rows) < 0.1, None, city),
            "member": rng.random(rows) < 0.5,
            "seen": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 600, rows), unit="D"),
            "zone": rng.integers(1, 4, rows),
            "id": [f"P{i:05d}" for i in range(rows)],
            "country": "FR",
            "blank": np.nan,
            "clinic": rng.integers(0, 20, rows),
            "outcome": np.where(age + rng.normal(0, 3, rows) > 50, "yes", "no"),
        }
    )
    frame["seen"] = frame["seen"].dt.strftime("%Y-%m-%d")
    frame.loc[5, "income"] = "?"
    return frame


def write(folder: Path, frame: pd.DataFrame, name: str = "people.csv") -> str:
    path = folder / name
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    return str(path)


def table(path: str, target: str = "outcome", **options: Any) -> dict[str, Any]:
    return {"table": {"path": path, "target": target, **options}}


@pytest.mark.parametrize("name", ["people.csv", "people.csv.gz", "people.parquet"])
def test_types_are_inferred_from_every_format(tmp_path: Path, name: str) -> None:
    loaded = data.load(table(write(tmp_path, mixed(), name), categorical="zone"))
    kinds = {column.name: column.kind for column in loaded.columns}
    assert kinds == {
        "age": "number",
        "income": "number",
        "city": "category",
        "member": "number",
        "seen": "date",
        "zone": "category",
        "clinic": "number",
    }
    assert loaded.task == "classification"
    assert loaded.classes == ("no", "yes")
    assert {"seen.days", "seen.month", "seen.day", "seen.weekday"} <= set(loaded.features)
    assert set(loaded.train.X["zone"]) == {"1", "2", "3"}
    assert MISSING in set(loaded.train.X["city"])
    said = "\n".join(loaded.notes)
    assert "'id' is dropped" in said
    assert "'country' is dropped: it is FR" in said
    assert "'blank' is dropped: it has no value" in said


def test_separator_byte_order_mark_and_dates_with_hours(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"when": [f"{1 + i % 28:02d}.03.2024 {i % 24:02d}:30" for i in range(40)], "y": [0.5 + i for i in range(40)]}
    )
    path = tmp_path / "log.csv"
    path.write_text("\ufeff" + frame.to_csv(index=False, sep=";"), encoding="utf-8")
    loaded = data.load(table(str(path), "y"))
    assert loaded.task == "regression"
    assert loaded.columns[0].form == "%d.%m.%Y %H:%M"
    assert "when.hour" in loaded.features
    assert loaded.train.X["when.hour"].iloc[0] == loaded.train.rows[0] % 24 + 0.5
    assert data.check(table(str(path), "y")) == []


def test_preparation_knows_the_training_part_alone(tmp_path: Path) -> None:
    loaded = data.load(table(write(tmp_path, mixed())))
    prepared = data.arrays(loaded)
    names = list(prepared.names)
    age = loaded.train.X["age"]
    filled = age.fillna(age.median())
    for part, raw in ((prepared.train, loaded.train), (prepared.validation, loaded.validation)):
        ours = raw.X["age"].fillna(age.median())
        assert part.X[:, names.index("age")] == pytest.approx((ours - filled.mean()) / filled.std(ddof=0), abs=1e-5)
        assert part.X.dtype == np.float32
        assert np.isfinite(part.X).all()
    assert prepared.train.X[:, names.index("age")].mean() == pytest.approx(0, abs=1e-6)
    assert "missingindicator_age" in names
    # a category that is rare in training shares a column, one that is unseen has none
    assert not {"city_Oslo", "city_Rome"} & set(names)
    assert "city_infrequent_sklearn" in names or not {"Oslo", "Rome"} & set(loaded.train.X["city"])
    unseen = data.Part(loaded.train.X.head(1).assign(city="Atlantis"), loaded.train.y[:1], loaded.train.rows[:1])
    cities = [i for i, name in enumerate(names) if name.startswith("city_")]
    assert (prepared.of(unseen).X[0, cities] == 0).all()


def test_values_outside_the_training_part_change_nothing_in_it(tmp_path: Path) -> None:
    frame = mixed()
    before = data.load(table(write(tmp_path, frame)))
    held_out = np.concatenate([before.validation.rows, before.test.rows])
    changed = frame.copy()
    changed.loc[held_out, "age"] = 1e6
    changed.loc[held_out, "city"] = "Atlantis"
    changed.loc[held_out, "income"] = "a lot"
    after = data.load(table(write(tmp_path, changed, "changed.csv")))
    assert after.columns == before.columns
    assert (data.arrays(after).train.X == data.arrays(before).train.X).all()


def test_rows_without_a_target_are_left_out_and_counted(tmp_path: Path) -> None:
    frame = mixed()
    frame.loc[:9, "outcome"] = None
    loaded = data.load(table(write(tmp_path, frame)))
    assert "10 of 300 rows have no target and are left out" in loaded.notes
    rows = np.concatenate([loaded.train.rows, loaded.validation.rows, loaded.test.rows])
    assert len(rows) == 290


def test_groups_stay_whole_and_time_stays_in_order(tmp_path: Path) -> None:
    frame = mixed()
    path = write(tmp_path, frame)
    grouped = data.load(table(path, groups="clinic"))
    clinics = [set(frame["clinic"].iloc[part.rows]) for part in (grouped.train, grouped.validation, grouped.test)]
    assert not clinics[0] & clinics[1]
    assert not clinics[1] & clinics[2]
    assert "clinic" not in grouped.features
    timed = data.load(table(path, time="seen"))
    seen = [frame["seen"].iloc[part.rows] for part in (timed.train, timed.validation, timed.test)]
    assert seen[0].max() < seen[1].min() < seen[1].max() < seen[2].min()
    assert seen[0].is_monotonic_increasing
    assert timed.ordered


@pytest.mark.slow
def test_the_split_is_the_same_in_every_process(tmp_path: Path) -> None:
    code = f"""
import hashlib
from hpo.objectives import data
loaded = data.load({table(write(tmp_path, mixed()))!r}, 3)
arrays = data.arrays(loaded)
print(hashlib.sha256(arrays.train.X.tobytes() + arrays.test.X.tobytes() + arrays.validation.y.tobytes()).hexdigest())
"""
    ran = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        )
        for seed in ("1", "2")
    ]
    assert ran[0].stdout == ran[1].stdout != ""


def test_data_are_loaded_once_and_again_when_the_file_changes(tmp_path: Path) -> None:
    frame = mixed()
    spec = table(write(tmp_path, frame))
    first = data.load(spec)
    assert data.load(dict(spec)) is first
    assert data.load(spec, 1) is not first
    write(tmp_path, frame.head(200))
    again = data.load(spec)
    assert len(again.train) < len(first.train)
    assert again.digest != first.digest


def test_whole_numbers_are_classes_when_few_and_a_quantity_when_many(tmp_path: Path) -> None:
    frame = mixed()
    few = data.load(table(write(tmp_path, frame), "zone"))
    assert (few.task, few.classes) == ("classification", (1, 2, 3))
    frame["count"] = np.arange(ROWS) % 50
    many = data.load(table(write(tmp_path, frame, "count.csv"), "count"))
    assert (many.task, many.classes) == ("regression", ())
    prepared = data.arrays(many)
    assert prepared.train.y.mean() == pytest.approx(0, abs=1e-5)
    assert prepared.test.y * prepared.y_scale + prepared.y_mean == pytest.approx(many.test.y, rel=1e-5, abs=1e-4)
    said = data.load(table(write(tmp_path, frame, "said.csv"), "zone", task="regression"))
    assert said.task == "regression"
    gaps = frame.astype({"zone": "float64"})
    gaps.loc[3, "zone"] = np.nan
    assert data.load(table(write(tmp_path, gaps, "gaps.csv"), "zone")).classes == (1, 2, 3)


def bad(frame: pd.DataFrame, **columns: Any) -> pd.DataFrame:
    return frame.assign(**columns)


@pytest.mark.parametrize(
    ("frame", "options", "said"),
    [
        (bad(mixed(), outcome="yes"), {}, "the target 'outcome' is constant (yes in every row)"),
        (bad(mixed(), outcome=None), {}, "the target 'outcome' is missing in every row"),
        (bad(mixed(), outcome=["x"] + ["yes", "no"] * 149 + ["no"]), {}, "classes with a single row ('x')"),
        (mixed(8), {}, "8 rows with a target are too few; at least 10"),
        (mixed(), {"task": "regression"}, "regression needs numbers, but 'outcome' holds"),
        (mixed()[["outcome"]].assign(a=1), {}, "no column is left to learn from"),
        (bad(mixed(), clinic=[0, 1] * 150), {"groups": "clinic"}, "2 groups cannot fill 3 parts"),
        (bad(mixed(), seen="soon"), {"time": "seen"}, "holds neither numbers nor dates"),
        (bad(mixed(), clinic=[None] + [1.0, 2.0, 3.0] * 99 + [1.0, 2.0]), {"groups": "clinic"}, "1 rows have no group"),
        (bad(mixed(), zone=[None, *range(299)]), {"time": "zone"}, "1 rows have no time in 'zone'"),
        (
            bad(mixed(), zone=range(300), outcome=["yes", "no"] * 100 + ["yes"] * 100),
            {"time": "zone"},
            "rows of the test part are of class 'yes'",
        ),
    ],
)
def test_data_that_cannot_be_trained_on_are_refused(
    tmp_path: Path, frame: pd.DataFrame, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError) as raised:
        data.load(table(write(tmp_path, frame), **options))
    assert said in str(raised.value)


def test_unreadable_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(name: str, content: bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(DataError) as raised:
            data.load(table(str(path), "a"))
        return str(raised.value)

    assert "not UTF-8 text" in refused("latin.csv", "a,b\nä,1\n".encode("latin-1") * 20)
    assert "is empty" in refused("empty.csv", b"")
    assert "has no header" in refused("blank.csv", b"\n\n1,2\n")
    assert "separator ','" in refused("ragged.csv", b'a,b\n1,2\n"3,4\n')
    assert "cannot be read" in refused("torn.csv.gz", b"\x1f\x8b\x08 not gzip")
    assert "cannot be read as Parquet" in refused("torn.parquet", b"PAR1 and nothing")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install 'hpo-suite[parquet]'" in refused("fine.parquet", b"PAR1")


def test_another_file_of_the_same_columns_is_read_alike(tmp_path: Path) -> None:
    loaded = data.load(table(write(tmp_path, mixed())))
    other = mixed(50, seed=1)[::-1]
    part = data.apply(loaded, write(tmp_path, other, "other.csv"))
    assert len(part) == 50
    assert list(part.X.columns) == list(loaded.train.X.columns)
    assert data.arrays(loaded).of(part).X.shape == (50, len(data.arrays(loaded).names))
    same = data.apply(loaded, loaded.spec["table"]["path"])
    assert (same.X.iloc[loaded.test.rows].to_numpy() == loaded.test.X.to_numpy())[:, 2:].all()
    assert (same.y[loaded.test.rows] == loaded.test.y).all()
    with pytest.raises(DataError, match=r"lacks 2 of the columns .*: 'outcome', 'age'"):
        data.apply(loaded, write(tmp_path, other.drop(columns=["age", "outcome"]), "short.csv"))
    with pytest.raises(DataError, match=r"'age' did you mean 'aged'"):
        data.apply(loaded, write(tmp_path, other.rename(columns={"age": "aged"}), "renamed.csv"))
    with pytest.raises(DataError, match="'outcome' holds 'perhaps', but the model knows the classes 'no', 'yes'"):
        data.apply(loaded, write(tmp_path, other.assign(outcome="perhaps"), "classes.csv"))
    with pytest.raises(DataError, match=r"did you mean 'other\.csv'"):
        data.apply(loaded, tmp_path / "othr.csv")
    with pytest.raises(DataError, match="lacks 5 of the columns"):
        data.apply(data.load("iris"), tmp_path / "other.csv")


def test_a_saved_index_is_dropped_and_extra_cells_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "indexed.csv"
    mixed().to_csv(path)
    loaded = data.load(table(str(path)))
    assert "" not in loaded.features
    assert "a column without a name, such as a saved index, is dropped" in loaded.notes
    path.write_text("a,b\n" + "1,2,3\n" * 20)
    with pytest.raises(DataError, match="Length of header"):
        data.load(table(str(path), "b"))


def test_a_quoted_name_may_run_over_two_lines_and_utf_16_is_named(tmp_path: Path) -> None:
    frame = mixed().rename(columns={"age": "age\n(years)"})
    loaded = data.load(table(write(tmp_path, frame)))
    assert "age\n(years)" in loaded.features
    (tmp_path / "wide.csv").write_bytes(mixed().to_csv().encode("utf-16-le"))
    with pytest.raises(DataError, match=r"zero bytes, as in UTF-16"):
        data.load(table(str(tmp_path / "wide.csv")))


def test_a_summary_counts_texts_without_the_blanks_around_them(tmp_path: Path) -> None:
    frame = mixed()
    frame["said"] = ["yes", "yes ", " no"] * (len(frame) // 3) + ["no"] * (len(frame) % 3)
    shown = data.summary(table(write(tmp_path, frame)), 0)
    assert next(column.why for column in shown.columns if column.name == "said") == "2 different texts"
