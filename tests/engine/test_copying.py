"""`hpo copy`: the whole study or none, equal in every fact, and it goes on as the original would have."""

from __future__ import annotations

import copy as copying
import json
import os
import random
import resource
import signal
import sys
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import forked  # noqa: F401 # everything is imported before this process is forked
import hypothesis.strategies as st
import optuna
import pytest
from hypothesis import given, settings
from killing import BETWEEN, Campaign, check, left_alone
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial
from stores import add, attrs, fresh_database, plain, quick, shown, trials

from hpo.search.cli import main
from hpo.search.engine.checkpoints import log_of
from hpo.search.engine.copying import copy
from hpo.search.store import Snapshot, Store, open_store
from hpo.search.store.names import CONFIRM
from hpo.search.store.whole import check_same
from hpo.search.terms.errors import StoreError

SMALL = {"budget": {"trials": 8}, "confirm": {"top": 1, "seeds": 1}}


@pytest.fixture(params=["files", pytest.param("postgres", marks=pytest.mark.postgres)])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """Stores one after another, so that each kind is copied to each other kind that there is."""
    sqlite, journal = str(tmp_path / "s.db"), str(tmp_path / "s.journal")
    if request.param == "files":
        return [sqlite, journal, sqlite]
    postgres = fresh_database(request.getfixturevalue("cluster"))
    return [sqlite, journal, postgres, sqlite, postgres, journal, sqlite]


def facts(study: Snapshot | None) -> object:
    assert study is not None
    return study.directions, study.user_attrs, study.system_attrs, [shown(trial) for trial in study.trials]


@settings(quick, max_examples=4)
@given(st.lists(trials(), max_size=4), attrs, attrs)
def test_a_study_of_plain_optuna_is_the_same_in_every_store(places, listed, user, system) -> None:
    names = [f"s{i}-{uuid.uuid4()}" for i in range(len(places))]
    with plain(open_store(places[0])) as storage:
        study = optuna.create_study(study_name=names[0], storage=storage, directions=["maximize"])
        for key, value in user.items():
            study.set_user_attr(key, value)
        for key, value in system.items():
            storage.set_study_system_attr(study._study_id, key, value)
        study.add_trials(listed)
    for i in range(len(places) - 1):
        copy(open_store(places[i]), names[i], open_store(places[i + 1]), names[i + 1])
        assert facts(open_store(places[i + 1]).read(names[i + 1])) == facts(open_store(places[i]).read(names[i]))
    with plain(open_store(places[-1])) as storage:
        found = optuna.load_study(study_name=names[-1], storage=storage)
        assert [shown(trial) for trial in found.get_trials()] == [
            shown(trial) for trial in open_store(places[0]).read(names[0]).trials
        ]


@pytest.mark.parametrize("server", [False, pytest.param(True, marks=pytest.mark.postgres)])
def test_a_study_that_was_killed_and_copied_goes_on_as_if_nothing_had_been(
    tmp_path: Path, server: bool, request: pytest.FixtureRequest
) -> None:
    """From SQLite to a journal and back, or from PostgreSQL to SQLite and back."""
    here = fresh_database(request.getfixturevalue("cluster")) if server else "s.db"
    there = "s.db" if server else "s.journal"
    first = Campaign(tmp_path / "shared", SMALL, here, objective=BETWEEN)
    Path(f"{first.log}.left").write_text("0")
    taken_up = []
    for place, other in ((here, there), (there, here)):
        begun = Campaign(first.folder, SMALL, place, pause=0.3, objective=BETWEEN, forked=True)
        process, known = begun.start(), len(begun.trials_of("killed"))
        while not in_mid_trial(begun, known) and process.poll() is None:
            time.sleep(0.1)
        process.kill()
        process.wait()
        taken_up.append(len(begun.log.read_text().splitlines()))
        if other == here:
            begun.finish("delete", "killed", "--storage", here, "--yes")
        begun.finish("copy", "killed", "--storage", place, "--to", other)
    again = Campaign(first.folder, SMALL, here, objective=BETWEEN, forked=True)
    again.finish()
    check(again, left_alone(again, lambda name: str(tmp_path / f"{name}.db")))
    epochs = [int(line.split()[1]) for line in again.log.read_text().splitlines()]
    assert all(epochs[place] > 1 for place in taken_up), "checkpoints stayed behind"


