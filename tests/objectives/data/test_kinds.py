"""Bundled sets, arrays in .npz files, and OpenML without a network."""

import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets

from hpo.objectives import data
from hpo.objectives.data import bundled
from hpo.search.terms.errors import DataError

SIZES = {
    "breast_cancer": (569, 30, 2),
    "diabetes": (442, 10, 0),
    "digits": (1797, 64, 10),
    "iris": (150, 4, 3),
    "wine": (178, 13, 3),
}


@pytest.mark.parametrize("name", data.NAMES)
def test_every_bundled_set_loads_and_is_prepared(name: str) -> None:
    rows, features, classes = SIZES[name]
    loaded = data.load(name)
    assert len(loaded.train) + len(loaded.validation) + len(loaded.test) == rows
    assert len(loaded.features) == features
    assert len(loaded.classes) == classes
    assert loaded.task == ("classification" if classes else "regression")
    prepared = data.arrays(loaded)
    assert prepared.train.X.shape[1:] == ((1, 8, 8) if name == "digits" else (features,))
    assert prepared.train.X.mean() == pytest.approx(0, abs=1e-4)
    assert prepared.train.X.std() == pytest.approx(1, abs=1e-3)
    assert prepared.train.y.dtype == (np.int64 if classes else np.float32)


def test_digits_are_images_with_pixels_from_0_to_1() -> None:
    loaded = data.load("digits")
    assert loaded.image == (1, 8, 8)
    assert (loaded.train.X.min(), loaded.train.X.max()) == (0, 1)


