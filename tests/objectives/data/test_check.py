"""Mistakes in a data specification are told before anything heavy is imported."""

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hpo.objectives import data
from hpo.search.terms.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "patients.csv").write_text("age;outcome;clinic\n1;yes;a\n")
    with gzip.open(tmp_path / "twice.csv.gz", "wt") as file:
        file.write("a,b,a\n1,2,3\n")
    (tmp_path / "empty.csv").touch()
    np.savez(tmp_path / "images.npz", pixels_train=np.zeros((4, 2, 2)), labels_train=np.zeros(4), other=np.zeros(3))
    (tmp_path / "fake.npz").write_text("no archive")
    (tmp_path / "book.txt").write_text("Once upon a time\n")
    (tmp_path / "mails.jsonl").write_text('{"body": "hello"}\n')
    (tmp_path / "empty.txt").touch()
    (tmp_path / "books").mkdir()
    (tmp_path / "old.zip").write_text("PK")
    return tmp_path


def test_right_specifications_have_no_mistakes(folder: Path) -> None:
    for name in data.NAMES:
        assert data.check(name) == []
    table = {"path": "patients.csv", "target": "outcome", "drop": ["age"], "groups": "clinic", "validation": 0.1}
    assert data.check({"table": table}, folder) == []
    assert data.check({"npz": {"path": "images.npz", "x": "pixels", "y": "labels"}}, folder) == []
    assert data.check({"openml": {"name": "adult", "version": 2}}) == []
    assert data.check("stdlib") == []
    text = {"path": ["b*k.txt", "mails.jsonl"], "documents": "blank", "field": "body", "validation": 0.85, "test": 0}
    assert data.check({"text": text}, folder) == []
    assert data.check({"text": {"path": "book.txt", "validation": 0.85}}, folder) == []


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("digit", "no bundled data set called 'digit': did you mean 'digits'?"),
        ("my.csv", "write {table: {path: my.csv, target: COLUMN}}"),
        ("my.npz", "write {npz: {path: my.npz}}"),
        (3, "data must be one of breast_cancer"),
        ({"table": {}, "npz": {}}, "data must be one of"),
        ({"tabel": {}}, "no kind of data called 'tabel': did you mean 'table'?"),
        ({"table": "my.csv"}, "takes options such as {path: ...}"),
        ({"table": {"path": "patients.csv"}}, "needs the option 'target'"),
        ({"table": {"path": "patients.csv", "target": "outcome", "gruops": "a"}}, "did you mean 'groups'?"),
        ({"table": {"path": "patients.csv", "target": "outcome", "test": 1.5}}, "test must be a share between 0 and 1"),
        ({"table": {"path": "patients.csv", "target": "outcome", "task": "guess"}}, "classification or regression"),
        ({"table": {"path": "patients.csv", "target": "outcome", "drop": 3}}, "a name or a list of names"),
        ({"table": {"path": "patients.csv", "target": "outcome", "validation": 0.5, "test": 0.5}}, "leave no rows"),
        ({"table": {"path": "patiens.csv", "target": "outcome"}}, "did you mean 'patients.csv'"),
        ({"table": {"path": "nowhere/a.csv", "target": "outcome"}}, "does not exist either"),
        ({"table": {"path": ".", "target": "outcome"}}, "is a folder"),
        ({"table": {"path": "empty.csv", "target": "outcome"}}, "is empty"),
        (
            {"table": {"path": "patients.csv", "target": "outcom"}},
            "no column 'outcom' (target): did you mean 'outcome'?",
        ),
        ({"table": {"path": "patients.csv", "target": "age", "groups": "clinics"}}, "(groups): did you mean 'clinic'?"),
        ({"table": {"path": "patients.csv", "target": "age", "drop": "age"}}, "the target 'age' cannot also be drop"),
        ({"table": {"path": "patients.csv", "target": "age", "separator": "::"}}, "a separator is one character"),
        ({"table": {"path": "patients.csv", "target": "age", "groups": "clinic", "time": "outcome"}}, "not both"),
        ({"table": {"path": "twice.csv.gz", "target": "a"}}, "several columns called 'a'"),
        ({"npz": {"path": "fake.npz"}}, "is not an .npz file"),
        ({"npz": {"path": "images.npz"}}, "it holds pixels_train, labels_train, other"),
        ({"npz": {"path": "images.npz", "x": "pixels", "y": "labels", "groups": "othr"}}, "did you mean 'other'?"),
        ("book.txt", "write {text: {path: book.txt}}"),
        ("stdlb", "did you mean 'stdlib'?"),
        ({"text": {}}, "needs the option 'path'"),
        ({"text": {"path": []}}, "path must be a path or a list of paths, got []"),
        ({"text": {"path": ["book.txt", 3]}}, "path must be a path or a list of paths"),
        ({"text": {"path": "bok.txt"}}, "did you mean 'book.txt'"),
        ({"text": {"path": ["book.txt", "bok.txt"]}}, "did you mean 'book.txt'"),
        ({"text": {"path": "b*.md"}}, "no file matches 'b*.md' in "),
        ({"text": {"path": "empty.txt"}}, "is empty"),
        ({"text": {"path": "books"}}, "books/*.txt"),
        ({"text": {"path": "old.zip"}}, "old.zip is no plain text: unpack it"),
        ({"text": {"path": "book.txt", "documents": "page"}}, "documents must be file, line or blank, got 'page'"),
        ({"text": {"path": "book.txt", "document": "line"}}, "did you mean 'documents'?"),
        ({"text": {"path": "book.txt", "field": "body"}}, "no file ends in .jsonl"),
        ({"text": {"path": "book.txt", "validation": 0}}, "validation must be a share between 0 and 1"),
        ({"text": {"path": "book.txt", "test": -0.1}}, "test must be 0 or a share between 0 and 1"),
        ({"text": {"path": "book.txt", "validation": 0.9}}, "leave no rows"),
        ({"openml": {"name": "adult", "version": "two"}}, "version must be a whole number from 1 on"),
        ({"openml": {"name": "adult", "version": -5}}, "version must be a whole number from 1 on, got -5"),
        ({"table": {"path": "", "target": "y"}}, "path must be a text that is not empty, got ''"),
    ],
)
def test_each_mistake_names_the_thing_and_the_remedy(folder: Path, spec: object, said: str) -> None:
    found = data.check(spec, folder)
    assert len(found) == 1, found
    assert said in found[0]