def in_mid_trial(campaign: Campaign, known: int) -> bool:
    """Whether the store has two points of a trial that runs, and one trial more than are known."""
    found = campaign.trials_of("killed")
    return len(found) > known and not found[-1].state.is_finished() and len(found[-1].intermediate_values) > 1


# --- whole or absent ------------------------------------------------------------------------------------------------


def big(place: str) -> Store:
    """A study of some hundred trials with fresh runs, logs and checkpoints."""
    store = open_store(place)
    for each in ("a", "a" + CONFIRM):
        with store.session(each, ["minimize"]) as session:
            session.study._storage.set_study_system_attr(0, "id", uuid.uuid4().hex[:16])
            session.study.add_trials(
                create_trial(
                    params={"x": i / 300}, distributions={"x": FloatDistribution(0, 1)}, value=float(i),
                    intermediate_values={step: i / step for step in range(1, 6)}, user_attrs={"seed": i},
                )
                for i in range(150)
            )  # fmt: skip
            session.commit()
            own = session.study._storage.get_study_system_attrs(0)["id"]
        for number in range(5):
            kept = store.beside / "checkpoints" / own / str(number) / "000000000001"
            kept.mkdir(parents=True)
            (kept / "state").write_bytes(bytes(2000))
    return store


def in_a_child(work: Callable[[], int]) -> int:
    """Exit code of work in a forked copy of this process, or minus the signal that ended it."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            with open(os.devnull, "w") as sys.stdout, open("child.err", "a") as sys.stderr:
                code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("kind", ["sqlite", "journal", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_a_copy_that_is_killed_at_any_moment_is_whole_or_absent_and_the_same_command_makes_it(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = big(str(tmp_path / "from.db"))
    target = (
        fresh_database(request.getfixturevalue("cluster"))
        if kind == "postgres"
        else str(tmp_path / ("to.db" if kind == "sqlite" else "to.journal"))
    )
    rng, names = random.Random(7), [f"c{i}" for i in range(7)]

    def command(name: str) -> int:
        return main(["copy", "a", "--storage", "from.db", "--to", target, "--name", name])

    began = time.monotonic()
    assert in_a_child(lambda: command(names[0])) == 0, Path("child.err").read_text()
    long = time.monotonic() - began

    def killed(name: str) -> int:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process wherever it is, as SIGKILL does
        signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.1, 1) * long)
        return command(name)

    ends = []
    for name in names[1:]:
        rng.random()
        ends.append(in_a_child(lambda name=name: killed(name)))
        there = {name, name + CONFIRM} & {*open_store(target).names()}
        assert there in (set(), {name, name + CONFIRM})
        if not there:
            assert in_a_child(lambda name=name: command(name)) == 0, Path("child.err").read_text()
    assert -signal.SIGALRM in ends
    store = open_store(target)
    for each in ("", CONFIRM):
        original = source.read("a" + each)
        for name in names:
            made = store.read(name + each)
            assert [shown(t) for t in made.trials] == [shown(t) for t in original.trials]
            kept = store.beside / "checkpoints" / made.system_attrs["id"]
            assert len(list(kept.rglob("state"))) == 5
            assert made.system_attrs["id"] != original.system_attrs["id"]
    assert len(list((store.beside / "checkpoints").iterdir())) == 2 * len(names), "remains of killed copies"


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_full_disk_leaves_no_copy_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = big("from.db")
    large = next((store.beside / "checkpoints").rglob("state"))
    large.write_bytes(bytes(3_000_000))

    def limited() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
        return main(["copy", "a", "--storage", "from.db", "--to", "to.journal"])

    assert in_a_child(limited) == 4
    assert "cannot be copied to" in (said := Path("child.err").read_text())
    assert "File too large" in said
    assert open_store("to.journal").names() == []
    assert not list(open_store("to.journal").beside.rglob("state"))


@pytest.mark.postgres
def test_what_the_target_cannot_hold_is_said_and_nothing_of_it_stays(
    tmp_path: Path, cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with plain(open_store(tmp_path / "s.db")) as storage:
        study = optuna.create_study(study_name="a", storage=storage)
        study.tell(study.ask(), 1.0)
        study.set_user_attr("k" * 600, 1)
    monkeypatch.chdir(tmp_path)
    source, target = open_store("s.db"), open_store(fresh_database(cluster))
    for store in (source, target):
        (store.beside / "logs").mkdir(parents=True)
    Path(log_of(source, "a")(0)).parent.mkdir()
    Path(log_of(source, "a")(0)).write_text("printed")
    with pytest.raises(StoreError, match="value too long"):
        copy(source, "a", target, "a")
    assert target.names() == []
    assert not list(target.beside.rglob("*.log"))
    copy(source, "a", open_store("t.db"), "b")
    assert Path(log_of(open_store("t.db"), "b")(0)).read_text() == "printed"


# --- refused --------------------------------------------------------------------------------------------------------


def test_a_copy_is_refused_where_it_would_not_be_one(
    location: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HPO_STORAGE", location)
    store = open_store(location)
    add(store, "digits", 2)
    before = facts(store.read("digits"))

    def refused(*words: str) -> str:
        assert main(["copy", *words]) == 2
        return capsys.readouterr().err

    assert "there is no study 'digit' in" in refused("digit", "--to", "to.db")
    assert "copy it to which store?" in refused("digits")
    assert "a store in memory ends with this command" in refused("digits", "--to", ":memory:")
    assert "there is a study 'digits' in" in refused("digits", "--to", location)
    assert "a study cannot be called 'a/b'" in refused("digits", "--to", location, "--name", "a/b")
    with store.session("digits", ["minimize"]):
        assert f"study 'digits' is being run by process {os.getpid()}" in refused("digits", "--to", "to.db")
    with open_store("to.db").session("digits", ["minimize"]):
        assert "study 'digits' is being run by" in refused("digits", "--to", "to.db")
    add(store, "other" + CONFIRM, 1)
    add(store, "digits" + CONFIRM, 1)
    assert "there is a study 'other (confirm)' in" in refused("digits", "--to", location, "--name", "other")
    assert store.names() == ["digits", "other" + CONFIRM, "digits" + CONFIRM]
    assert facts(store.read("digits")) == before
    assert main(["copy", "digits", "--to", location, "--name", "digits-2"]) == 0
    assert "copied 'digits' with 2 trials and 1 fresh runs from" in capsys.readouterr().out
    assert facts(store.read("digits-2")) == before


@given(trials().filter(lambda trial: trial.params), st.integers(0, 6))
def test_whatever_differs_is_found(trial, what) -> None:
    study = Snapshot("a", ("minimize",), {"k": 1}, {}, [trial])
    other = copying.deepcopy(study)
    changed = other.trials[0]
    if what == 0:
        other.user_attrs["k"] = 2
    elif what == 1:
        changed.intermediate_values = {**changed.intermediate_values, 5000: float("nan")}
    elif what == 2:
        changed.datetime_complete = (changed.datetime_complete or trial.datetime_start) and None
        changed.datetime_start = trial.datetime_start and trial.datetime_start + timedelta(microseconds=1)
        changed.system_attrs["k k"] = 0
    elif what == 3:
        changed.values = [*(changed.values or []), 1.0]
    elif what == 4:
        changed.user_attrs[json.dumps(changed.user_attrs)] = None
    elif what == 5:
        name = min(changed.params)
        del changed.params[name]
    else:
        other.trials.append(changed)
    check_same(study, copying.deepcopy(study), "here")
    with pytest.raises(StoreError, match="does not give study 'a' back as it was written"):
        check_same(study, other, "here")
