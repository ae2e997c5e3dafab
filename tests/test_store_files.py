"""Stores in files: where they are, what a crash or a full disk leaves, who holds which lock."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from hpo.search.errors import HpoError, StoreError, UserError
from hpo.search.store import open_store
from hpo.search.store.journalfile import JournalFile
from hpo.search.store.lease import Lease, lease_path

optuna.logging.set_verbosity(optuna.logging.WARNING)
NAMES = ["studies.db", "studies.journal"]


def run_python(code: str, *args: object) -> subprocess.CompletedProcess[str]:
    script = textwrap.dedent(code)
    return subprocess.run([sys.executable, "-c", script, *map(str, args)], capture_output=True, text=True, timeout=120)


def add(path: Path, count: int = 1, name: str = "a") -> None:
    with open_store(path).session(name, ["minimize"]) as session:
        for _ in range(count):
            trial = session.study.ask()
            trial.suggest_float("x", 0, 1)
            session.commit()
            trial.report(1.0, 1)
            trial.set_user_attr("note", "é")
            session.study.tell(trial, 1.0)
            session.commit()


def test_importing_the_package_does_not_import_optuna():
    done = run_python("import sys, hpo.search.store; print('optuna' in sys.modules)")
    assert done.stdout == "False\n", done.stderr


# --- where --------------------------------------------------------------------


def test_the_default_is_hpo_db_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HPO_STORAGE", raising=False)
    assert open_store().display == "hpo.db"
    monkeypatch.setenv("HPO_STORAGE", "other.journal")
    assert open_store().display == "other.journal"


@pytest.mark.parametrize(
    "spelling", ["{}/s.db", "{}/s.sqlite3", "sqlite:///{}/s.data", "journal:///{}/s.data", "{}/s.log"]
)
def test_every_spelling_leads_to_the_file(tmp_path, spelling):
    store = open_store(spelling.format(tmp_path))
    with store.session("a", ["minimize"]) as session:
        session.commit()
    [file] = [name for name in os.listdir(tmp_path) if name.startswith("s.") and not name.endswith(("-wal", "-shm"))]
    head = (tmp_path / file).read_bytes()[:6]
    assert head == (b"SQLite" if "journal" not in spelling and "log" not in spelling else b'{"op_c')


@pytest.mark.parametrize("name", ["odd ?#%{} name.db", "odd ?#%{} name.journal"])
def test_a_path_may_hold_any_character(tmp_path, name):
    add(tmp_path / name)
    assert open_store(tmp_path / name).names() == ["a"]
    assert [study.study_name for study in open_store(tmp_path / name).storage().get_all_studies()] == ["a"]


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("no-suffix", "write a path ending in .db"),
        ("mysql://u:secret@h/d", "storage mysql://... is not supported"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        (".", "is a folder"),
        ("postgresql://u:secret@h:port/d", "not a URL"),
    ],
)
def test_a_location_that_cannot_be_says_why(location, message):
    with pytest.raises(UserError) as caught:
        open_store(location)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_password_is_never_shown():
    for url in ("postgresql://me:s%40cret@db.example:5432/hpo", "postgres://me@db.example:5432/hpo?password=s%40cret"):
        assert open_store(url).display == "postgresql://me@db.example:5432/hpo"


def test_a_server_that_cannot_be_reached_says_so_without_the_password():
    pytest.importorskip("psycopg")
    with pytest.raises(
        UserError, match=r"postgresql://me@127\.0\.0\.1:1/hpo: .*check host, port, user, password"
    ) as caught:
        open_store("postgresql://me:topsecret@127.0.0.1:1/hpo").names()
    assert "topsecret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_without_psycopg_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "hpo.search.store.postgres", raising=False)
    with pytest.raises(UserError, match=r"pip install 'hpo-suite\[postgres\]'"):
        open_store("postgresql://h/d").names()


def test_a_study_with_two_trials_of_one_number_is_readable_but_not_run(tmp_path):
    add(tmp_path / "s.db", 3)
    connection = sqlite3.connect(tmp_path / "s.db")
    connection.execute("UPDATE trials SET number = 1 WHERE number = 2")
    connection.commit()
    connection.close()
    store = open_store(tmp_path / "s.db")
    assert len(store.read("a").trials) == 3
    with pytest.raises(StoreError, match="two trials of one number"):
        store.session("a", ["minimize"])
    assert store.running("a") is None


@pytest.mark.parametrize("name", NAMES)
def test_reading_a_missing_file_creates_nothing(tmp_path, name):
    store = open_store(tmp_path / name)
    assert store.names() == []
    assert store.read("a") is None
    assert store.running("a") is None
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_folder_is_named(tmp_path, name):
    store = open_store(tmp_path / "missing" / name)
    for use in (lambda: store.session("a", ["minimize"]), store.storage):
        with pytest.raises(UserError, match="there is no folder"):
            use()
    assert store.names() == []
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", [b"hello\n", b"PK\x03\x04 binary \x00\xff" * 300])
def test_a_file_of_another_kind_is_refused_and_left_alone(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    for use in (lambda: open_store(path).session("a", ["minimize"]), lambda: open_store(path).names()):
        with pytest.raises(UserError, match="name another file"):
            use()
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path):
    connection = sqlite3.connect(tmp_path / "app.db")
    connection.execute("CREATE TABLE customers (id INTEGER)")
    connection.close()
    with pytest.raises(UserError, match=r"another program \(tables customers\)"):
        open_store(tmp_path / "app.db").session("a", ["minimize"])


def test_tables_of_another_version_of_optuna_are_refused(tmp_path):
    add(tmp_path / "s.db")
    connection = sqlite3.connect(tmp_path / "s.db")
    connection.execute("UPDATE alembic_version SET version_num = 'v9'")
    connection.commit()
    connection.close()
    with pytest.raises(UserError, match=r"tables v9.*optuna storage upgrade"):
        open_store(tmp_path / "s.db").names()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_a_store_of_somebody_else_is_readable_but_not_writable(tmp_path, name):
    add(tmp_path / name)
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    (tmp_path / name).chmod(0o644)
    done = run_python(
        """
        import os, sys
        from hpo.search.errors import HpoError
        from hpo.search.store import open_store
        import optuna, hpo.search.store.session, hpo.search.store.sqlite, hpo.search.store.journal
        os.setuid(65534)
        store = open_store(sys.argv[1])
        print(len(store.read("a").trials))
        try:
            store.session("a", ["minimize"])
        except HpoError as error:
            print(error)
        """,
        tmp_path / name,
    )
    assert done.returncode == 0, done.stderr
    count, message = done.stdout.splitlines()
    assert count == "1"
    assert "no permission" in message


# --- crashes ------------------------------------------------------------------


def test_a_journal_cut_at_any_byte_of_its_last_unit_loses_that_unit_only(tmp_path):
    path, cut = tmp_path / "s.journal", tmp_path / "cut" / "s.journal"
    cut.parent.mkdir()
    add(path, 2)
    whole = path.stat().st_size
    with open_store(path).session("a", ["minimize"]) as session:
        trial = session.study.ask()
        trial.suggest_float("x", 0, 1)
        session.study.set_user_attr("unit", "second line")
        session.commit()
        grown = path.stat().st_size
    content = path.read_bytes()
    assert content[whole:grown].count(b"\n") == 2
    for size in range(whole, grown):
        cut.write_bytes(content[:size])
        store = open_store(cut)
        snapshot = store.read("a")
        assert (len(snapshot.trials), snapshot.user_attrs) == (2, {}), size
        assert cut.stat().st_size == size  # reading repairs nothing
        with store.session("a", ["minimize"]) as session:
            assert len(session.study.get_trials()) == 2
        assert cut.stat().st_size == whole
    with store.session("a", ["minimize"]) as session:
        session.study.tell(session.study.ask(), 2.0)
        session.commit()
    plain = optuna.load_study(study_name="a", storage=JournalStorage(JournalFileBackend(str(cut))))
    assert [trial.value for trial in plain.get_trials()] == [1.0, 1.0, 2.0]


def test_a_journal_whose_very_first_unit_was_cut_is_an_empty_store(tmp_path):
    path = tmp_path / "s.journal"
    add(path)
    content = path.read_bytes()
    for size in range(content.index(b"\n") + 1):
        path.write_bytes(content[:size])
        assert open_store(path).names() == []
    add(path)
    assert open_store(path).names() == ["a"]


def test_the_dashboards_storage_of_a_torn_journal_is_repaired_first(tmp_path):
    path = tmp_path / "s.journal"
    add(path)
    with path.open("ab") as file:
        file.write(b'{"op_code":4,"worker')
    study = optuna.load_study(study_name="a", storage=open_store(path).storage())
    study.ask()
    assert len(study.get_trials()) == 2


def test_a_damaged_line_inside_a_journal_is_named(tmp_path):
    path = tmp_path / "s.journal"
    add(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b'{"op_code":4,"wor{"op_code":1}\n', *lines[1:]]))
    with pytest.raises(StoreError, match=r"s\.journal: line 2 is damaged"):
        open_store(path).read("a")


def test_others_may_append_to_the_same_journal_meanwhile(tmp_path):
    path = tmp_path / "s.journal"
    add(path)
    errors = []

    def others() -> None:
        try:
            study = optuna.create_study(study_name="plain", storage=JournalStorage(JournalFileBackend(str(path))))
            study.optimize(lambda trial: trial.suggest_float("y", 0, 1), n_trials=20)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=others)
    thread.start()
    add(path, 30)
    thread.join()
    assert errors == []
    plain = JournalStorage(JournalFileBackend(str(path)))
    for name, key, count in (("a", "x", 31), ("plain", "y", 20)):
        study = optuna.load_study(study_name=name, storage=plain)
        assert [(t.number, set(t.params)) for t in study.get_trials()] == [(i, {key}) for i in range(count)]
        assert [trial.params for trial in open_store(path).read(name).trials] == [t.params for t in study.get_trials()]


@pytest.mark.parametrize("way", ["limit", "tmpfs"])
@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_is_reported_and_leaves_the_store_whole(tmp_path, name, way):
    if way == "tmpfs":
        mounted = shutil.which("mount") and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=600k", "none", tmp_path], capture_output=True
        )
        if not mounted or mounted.returncode:
            pytest.skip("no permission to mount a small disk")
    try:
        done = run_python(
            """
            import os, resource, sys
            import optuna
            from hpo.search.errors import StoreError
            from hpo.search.store import open_store
            path, way = sys.argv[1:]
            with open_store(path).session("a", ["minimize"]) as session:
                session.commit()
            if way == "limit":
                resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
            told, written = [], 0
            session = open_store(path).session("a", ["minimize"])
            try:
                for i in range(10_000):
                    trial = session.study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
                    trial.set_user_attr("text", "long " * 1000)
                    session.study.tell(trial, 1.0)
                    session.commit()
                    written += 1
            except StoreError as error:
                told.append(str(error))
            try:
                session.close()
            except StoreError as error:
                told.append(str(error))
            trials = open_store(path).read("a").trials
            assert len(trials) == written, (len(trials), written)
            assert all(set(trial.params) == {"x"} and trial.value == 1.0 for trial in trials)
            assert len(told) == 2
            print(told[0])
            """,
            tmp_path / name,
            way,
        )
    finally:
        if way == "tmpfs":
            subprocess.run(["umount", tmp_path], check=True)
    assert done.returncode == 0, done.stderr
    assert name in done.stdout
    assert "space" in done.stdout


def test_after_a_failed_write_the_next_commit_writes_everything(tmp_path, monkeypatch):
    path = tmp_path / "s.journal"
    session = open_store(path).session("a", ["minimize"])
    session.study.ask()
    session.commit()
    size, write = path.stat().st_size, os.write

    def full(fd: int, data: bytes) -> int:
        write(fd, bytes(data)[:7])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    session.study.tell(0, 1.0)
    with pytest.raises(StoreError, match="No space left on device"):
        session.commit()
    assert path.stat().st_size == size
    monkeypatch.undo()
    session.study.ask()
    session.commit()
    session.close()
    assert [trial.state.name for trial in open_store(path).read("a").trials] == ["COMPLETE", "RUNNING"]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_removed_under_a_session_is_noticed(tmp_path, name):
    session = open_store(tmp_path / name).session("a", ["minimize"])
    session.commit()
    (tmp_path / name).unlink()
    session.study.ask()
    with pytest.raises(StoreError, match="removed or replaced"):
        session.commit()
    with pytest.raises(StoreError, match="removed or replaced"):
        session.close()
    assert open_store(tmp_path / name).running("a") is None


@pytest.mark.parametrize("name", NAMES)
def test_an_exception_inside_a_session_still_writes_what_was_committed(tmp_path, name):
    store = open_store(tmp_path / name)

    def fail() -> None:
        with store.session("a", ["minimize"]) as session:
            trial = session.study.ask()
            session.commit()
            trial.report(1.0, 1)
            session.commit()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.read("a").trials[0].intermediate_values == {1: 1.0}


def test_a_closed_session_takes_no_more_commits(tmp_path):
    session = open_store(tmp_path / "s.db").session("a", ["minimize"])
    session.close()
    session.close()
    with pytest.raises(RuntimeError, match="closed"):
        session.commit()


def test_a_closed_sqlite_store_is_one_file(tmp_path):
    add(tmp_path / "s.db")
    open_store(tmp_path / "s.db").read("a")
    assert sorted(os.listdir(tmp_path)) == [".hpo", "s.db"]


# --- locks --------------------------------------------------------------------

DIE_HOLDING_THE_LOCK = """
import os, sys
from pathlib import Path
from hpo.search.store.journalfile import JournalFile
from hpo.search.store.lease import Lease
path = Path(sys.argv[1])
lease = Lease(path, sys.argv[2])
lock = JournalFile(path, "s", write=True, lease=lease.path).locked()
lock.__enter__()
os._exit(0)
"""


@pytest.mark.parametrize("study", ["a", "another"])
def test_the_lock_of_a_process_of_ours_that_died_writing_is_broken_at_once(tmp_path, study):
    path = tmp_path / "s.journal"
    add(path)
    assert run_python(DIE_HOLDING_THE_LOCK, path, study).returncode == 0
    assert Path(f"{path}.lock").is_symlink()
    start = time.monotonic()
    add(path)
    assert time.monotonic() - start < 25  # Optuna alone would wait thirty seconds
    assert not Path(f"{path}.lock").is_symlink()


def test_our_lock_keeps_plain_optuna_out_and_the_other_way_round(tmp_path):
    path = tmp_path / "s.journal"
    add(path)
    lease = Lease(path, "b")
    file = JournalFile(path, "s", write=True, lease=lease.path)
    order = []

    def plain() -> None:
        lock = JournalFileSymlinkLock(str(path))
        lock.acquire()
        order.append("plain")
        time.sleep(0.2)
        order.append("plain leaves")
        lock.release()

    thread = threading.Thread(target=plain)
    with file.locked():
        thread.start()
        time.sleep(0.2)
        order.append("we leave")
    while "plain" not in order:
        time.sleep(0.01)
    with file.locked():
        order.append("we")
    thread.join()
    file.close()
    lease.close()
    assert order == ["we leave", "plain", "plain leaves", "we"]


def test_a_lease_ends_with_its_process(tmp_path):
    code = "import os, sys; from pathlib import Path; from hpo.search.store.lease import Lease\n"
    done = run_python(code + "Lease(Path(sys.argv[1]), 'a'); os._exit(0)", tmp_path / "s.db")
    assert done.returncode == 0, done.stderr
    assert lease_path(tmp_path / "s.db", "a").exists()
    assert open_store(tmp_path / "s.db").running("a") is None
    Lease(tmp_path / "s.db", "a").close()
    assert not lease_path(tmp_path / "s.db", "a").exists()


@pytest.mark.parametrize("name", NAMES)
def test_study_names_may_hold_any_character(tmp_path, name):
    store = open_store(tmp_path / name)
    for study in ("a/b", "..", "x" * 300, "ü 'quoted' \"%s\" ?"):
        add(tmp_path / name, name=study)
        assert len(store.read(study).trials) == 1
        with store.session(study, ["minimize"]), pytest.raises(HpoError, match="is being run by"):
            store.session(study, ["minimize"])
