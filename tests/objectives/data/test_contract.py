"""The contract of kinds of data: every file of the folder keeps it, and the bundled sets do."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from promises import promises

from hpo.objectives import data
from hpo.search.terms.errors import DataError

HEAVY = ("numpy", "pandas", "sklearn", "scipy", "torch", "optuna")


def table(folder: Path, seed: int) -> dict[str, Any]:
    """Sixty rows with two numbers, a category and gaps."""
    random = Random(seed)
    rows = [
        f"{random.gauss(i % 2, 1):.3f},{random.choice('abc')},{random.random():.3f},{'ny'[i % 2]}" for i in range(59)
    ]
    path = folder / "sample.csv"
    path.write_text("age,ward,dose,outcome\n,a,0.5,y\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return {"path": str(path), "target": "outcome"}


def npz(folder: Path, seed: int) -> dict[str, Any]:
    """Sixty rows of four numbers in three classes."""
    y = np.arange(60) % 3
    x = np.random.default_rng(seed).normal(y[:, None], 1.0, (60, 4))
    np.savez(folder / "sample.npz", x=x, y=y)
    return {"path": str(folder / "sample.npz")}


def text(folder: Path, seed: int) -> dict[str, Any]:
    """Sixty lines, each a document."""
    path = folder / "sample.txt"
    path.write_text("".join(f"line {i} of text {seed}\n" for i in range(60)), encoding="utf-8")
    return {"path": [str(path)], "documents": "line"}


def model(folder: Path, seed: int) -> dict[str, Any]:
    """What a folder must have to be taken for a model's, as far as its options are looked at."""
    weights = folder / "weights.safetensors"
    weights.write_bytes(bytes([seed]))
    (folder / "model.json").write_text("{}")
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (weights, folder / "model.json")}
    (folder / "manifest.json").write_text(json.dumps({"format": 1, "objective": "mlp", "task": {}, "files": files}))
    return {"path": str(folder)}


SAMPLES: dict[str, Callable[[Path, int], Any]] = {
    "bundled": lambda folder, seed: ("iris", "wine")[seed],
    "model": lambda folder, seed: {"model": model(folder, seed)},
    "npz": lambda folder, seed: {"npz": npz(folder, seed)},
    "openml": lambda folder, seed: {"openml": {"name": "iris", "version": 1 + seed}},
    "table": lambda folder, seed: {"table": table(folder, seed)},
    "text": lambda folder, seed: {"text": text(folder, seed)},
}
"""A small set of each kind; another seed gives other rows."""

NAMES = sorted(SAMPLES)
ROWLESS = [kind for kind in data.KINDS if not promises("data", kind, "rows")]
OFFLINE = sorted(set(SAMPLES) - {"openml", *ROWLESS})
FILES = ["npz", "table"]


def sample(kind: str, folder: Path, seed: int = 0) -> Any:
    folder.mkdir(exist_ok=True)
    return SAMPLES[kind](folder, seed)


def fingerprint(spec: Any, split_seed: int = 0) -> str:
    """Everything that is trained on, as a digest: rows, targets, places and names."""
    loaded, found = data.load(spec, split_seed), hashlib.sha256()
    prepared = data.arrays(loaded)
    for part in (loaded.train, loaded.validation, loaded.test):
        for array in (prepared.of(part).X, part.y, part.rows):
            found.update(f"{array.dtype} {array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    found.update(repr((prepared.names, loaded.classes, loaded.task, loaded.notes, loaded.digest)).encode())
    return found.hexdigest()


def one_process(folder: str) -> dict[str, str]:
    return {kind: fingerprint(sample(kind, Path(folder))) for kind in OFFLINE}


@pytest.mark.parametrize("kind", NAMES)
def test_a_specification_is_checked_and_told_apart_by_its_content_with_nothing_heavy(kind: str, tmp_path: Path) -> None:
    spec = sample(kind, tmp_path)
    other = sample(kind, tmp_path / "other", 1)
    code = f"""
import sys
from hpo.objectives import data
assert data.check({spec!r}) == []
assert data.check({{{kind!r}: {{"no_such_option": 1}}}})
digests = [data.digest({spec!r}), data.digest({spec!r}), data.digest({other!r})]
assert digests[0] == digests[1] != digests[2], digests
assert len(digests[0]) == 12
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("kind", data.KINDS)
def test_a_mistake_in_the_options_is_one_line_that_names_the_kind(kind: str, tmp_path: Path) -> None:
    ((_, options),) = sample(kind, tmp_path).items()
    for wrong in ({**options, "no_such_option": 1}, {}, {**options, next(iter(options)): 3.5}):
        found = data.check({kind: wrong})
        assert found
        assert all(told and "\n" not in told and kind in told for told in found)
        with pytest.raises(DataError):
            data.load({kind: wrong})


@pytest.mark.parametrize("kind", OFFLINE)
def test_loading_again_gives_the_same_rows_and_another_seed_another_split(kind: str, tmp_path: Path) -> None:
    spec = sample(kind, tmp_path)
    first = fingerprint(spec)
    data._loaded.clear()
    assert fingerprint(spec) == first
    assert fingerprint(spec, 1) != first
    loaded = data.load(spec)
    rows = np.concatenate([part.rows for part in (loaded.train, loaded.validation, loaded.test)])
    assert sorted(rows) == list(range(len(rows)))
    assert len(rows) >= 40
    assert loaded.digest == data.digest(spec)


@pytest.mark.parametrize("kind", OFFLINE)
def test_another_content_is_another_set(kind: str, tmp_path: Path) -> None:
    first, second = (fingerprint(sample(kind, tmp_path, seed)) for seed in (0, 1))
    assert first != second


def test_another_process_loads_the_same_rows(elsewhere: Callable[[str], Any], tmp_path: Path) -> None:
    assert elsewhere(f"one_process({str(tmp_path)!r})") == one_process(str(tmp_path))


@pytest.mark.parametrize("kind", FILES)
def test_another_file_is_read_as_the_data_set_was(kind: str, tmp_path: Path) -> None:
    spec = sample(kind, tmp_path)
    loaded = data.load(spec)
    (options,) = spec.values()
    here = data.apply(loaded, options["path"])
    assert data.arrays(loaded).of(here).X[loaded.test.rows] == pytest.approx(data.arrays(loaded).of(loaded.test).X)
    assert (here.y[loaded.test.rows] == loaded.test.y).all()
    ((_, other),) = sample(kind, tmp_path / "other", 1).items()
    there = data.apply(loaded, other["path"])
    assert data.arrays(loaded).of(there).X.shape == data.arrays(loaded).of(here).X.shape
    with pytest.raises(DataError, match="not_there"):
        data.apply(loaded, tmp_path / "not_there")


@pytest.mark.parametrize("kind", sorted(set(OFFLINE) - set(FILES)))
def test_what_is_no_file_is_read_from_another_one_that_is_there(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file"):
        data.apply(data.load(sample(kind, tmp_path)), tmp_path / "other")


@pytest.mark.parametrize("kind", ROWLESS)
def test_what_has_no_rows_says_what_to_do_instead(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="objective"):
        data.load(sample(kind, tmp_path))


def test_no_kind_is_left_out() -> None:
    missing = {"bundled", *data.KINDS} - set(SAMPLES)
    assert not missing, f"write a small file of each in SAMPLES of this module, for the contract to read: {missing}"
