"""Stores: who holds which lock, and what becomes of the lock of a process that is stopped, forks or dies."""

from __future__ import annotations

import fcntl
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import optuna
import pytest
from optuna.storages.journal import JournalFileSymlinkLock
from storefiles import FILES, add, run_python
from stores import add as add_trials

from hpo.search.store import journalfile, open_store
from hpo.search.store.journalfile import JournalFile
from hpo.search.store.lease import Lease, lease_path

optuna.logging.set_verbosity(optuna.logging.WARNING)


# --- the journal's lock ---------------------------------------------------------------------------------------------

DIE_HOLDING_THE_LOCK = """
import os, sys
from pathlib import Path
from hpo.search.store.journalfile import JournalFile
lock = JournalFile(Path(sys.argv[1]), "s", write=True).locked()
lock.__enter__()
os._exit(0)
"""


def test_the_lock_of_a_process_of_ours_that_died_writing_is_broken_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(journalfile, "_STALE", math.inf)  # after which Optuna's own rule would break it
    path = tmp_path / "s.journal"
    add(path)
    assert run_python(DIE_HOLDING_THE_LOCK, path).returncode == 0
    assert Path(f"{path}.lock").is_symlink()
    add(path)
    assert not Path(f"{path}.lock").is_symlink()


def test_our_lock_keeps_plain_optuna_out_and_the_other_way_round(tmp_path):
    path = tmp_path / "s.journal"
    add(path)
    file = JournalFile(path, "s", write=True)
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
    assert order == ["we leave", "plain", "plain leaves", "we"]


def test_a_writer_whose_optuna_lock_was_broken_numbers_its_trials_after_those_written_meanwhile(tmp_path):
    path = tmp_path / "s.journal"
    add(path)
    file = JournalFile(path, "s", write=True)
    end = path.stat().st_size
    with file.locked():
        Path(f"{path}.lock").unlink()  # as plain Optuna does after half a minute
        optuna.create_study(
            study_name="plain",
            storage=optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path))),
        )
        grown = path.stat().st_size
        assert grown > end
        assert file.append([{"op_code": 0}], end) is None
        assert path.stat().st_size == grown
    file.close()


# --- a writer that is stopped inside its lock -----------------------------------------------------------------------

STOP_INSIDE_THE_LOCK = """
import signal, sys, threading
from hpo.search.store import journalfile, open_store
from hpo.search.store.journalfile import JournalFile
from hpo.search.store.sqlite import SQLite

def stop_in(place, name):
    whole = getattr(place, name)
    def stop(*args, **options):
        setattr(place, name, whole)
        # The thread that holds the lock: of a signal to the process, whatever thread it falls to may take notice late.
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        return whole(*args, **options)
    setattr(place, name, stop)

location, lock = sys.argv[1:]
if lock == "opening":
    stop_in(JournalFile, "repair")
    stop_in(SQLite, "_make")
session = open_store(location).session("stopped", ["minimize"])
session.commit()
session.study.ask()
if lock == "writing":
    sink = session._sink
    stop_in(*((sink._file, "append") if hasattr(sink, "_file") else (sink._connection, "insert")))
session.commit()
session.close()
"""

ADD = """
import sys, warnings
from hpo.search.terms.errors import Advice
warnings.simplefilter("always", Advice)
from stores import add
from hpo.search.store import open_store
add(open_store(sys.argv[1]), "other", 3)
"""


def start(code: str, *args: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def stopped(process: subprocess.Popen[str]) -> None:
    """Wait until a process has stopped itself."""
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), status


def wait_and_go_on(location: str, lock: str, longer: float = 0.0) -> str:
    """Stop one writer inside its lock until another says that it waits, and longer; returns what the other said."""
    with start(STOP_INSIDE_THE_LOCK, location, lock) as one:
        stopped(one)
        with start(ADD, location) as other:
            told = ""
            if location.startswith("postgresql"):  # there, rows are locked and not the whole: it need not wait
                other.wait(60)
            else:
                while "waiting for" not in told:
                    line = other.stderr.readline()
                    assert line, f"it wrote under a lock that another holds; {told}"
                    told += line
                time.sleep(longer)
                assert other.poll() is None, "it wrote under a lock that another holds"
            one.send_signal(signal.SIGCONT)
            told += other.communicate(timeout=60)[1]
            assert other.returncode == 0, told
        complaint = one.communicate(timeout=60)[1]
        assert one.returncode == 0, complaint
    store = open_store(location)
    assert [len(store.read(name).trials) for name in ("stopped", "other")] == [1, 3]
    with store.session("stopped", ["minimize"]) as again:  # a whole journal, and numbers that go on
        assert again.study.ask().number == 1
    return told.replace(str(one.pid), "PID")


def test_a_stopped_writer_keeps_its_lock_and_others_wait_and_say_for_whom(location):
    told = wait_and_go_on(location, "writing")
    if not location.startswith("postgresql"):
        assert "waiting for process PID to finish writing" in told
        assert "kill -CONT PID" in told


