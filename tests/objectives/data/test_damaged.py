"""Damaged and made-up data files are loaded, or refused with a message; no header is believed."""

from __future__ import annotations

import io
import random
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hpo.objectives import data
from hpo.objectives.data.prepare import preprocessor
from hpo.objectives.data.words import Words
from hpo.search.cli import main
from hpo.search.terms.errors import DataError

MOST = 64 * 2**20
"""Bytes that Python may hold for any of these small files."""


def npy(array: Any, **claims: Any) -> bytes:
    """An array as ``.npy``, its header changed to claim something else."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=True)
    content = buffer.getvalue()
    for old, new in claims.values():
        content = content.replace(old, new.ljust(len(old)) if len(new) < len(old) else new[: len(old)])
    return content


def npz(path: Path, compression: int = zipfile.ZIP_STORED, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def said(path: Path, **options: Any) -> str:
    """The message with which a file is refused, by ``hpo check`` or by loading; empty where it loads."""
    kind = "npz" if path.suffix == ".npz" else "table"
    spec = {kind: {"path": str(path), **({} if kind == "npz" else {"target": "y"}), **options}}
    problems = data.check(spec)
    if problems:
        return problems[0]
    try:
        loaded = data.load(spec)
        data.arrays(loaded).test  # noqa: B018 - prepared when asked for
        preprocessor(loaded, Words()).fit(loaded.train.X)
    except DataError as error:
        return str(error)
    return ""


X, Y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"x": npy(X, shape=(b"(40, 3)", b"(999999999, 3)")), "y": npy(Y)}, "cannot be read"),
        ({"x": npy(X, shape=(b"(40, 3), }", b"(40, 9**9)")), "y": npy(Y)}, "cannot be read"),
        ({"x": npy(X, shape=(b"(40, 3)", b"(99, 3)")), "y": npy(Y)}, "it is damaged"),
        ({"x": npy(X, shape=(b"(40, 3)", b"(-4, 3)")), "y": npy(Y)}, "it is damaged"),
        ({"x": b"this is text", "y": npy(Y)}, "cannot be read as arrays: x"),
        ({"x": b"", "y": npy(Y)}, "cannot be read as arrays: x"),
        ({"x": npy(X), "y": npy(np.array([{}] * 40, dtype=object))}, "y: it holds Python objects"),
        ({"x": npy(np.zeros((40, 0))), "y": npy(Y)}, "has no features"),
        ({"x": npy(np.zeros((40, 3, 0))), "y": npy(Y)}, "has no features"),
        ({"x": npy(np.zeros((0, 3))), "y": npy(np.zeros(0, dtype=int))}, "too few"),
        ({"x": npy(np.float64(3)), "y": npy(Y)}, "must hold numbers [rows, features]"),
        ({"x": npy(X), "y": npy(np.int64(3))}, "one target per row"),
        ({"x": npy(X), "y": npy(Y * 1j)}, "must hold classes or numbers"),
        ({"x": npy(X), "y": npy(np.zeros(40, dtype=[("a", int)]))}, "must hold classes or numbers"),
        ({"x": npy(X), "y": npy(np.full(40, np.nan))}, "is missing in every row"),
        ({"x": npy(X), "y": npy(np.full(40, np.inf))}, "is missing in every row"),
        ({"x": npy(X), "y": npy(Y), "class_names": npy("ab")}, "class_names must be a list"),
        ({"x": npy(np.full((40, 3), np.nan)), "y": npy(Y)}, ""),
        ({"x": npy(np.full((40, 2, 2), np.inf)), "y": npy(Y)}, ""),
        ({"x": npy(X), "y": npy(np.where(Y, b"no", b"yes"))}, ""),
    ],
)
def test_members_that_are_not_what_they_say_are_refused(
    tmp_path: Path, members: dict[str, bytes], message: str
) -> None:
    told = said(npz(tmp_path / "d.npz", **members))
    assert message in told
    assert bool(message) == bool(told)


def huge(shape: tuple[int, ...]) -> bytes:
    """A header that claims an array of this shape, with nothing behind it."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


@pytest.mark.parametrize("shape", [(10**9, 3), (2**62, 2**62), (22 * 2**27, 1)])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_a_header_claims_is_not_allocated(tmp_path: Path, shape: tuple[int, ...], compression: int) -> None:
    path = npz(tmp_path / "d.npz", compression, x=huge(shape), y=npy(Y))
    tracemalloc.start()
    try:
        assert "it is damaged" in said(path)
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()


def test_a_directory_that_claims_more_than_the_file_can_hold_is_not_believed(tmp_path: Path) -> None:
    size = 22 * 2**27
    path = npz(tmp_path / "d.npz", x=huge((size, 1)) + b"\0" * 64, y=npy(Y))
    raw = bytearray(path.read_bytes())
    at = raw.index(b"PK\x01\x02") + 24  # uncompressed size in the central directory
    raw[at : at + 4] = (2**32 - 2).to_bytes(4, "little")
    path.write_bytes(raw)
    assert "it is damaged" in said(path)


