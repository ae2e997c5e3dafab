"""Stores in files: who holds which lock."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import optuna
import pytest
from optuna.storages.journal import JournalFileSymlinkLock
from storefiles import FILES, add, run_python

from hpo.search.store import open_store
from hpo.search.store.journalfile import JournalFile
from hpo.search.store.lease import Lease, lease_path
from hpo.search.terms.errors import HpoError

optuna.logging.set_verbosity(optuna.logging.WARNING)


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


@pytest.mark.parametrize("name", FILES)
def test_study_names_may_hold_any_character(tmp_path, name):
    store = open_store(tmp_path / name)
    for study in ("a/b", "..", "x" * 300, "ü 'quoted' \"%s\" ?"):
        add(tmp_path / name, name=study)
        assert len(store.read(study).trials) == 1
        with store.session(study, ["minimize"]), pytest.raises(HpoError, match="is being run by"):
            store.session(study, ["minimize"])
