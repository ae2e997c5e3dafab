"""What is made of a text is made once, the same anywhere, and is whole or made again."""

from __future__ import annotations

import errno
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpora import lines
from hypothesis import HealthCheck, settings

from hpo.objectives.text import cache
from hpo.objectives.text.tokenizers import TOKENIZERS, Tokenized, tokenize
from hpo.search.terms.errors import DataError, HpoError, OutputError

HERE = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=TOKENIZERS)
def made(request: pytest.FixtureRequest) -> Tokenized:
    return tokenize(lines(), request.param, 300)


def test_another_process_makes_the_same_tokens(elsewhere: Callable[[str], Any]) -> None:
    here = facts()
    for left in Path(".hpo/text").glob("tokens-*"):
        left.rename(f"{left}.old")  # or the other one would read them
    assert elsewhere("facts()") == here


def facts() -> list[Any]:
    found = [tokenize(lines(), name, 290) for name in TOKENIZERS]
    return [[made.digest, made.train.ids.tolist(), made.lengths.tolist(), list(made.notes)] for made in found]


def test_tokens_are_made_once_and_read_from_then_on(made: Tokenized, monkeypatch: pytest.MonkeyPatch) -> None:
    made.test()
    made.scored(100)
    monkeypatch.setattr(cache, "_make", None)
    again = tokenize(lines(), made.name, 300)
    assert np.array_equal(again.train.ids, made.train.ids)
    assert np.array_equal(again.test().ids, made.test().ids)
    assert np.array_equal(again.scored(100).ids, made.scored(100).ids)
    assert (again.notes, again.digest, again.symbols) == (made.notes, made.digest, made.symbols)


def damage(path: Path, how: str) -> None:
    if how == "missing":
        path.unlink()
    elif how == "longer":
        path.write_bytes(path.read_bytes() + b"x")
    elif how == "shorter":
        path.write_bytes(path.read_bytes()[:-1])
    elif how == "changed":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "how"),
    [(name, how) for name in ("train.ids", "validation.starts", "tokenizer.json", "header.json") for how in
     ("missing", "longer", "shorter", "changed")],
)  # fmt: skip
def test_damaged_files_are_noticed_and_made_again(name: str, how: str) -> None:
    whole = tokenize(lines(), "bpe", 270)
    expected = whole.train.ids.tolist()
    (folder,) = (path for path in Path(".hpo/text").glob("tokens-*") if path.is_dir())
    damage(folder / name, how)
    again = tokenize(lines(), "bpe", 270)
    assert again.train.ids.tolist() == expected
    assert again.decode(again.validation.ids) == "".join(lines().texts("validation"))


@pytest.mark.parametrize("size", [1000, 5_000_000])
def test_a_changed_byte_is_noticed_whatever_the_time_of_the_file_says_and_a_copy_is_none(size: int) -> None:
    content, made = bytes(range(256)) * (size // 256), []

    def make(aside: Path) -> dict[str, Any]:
        (aside / "it").write_bytes(content)
        made.append(aside)
        return {}

    folder, _ = cache.folder("it", make)
    before = (folder / "it").stat()
    os.utime(folder / "it", ns=(0, 0))
    cache.folder("it", make)
    assert len(made) == 1, "another time alone"
    damage(folder / "it", "changed")
    cache.folder("it", make)
    assert len(made) == 2, "with another time, wherever it is"
    with (folder / "it").open("r+b") as file:
        file.write(b"x")
    os.utime(folder / "it", ns=(before.st_atime_ns, before.st_mtime_ns))
    cache.folder("it", make)
    assert len(made) == 3, "among the blocks that are compared"
    assert (folder / "it").read_bytes() == content


def test_what_is_left_of_a_killed_process_does_no_harm() -> None:
    made = tokenize(lines(), "bytes", 0)
    (folder,) = (path for path in Path(".hpo/text").glob("tokens-*") if path.is_dir())
    folder.rename(folder.with_name(f"{folder.name}.tmp"))
    (folder.with_name(f"{folder.name}.tmp") / "half").touch()
    again = tokenize(lines(), "bytes", 0)
    assert again.train.ids.tolist() == made.train.ids.tolist()
    assert not list(Path(".hpo/text").glob("*.tmp"))


def test_two_processes_at_once_make_it_once(tmp_path: Path) -> None:
    code = """
import sys, time
from pathlib import Path
from hpo.objectives.text import cache
def make(aside):
    Path("made").open("a").write("x")
    (aside / "a").write_text("b")
    time.sleep(0.3)
    return {"told": 1}
folder, told = cache.folder("it", make)
assert told == {"told": 1} and (folder / "a").read_text() == "b"
"""
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert Path("made").read_text() == "x"


@pytest.mark.parametrize(
    ("number", "raised"), [(errno.ENOSPC, OutputError), (errno.EDQUOT, OutputError), (errno.EROFS, DataError)]
)
def test_a_full_disk_is_a_message_and_leaves_nothing_behind(number: int, raised: type[HpoError]) -> None:
    def make(aside: Path) -> dict[str, Any]:
        (aside / "half").touch()
        raise OSError(number, os.strerror(number))

    with pytest.raises(raised, match=rf"{os.strerror(number)}\): make room there"):
        cache.folder("it", make)
    assert not list(Path(".hpo/text").glob("it*/"))


def test_a_folder_that_cannot_be_made_is_a_message() -> None:
    Path(".hpo").write_text("in the way")
    with pytest.raises(DataError, match="cannot be kept in"):
        lines()


@pytest.mark.skipif(importlib.util.find_spec("tokenizers") is None, reason="needs tokenizers")
def test_a_fork_after_tokenizing_prints_nothing_and_can_tokenize() -> None:
    code = """
import os
from corpora import lines
from hpo.objectives.text.tokenizers import tokenize
made = tokenize(lines(), "bpe", 300)
child = os.fork()
if not child:
    again = tokenize(lines(), "bpe", 301)
    os._exit(0 if again.decode(made.encode("some text")) else 1)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    folders = [str(Path(__file__).parents[2]), *filter(None, sys.path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    environment.pop("TOKENIZERS_PARALLELISM", None)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "fork" not in done.stderr


def test_progress_is_one_line_in_a_log_and_a_counter_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter(range(0, 1000))
    monkeypatch.setattr(cache.time, "monotonic", lambda: next(clock))
    quick = cache.Progress("tokenizing it", 100)
    quick.add(50)
    quick.end()
    assert capsys.readouterr().err == ""
    slow = cache.Progress("tokenizing it", 4_000_000)
    for _ in range(4):
        slow.add(1_000_000)
    slow.end()
    assert capsys.readouterr().err == "tokenizing it (4 MB)\n"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    shown = cache.Progress("tokenizing it", 4_000_000)
    for _ in range(4):
        shown.add(1_000_000)
    shown.end()
    told = capsys.readouterr().err
    assert "\rtokenizing it: 75 %" in told
    assert told.endswith("\r")
    assert "\n" not in told
