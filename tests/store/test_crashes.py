"""Stores in files: what a crash, a full disk or a lost file leaves."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from storefiles import FILES, add, run_python

from hpo.search.store import open_store
from hpo.search.terms.errors import StoreError

optuna.logging.set_verbosity(optuna.logging.WARNING)


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
@pytest.mark.parametrize("name", FILES)
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
            from hpo.search.terms.errors import StoreError
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


@pytest.mark.parametrize("name", FILES)
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


@pytest.mark.parametrize("name", FILES)
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