@pytest.mark.parametrize("file", FILES)
def test_one_that_is_stopped_while_it_opens_a_store_is_waited_for_too(tmp_path, file):
    assert "waiting for process PID to finish writing" in wait_and_go_on(str(tmp_path / file), "opening")


@pytest.mark.slow
@pytest.mark.parametrize("lock", ["writing", "opening"])
@pytest.mark.parametrize("file", FILES)
def test_no_time_is_long_enough_to_break_the_lock_of_one_that_lives(tmp_path, file, lock):
    wait_and_go_on(str(tmp_path / file), lock, longer=75)


WHAT_IS_OPENED = """
import sys
opened = []
sys.addaudithook(lambda event, told: opened.append(str(told[0])) if event == "open" else None)
import hpo
from hpo.search.cli import main
from hpo.search.store import open_store

def train(*, x: float = 0.0):
    store = open_store("s.db")
    assert store.running("study") and store.read("study") and store.names()
    yield {"loss": x}

study = dict(name="study", search={"x": {"float": [0, 1]}}, goal="minimize loss", trials=6, storage="s.db")
hpo.run(train, **study).export("best.yaml")
for words in (["status"], ["show", "study"], ["export", "study", "--output", "all.csv"]):
    assert main([*words, "--storage", "s.db"]) == 0
assert any(path.endswith("best.yaml") or ".hpo" in path for path in opened)
sys.exit(str([path for path in opened if path.endswith(("s.db", "s.db-shm"))] or ""))
"""


def test_sqlite_alone_opens_its_files_for_whoever_else_closes_them_drops_the_locks_of_the_process(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert run_python(WHAT_IS_OPENED).stderr.strip() == ""


# --- the lease ------------------------------------------------------------------------------------------------------


def test_a_lease_ends_with_its_process(tmp_path):
    code = "import os, sys; from pathlib import Path; from hpo.search.store.lease import Lease\n"
    done = run_python(code + "Lease(Path(sys.argv[1]), 'a'); os._exit(0)", tmp_path / "s.db")
    assert done.returncode == 0, done.stderr
    assert lease_path(tmp_path / "s.db", "a").exists()
    assert open_store(tmp_path / "s.db").running("a") is None
    Lease(tmp_path / "s.db", "a").close()
    assert not lease_path(tmp_path / "s.db", "a").exists()


def test_one_who_only_looks_who_has_a_lease_is_waited_for(tmp_path):
    path = lease_path(tmp_path / "s.db", "a")
    path.parent.mkdir()
    looks = os.open(path, os.O_RDONLY | os.O_CREAT)
    fcntl.flock(looks, fcntl.LOCK_SH)  # as `running` does, and is stopped
    threading.Timer(1.0, os.close, [looks]).start()
    Lease(tmp_path / "s.db", "a").close()


WITH_A_HELPER = """
import multiprocessing, os, sys, time
from hpo.search.store import open_store
session = open_store(sys.argv[1]).session("a", ["minimize"])
session.study.ask()
session.commit()
if sys.argv[2] == "multiprocessing":
    helper = multiprocessing.get_context("fork").Process(target=time.sleep, args=(300,), daemon=True)
    helper.start()
    pid = helper.pid
else:
    pid = os.fork()
    if pid == 0:
        time.sleep(300)
        os._exit(0)
print(pid, flush=True)
time.sleep(300)
"""


@pytest.mark.parametrize("way", ["multiprocessing", "os.fork"])
def test_a_helper_that_outlives_a_killed_search_holds_neither_lease_nor_lock(location, way):
    with start(WITH_A_HELPER, location, way) as search:
        helper = int(search.stdout.readline())
        store = open_store(location)
        try:
            assert f"process {search.pid}" in store.running("a")
            search.kill()
            search.wait()
            os.kill(helper, 0)  # it lives
            deadline = time.monotonic() + 60  # a server notices a lost process in its own time
            while store.running("a") and time.monotonic() < deadline:
                time.sleep(0.05)
            add_trials(store, "a", 1)
            assert len(store.read("a").trials) == 2
        finally:
            os.kill(helper, signal.SIGKILL)


CHILD_EXITS = """
import os, sys
from hpo.search.store import open_store
session = open_store(sys.argv[1]).session("a", ["minimize"])
for i in range(3):
    trial = session.study.ask()
    session.commit()
    if os.fork() == 0:
        del session, trial
        sys.exit(0)
    os.wait()
    session.study.tell(trial, float(i))
    session.commit()
session.close()
"""


def test_a_child_that_exits_takes_nothing_with_it(location):
    done = run_python(CHILD_EXITS, location)
    assert done.returncode == 0, done.stderr
    assert [trial.value for trial in open_store(location).read("a").trials] == [0.0, 1.0, 2.0]