def test_encrypted_truncated_and_foreign_archives_are_refused(tmp_path: Path) -> None:
    path = npz(tmp_path / "d.npz", x=npy(X), y=npy(Y))
    whole = path.read_bytes()
    encrypted = bytearray(whole)
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := encrypted.find(magic, at + 1)) >= 0:
            encrypted[at + offset] |= 1
    path.write_bytes(encrypted)
    assert "encrypted" in said(path)
    path.write_bytes(whole[: len(whole) // 2])
    assert "is not an .npz file" in said(path)
    method = bytearray(whole)
    method[method.index(b"PK\x01\x02") + 10] = 77
    path.write_bytes(method)
    assert "cannot be read as arrays" in said(path)


def test_archives_of_tables_are_refused_likewise(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.zip"
    with zipfile.ZipFile(path, "w"):
        pass
    assert "cannot be read" in said(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "x,y\n" + "1,a\n2,b\n" * 20)
        archive.writestr("b.csv", "x,y\n")
    assert "cannot be read" in said(path)
    (tmp_path / "long.csv").write_text("x" * 200_000 + ",y\n1,2\n")
    assert "cannot be read" in said(tmp_path / "long.csv")


def test_a_parquet_target_of_lists_is_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": range(40), "w": [[1, 2]] * 40, "y": [[1]] * 20 + [[2]] * 20})
    frame.to_parquet(tmp_path / "t.parquet")
    assert "lists or mappings" in said(tmp_path / "t.parquet")


def test_a_refused_file_ends_the_command_with_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = npz(tmp_path / "d.npz", x=huge((22 * 2**27, 1)), y=npy(Y))
    (tmp_path / "s.yaml").write_text(f"""
objective: mlp
data: {{npz: {{path: {path}}}}}
goal: minimize val_loss
search: {{width: {{choice: [8, 16]}}}}
storage: ":memory:"
""")
    assert main(["run", str(tmp_path / "s.yaml")]) == 2
    assert "it is damaged" in capsys.readouterr().err


def seeds(folder: Path) -> list[Path]:
    """Files to mutate: arrays, images, texts, tables of every kind."""
    rng = np.random.default_rng(1)
    images = rng.integers(0, 255, (40, 4, 4), dtype=np.uint8)
    np.savez(folder / "a.npz", x=X, y=Y)
    np.savez_compressed(folder / "b.npz", x_train=images, y_train=Y, x_test=images, y_test=Y, class_names=["no", "yes"])
    np.savez(folder / "c.npz", X=X, target=np.where(Y, "a", "b"), g=np.arange(40) // 4)
    frame = pd.DataFrame(
        {
            "n": rng.normal(size=60),
            "d": pd.Timestamp("2024-01-01").strftime("%Y-%m-%d"),
            "t": rng.choice(["u", "v", "NA", "1,5"], 60),
            "y": rng.choice(["yes", "no"], 60),
        }
    )
    frame["d"] = [f"2024-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(60)]
    for name in ("t.csv", "t.csv.gz", "t.csv.xz", "t.csv.zip"):
        frame.to_csv(folder / name, index=False)
    frame.to_csv(folder / "s.csv", sep=";", decimal=",", index=False)
    frame.to_parquet(folder / "t.parquet")
    return sorted(folder.iterdir())


WORDS = [
    b"nan",
    b"inf",
    b"-1e308",
    b"9" * 400,
    b"\x00",
    b"\xff",
    b'"',
    b"\n",
    b",",
    b";",
    b"PK",
    b"NA",
    b"{}",
    b"1e999",
]


def mutated(raw: bytes, rng: random.Random) -> bytes:
    """Bytes changed, cut, doubled, or replaced by words that matter."""
    content = bytearray(raw)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        at = rng.randrange(max(1, len(content)))
        match rng.randrange(6):
            case 0:
                content[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del content[at : at + rng.choice([1, 4, 100])]
            case 2:
                content[at:at] = content[at : at + rng.choice([1, 8, 200])]
            case 3:
                word = rng.choice(WORDS)
                content[at : at + rng.choice([0, len(word)])] = word
            case 4:
                content[at : at + 4] = rng.choice([b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\x01\0\0\0"])
            case _:
                content = content[: max(1, at)] if rng.random() < 0.3 else content
    return bytes(content)


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore")
def test_mutated_files_load_or_are_refused_in_bounded_memory(tmp_path: Path, count: int) -> None:
    originals = [(path.name, path.read_bytes()) for path in seeds(tmp_path)]
    assert all(not said(tmp_path / name) for name, _ in originals)
    rng = random.Random(count)
    accepted = 0
    tracemalloc.start()
    try:
        for number in range(count):
            name, raw = originals[number % len(originals)]
            path = tmp_path / f"m{name}"
            path.write_bytes(mutated(raw, rng))
            tracemalloc.reset_peak()
            told = said(path)
            assert "Traceback" not in told
            accepted += not told
            assert tracemalloc.get_traced_memory()[1] < MOST, f"{name}, number {number}"
    finally:
        tracemalloc.stop()
    print(f"{accepted} of {count} data files loaded")
    assert accepted > count / 20