@pytest.mark.parametrize("there", [True, False])
def test_digits_are_those_of_scikit_learn_wherever_they_are_read(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.datasets import load_digits

    if not there:
        monkeypatch.setattr(bundled, "find_spec", lambda name: None)
    own, theirs = bundled.read({"name": "digits"}), load_digits()
    assert np.array_equal(own.X * bundled.DIGITS_PEAK, theirs.data)
    assert np.array_equal(own.y, theirs.target)
    assert own.features == tuple(theirs.feature_names)
    assert own.classes == tuple(str(name) for name in theirs.target_names)


def test_digits_need_neither_scikit_learn_nor_pandas() -> None:
    code = """
import sys
from hpo.objectives import data

data.arrays(data.load("digits")).train
print([name for name in ("sklearn", "scipy", "pandas", "torch") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def save(folder: Path, **arrays: Any) -> dict[str, Any]:
    np.savez(folder / "arrays.npz", **arrays)
    return {"npz": {"path": str(folder / "arrays.npz")}}


RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (60, 5, 4), dtype=np.uint8)
LABELS = np.arange(60) % 3


def test_a_split_file_keeps_its_split_and_names_its_classes(tmp_path: Path) -> None:
    spec = save(
        tmp_path,
        x_train=PIXELS[:30],
        y_train=LABELS[:30],
        x_val=PIXELS[30:45],
        y_val=LABELS[30:45],
        x_test=PIXELS[45:],
        y_test=LABELS[45:],
        class_names=np.array(["cat", "dog", "emu"]),
    )
    loaded = data.load(spec)
    assert [len(part) for part in (loaded.train, loaded.validation, loaded.test)] == [30, 15, 15]
    assert loaded.classes == ("cat", "dog", "emu")
    assert loaded.image == (1, 5, 4)
    assert loaded.train.X.reshape(30, 5, 4) == pytest.approx(PIXELS[:30] / 255, abs=1e-6)
    again = data.apply(loaded, spec["npz"]["path"])
    assert (again.y == LABELS).all()


def test_a_missing_validation_part_is_cut_from_training(tmp_path: Path) -> None:
    spec = save(
        tmp_path, images_train=PIXELS[:45], labels_train=LABELS[:45], images_test=PIXELS[45:], labels_test=LABELS[45:]
    )
    spec["npz"]["validation"] = 0.25
    loaded = data.load(spec)
    assert [len(part) for part in (loaded.train, loaded.validation, loaded.test)] == [30, 15, 15]
    assert (loaded.test.rows == np.arange(45, 60)).all()


def test_colour_images_come_out_channels_first_from_either_order(tmp_path: Path) -> None:
    colour = RNG.integers(0, 256, (60, 6, 5, 3), dtype=np.uint8)
    last = data.load(save(tmp_path, X=colour, y=LABELS))
    first = data.load(save(tmp_path, X=colour.transpose(0, 3, 1, 2).copy(), y=LABELS))
    assert last.image == first.image == (3, 6, 5)
    assert (last.train.X == first.train.X).all()
    prepared = data.arrays(last)
    assert prepared.train.X.shape == (len(last.train), 3, 6, 5)
    assert prepared.train.X.mean(axis=(0, 2, 3)) == pytest.approx(0, abs=1e-5)
    assert prepared.train.X.std(axis=(0, 2, 3)) == pytest.approx(1, abs=1e-5)


def test_plain_arrays_with_gaps_groups_and_text_labels(tmp_path: Path) -> None:
    features = RNG.normal(size=(60, 4))
    features[3, 1] = np.inf
    spec = save(tmp_path, data=features, target=np.array(["a", "b"])[LABELS % 2], who=np.arange(60) // 5)
    spec["npz"]["groups"] = "who"
    loaded = data.load(spec)
    assert loaded.classes == ("a", "b")
    assert loaded.image is None
    groups = [set(part.groups) for part in (loaded.train, loaded.validation, loaded.test) if part.groups is not None]
    assert len(set.union(*groups)) == sum(map(len, groups)) == 12
    assert np.isfinite(data.arrays(loaded).of(loaded.train).X).all()


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.zeros((20, 2)), "y": np.zeros(19)}, "do not have one target per row"),
        ({"x": np.zeros(20), "y": np.zeros(20)}, "must hold numbers [rows, features] or images"),
        ({"x": np.array([["a", "b"]] * 20), "y": np.zeros(20)}, "must hold numbers"),
        ({"x": np.array([object()] * 20), "y": np.zeros(20)}, "it holds Python objects"),
        (
            {"x_train": np.zeros((20, 2)), "y_train": np.zeros(20), "x_test": np.zeros((9, 2))},
            "but targets ['y_train']",
        ),
        (
            {"x_train": np.zeros((20, 2)), "y_train": np.zeros(20), "x_test": np.zeros((9, 3)), "y_test": np.zeros(9)},
            "rows of x_test have shape [3], others [2]",
        ),
        ({"x": np.zeros((20, 2)), "y": np.zeros(20)}, "is constant (0.0 in every row)"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(tmp_path: Path, arrays: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError) as raised:
        data.load(save(tmp_path, **arrays))
    assert said in str(raised.value)


def test_another_npz_file_must_have_rows_of_the_same_shape(tmp_path: Path) -> None:
    loaded = data.load(save(tmp_path, x=PIXELS, y=LABELS))
    np.savez(tmp_path / "other.npz", x=PIXELS[:, :4], y=LABELS)
    with pytest.raises(DataError, match=r"rows are of shape \[4, 4\], but the model was trained on \[1, 5, 4\]"):
        data.apply(loaded, tmp_path / "other.npz")


def test_openml_without_a_network_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", unreachable)
    with pytest.raises(DataError, match=r"'adult' is not in .* cannot be reached .* save it as a CSV"):
        data.load({"openml": {"name": "adult"}})


def test_openml_data_are_read_as_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame(
        {"a": np.arange(40.0), "b": pd.Categorical(["x", "y"] * 20), "class": pd.Categorical(["p", "n"] * 20)}
    )
    bunch = sklearn.utils.Bunch(frame=frame, target_names=["class"])
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", lambda *_, **__: bunch)
    loaded = data.load({"openml": {"name": "toy", "version": 3}})
    assert loaded.classes == ("n", "p")
    assert [column.kind for column in loaded.columns] == ["number", "category"]
    with pytest.raises(DataError, match="choose one column with target"):
        data.load({"openml": {"name": "toy", "target": "klass"}})