def test_several_mistakes_are_told_at_once(folder: Path) -> None:
    spec = {"table": {"path": "patients.csv", "target": "outcom", "drop": ["agee"], "time": "clinik"}}
    assert len(data.check(spec, folder)) == 3


def test_loading_refuses_what_checking_refuses() -> None:
    with pytest.raises(DataError, match="did you mean 'wine'"):
        data.load("win")


def test_text_where_rows_are_needed_is_told_and_rows_where_text_is(folder: Path) -> None:
    for spec in ("stdlib", {"text": {"path": str(folder / "book.txt")}}):
        assert data.is_text(spec)
        with pytest.raises(DataError, match="is text, which has no target column: train objective gpt or masked"):
            data.load(spec)
    assert not data.is_text("digits")
    with pytest.raises(DataError, match="trained on text, not on data 'digits'"):
        data.notes("digits", text=True)


def test_checking_digesting_and_listing_knobs_import_nothing_heavy(folder: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from hpo.objectives import data, sklearn
folder = Path({str(folder)!r})
assert not data.check({{"table": {{"path": "patients.csv", "target": "outcome"}}}}, folder)
assert not data.check({{"npz": {{"path": "images.npz", "x": "pixels", "y": "labels"}}}}, folder)
data.digest({{"table": {{"path": str(folder / "patients.csv"), "target": "outcome"}}}})
data.digest("digits")
data.digest("stdlib")
assert data.check({{"text": {{"path": "*.txt"}}}}, folder / "books")
assert sklearn.open_knobs({{"estimator": "SVC"}})["C"] == 1.0
print([name for name in ("numpy", "pandas", "sklearn", "scipy", "torch", "optuna") if name in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_relative_paths_start_from_the_base(folder: Path) -> None:
    spec = {"table": {"path": "patients.csv", "target": "outcome"}}
    resolved = data.resolve(spec, folder)
    assert resolved["table"]["path"] == str((folder / "patients.csv").resolve())
    assert data.resolve("digits", folder) == "digits"
    assert spec["table"]["path"] == "patients.csv"
    several = {"text": {"path": ["book.txt", "*/a?.txt"]}}
    assert data.resolve(several, folder)["text"]["path"] == [
        f"{folder.resolve()}/{name}" for name in several["text"]["path"]
    ]
    assert data.resolve({"text": {"path": 3}}, folder) == {"text": {"path": 3}}


def test_the_digest_follows_the_content_and_not_the_name(folder: Path) -> None:
    def digest(name: str) -> str:
        return data.digest({"table": {"path": str(folder / name), "target": "outcome"}})

    before = digest("patients.csv")
    (folder / "copy.csv").write_bytes((folder / "patients.csv").read_bytes())
    assert digest("copy.csv") == before
    (folder / "copy.csv").write_text("age;outcome\n2;no\n")
    assert digest("copy.csv") != before
    assert len(before) == 12
    assert data.digest("iris") != data.digest("wine")
