"""Results on their way to files: the whole new one, or the whole old one."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.search.report import files
from hpo.search.terms.errors import HpoError, OutputError, UserError

LIMITED = """
import resource, signal, sys
from pathlib import Path
from hpo.search.report import files
from hpo.search.terms.errors import HpoError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    files.write(Path(sys.argv[1]), "x" * 5000)
except HpoError as error:
    sys.exit(error.exit_code)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit on files")
@pytest.mark.parametrize("old", [None, "old"])
def test_a_disk_that_is_full_leaves_the_old_file_and_no_other(tmp_path: Path, old: str | None) -> None:
    target = tmp_path / "best.yaml"
    if old is not None:
        target.write_text(old)
    done = subprocess.run([sys.executable, "-c", LIMITED, str(target)], capture_output=True, text=True)
    assert done.returncode == OutputError.exit_code, done.stderr
    assert [path.read_text() for path in tmp_path.iterdir()] == ([] if old is None else [old])


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200)), st.booleans())
def test_what_is_written_is_what_is_read_and_nothing_else_is_left(content: str | bytes, there: bool) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "file")
        if there:
            target.write_text("before")
        files.probe(target)
        assert target.exists() == there
        files.write(target, content)
        assert target.read_bytes() == (content if isinstance(content, bytes) else content.encode())
        assert os.listdir(folder) == ["file"]


def test_a_link_stays_and_what_it_points_to_is_replaced_with_its_rights(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    real, link = tmp_path / "there" / "real", tmp_path / "link"
    real.write_text("before")
    real.chmod(0o600)
    link.symlink_to(real)
    files.write(link, "after")
    assert link.is_symlink()
    assert real.read_text() == "after"
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True)
    files.probe(pipe)
    files.write(pipe, "through")
    assert reader.communicate(timeout=20)[0] == "through"
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("place", ["/proc/x", "nowhere/x.yaml", ".", "a-file/x", "x" * 300, "loop/x"])
def test_a_place_where_nothing_can_be_written_is_the_users_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a-file").write_text("old")
    Path("loop").symlink_to("loop")
    for attempt in (files.probe, lambda path: files.write(path, "text")):
        with pytest.raises(UserError) as caught:
            attempt(Path(place))
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-file", "loop"]


@pytest.mark.parametrize("place", ["/proc/x", "a-file", "a-file/x", "x" * 300, "loop"])
def test_a_folder_that_cannot_be_made_is_found_before_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a-file").write_text("old")
    Path("loop").symlink_to("loop")
    with pytest.raises(HpoError) as caught:
        files.probe_folder(Path(place))
    assert caught.value.exit_code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-file", "loop"]


def test_a_folder_is_filled_at_the_end_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b"
    files.probe_folder(target)
    assert list(tmp_path.iterdir()) == []

    def fails() -> None:
        with files.filled(target) as made:
            (made / "half").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert list(tmp_path.iterdir()) == []
    with files.filled(target) as made:
        (made / "sub").mkdir()
        (made / "sub" / "x").write_text("1")
        assert not target.exists(), "a kill now would leave half of it"
    with files.filled(target) as made:
        (made / "y").write_text("2")
    found = {str(p.relative_to(target)): p.read_text() for p in target.rglob("*") if p.is_file()}
    assert found == {"sub/x": "1", "y": "2"}


KILLED = """
import os, signal, sys
from pathlib import Path
from hpo.search.report import files
target = Path(sys.argv[1])
if sys.argv[2] == "folder":
    with files.filled(target) as made:
        (made / "half").write_text("half")
        print(made.name, flush=True)
        sys.stdin.read()
else:
    os.replace = lambda made, target: (print(made.name, flush=True), sys.stdin.read())
    files.write(target / "best.yaml", "half")
"""


def writing(folder: Path, what: str) -> tuple[subprocess.Popen[str], str]:
    """A process that is about to put a file into place, and what it has written aside."""
    command = [sys.executable, "-c", KILLED, str(folder), what]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    return writer, writer.stdout.readline().strip()


@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_a_killed_writer_left_is_gone_after_the_next_and_that_of_one_that_lives_stays(
    tmp_path: Path, what: str
) -> None:
    own = {".hpo", ".hpo-mine", ".hpo-0123456789abcdef0"}
    for name in own:
        (tmp_path / name).mkdir()
    (tmp_path / ".hpo-0123456789abcdef").symlink_to(tmp_path / ".hpo-mine")  # never made by us
    own |= {".hpo-0123456789abcdef", "other"}
    (dead, left), (alive, made) = writing(tmp_path, what), writing(tmp_path, what)
    with dead, alive:
        dead.kill()
        dead.wait()
        assert (tmp_path / left).exists()
        files.write(tmp_path / "other", "1")
        assert {path.name for path in tmp_path.iterdir()} == own | {made}
        alive.kill()
    with files.filled(tmp_path):
        assert not (tmp_path / made).exists()
    assert {path.name for path in tmp_path.iterdir()} == own


def test_a_folder_in_which_a_killed_writer_left_nothing_else_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "model" / ".hpo-0123456789abcdef").mkdir(parents=True)
    (tmp_path / "kept" / ".hpo-0123456789abcdef").mkdir(parents=True)
    (tmp_path / "kept" / "weights").touch()
    (tmp_path / "empty").mkdir()
    for name in ("model", "kept", "empty", "nowhere"):
        files.clear(tmp_path / name, itself=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "kept"]
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["weights"]
