"""An archive gives back what it was made of, is told apart from any piece of it, and writes nothing elsewhere."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.search.running.carried import Damaged, pack, unpack

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 60
)
TREES = st.dictionaries(NAMES, st.binary(max_size=3000) | st.dictionaries(NAMES, st.binary(max_size=50), max_size=3))


def lay(folder: Path, tree: dict[str, bytes | dict[str, bytes]]) -> None:
    for name, content in tree.items():
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            (folder / name).mkdir()
            lay(folder / name, dict(content))


def seen(folder: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


@given(tree=TREES)
@settings(max_examples=25, deadline=None)
def test_what_is_packed_comes_back(tmp_path_factory: pytest.TempPathFactory, tree: dict[str, bytes]) -> None:
    folder, again = tmp_path_factory.mktemp("packed"), tmp_path_factory.mktemp("again") / "new"
    lay(folder, dict(tree))
    unpack(pack(folder), again)
    assert seen(again) == seen(folder)


@given(share=st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_a_piece_of_an_archive_is_none(tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    folder = tmp_path_factory.mktemp("packed")
    lay(folder, {"a": b"1" * 700, "b": {"c": b"", "d": b"2" * 5000}})
    data = pack(folder)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        needed = tar.getmembers()[-1].offset_data + 32  # what follows is padding
    with pytest.raises(Damaged):
        unpack(data[: int(share * (needed - 1))], tmp_path_factory.mktemp("again"))


def test_a_changed_byte_of_a_file_is_seen(tmp_path: Path) -> None:
    lay(tmp_path, {"weights": b"abcdef" * 100})
    data = pack(tmp_path)
    with pytest.raises(Damaged):
        unpack(data.replace(b"abcdef", b"abcdeg", 1), tmp_path / "again")


def test_links_are_followed_when_packed_and_modes_and_times_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "packed"
    folder.mkdir()
    lay(folder, {"run.sh": b"#!/bin/sh\n"})
    os.chmod(folder / "run.sh", 0o755)
    os.utime(folder / "run.sh", (1_000, 1_000))
    (folder / "last").symlink_to("run.sh")
    unpack(pack(folder), tmp_path / "again")
    last = tmp_path / "again" / "last"
    assert not last.is_symlink()
    assert (last.read_bytes(), last.stat().st_mode & 0o777, last.stat().st_mtime) == (b"#!/bin/sh\n", 0o755, 1_000)


def test_what_is_neither_file_nor_folder_is_not_packed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="pipe is neither"):
        pack(tmp_path)


@pytest.mark.parametrize("name", ["/tmp/out", "live/../../out", "../out", "out", "live/link", "live/hard"])
def test_nothing_is_written_outside_the_folder(tmp_path: Path, name: str) -> None:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w") as tar:
        member = tarfile.TarInfo(name)
        if name == "live/link":
            member.type, member.linkname = tarfile.SYMTYPE, "/tmp"
        elif name == "live/hard":
            member.type, member.linkname = tarfile.LNKTYPE, "/etc/passwd"
        tar.addfile(member)
    with pytest.raises(Damaged):
        unpack(into.getvalue(), tmp_path / "deep" / "again")
    assert not [path for path in tmp_path.rglob("*") if path.name not in ("deep", "again")]
