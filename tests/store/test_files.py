"""Stores in files: where they are, and what is refused before anything is written."""

from __future__ import annotations

import os
import sqlite3
import sys

import optuna
import pytest
from storefiles import FILES, add, run_python

from hpo.search.store import open_store
from hpo.search.terms.errors import StoreError, Unreachable, UserError

optuna.logging.set_verbosity(optuna.logging.WARNING)


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
    with pytest.raises(Unreachable, match=r"postgresql://me@127\.0\.0\.1:1/hpo: .*check host and port") as caught:
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


@pytest.mark.parametrize("name", FILES)
def test_reading_a_missing_file_creates_nothing(tmp_path, name):
    store = open_store(tmp_path / name)
    assert store.names() == []
    assert store.read("a") is None
    assert store.running("a") is None
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", FILES)
def test_a_missing_folder_is_named(tmp_path, name):
    store = open_store(tmp_path / "missing" / name)
    for use in (lambda: store.session("a", ["minimize"]), store.storage):
        with pytest.raises(UserError, match="there is no folder"):
            use()
    assert store.names() == []
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", FILES)
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


@pytest.mark.parametrize("name", FILES)
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_a_store_of_somebody_else_is_readable_but_not_writable(tmp_path, name):
    add(tmp_path / name)
    for folder in (tmp_path, *list(tmp_path.parents)[:3]):  # one more where tests run side by side
        folder.chmod(0o755)
    (tmp_path / name).chmod(0o644)
    done = run_python(
        """
        import os, sys
        from hpo.search.terms.errors import HpoError
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
