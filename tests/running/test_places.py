"""Checkpoints where the study says: kept whole or not at all, taken up anywhere, and gone with their trials."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flaky import Flaky, Killed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stores import fresh_database
from taken_up import points

import hpo
from hpo.search.cli import main
from hpo.search.running.checkpoints import Checkpoints
from hpo.search.running.places import Place, place_of
from hpo.search.running.training import Trainer
from hpo.search.store import open_store
from hpo.search.terms.errors import Advice, Interrupted, StudyFileError, UserError
from hpo.search.terms.job import Job, Task
from hpo.search.terms.keeping import Keeping

OBJECTIVE = """
import json, os, time
from pathlib import Path

def train(*, checkpoint: str, x: float = 0.0, epochs: int = 12, seed: int = 0):
    state = Path(checkpoint, "state.json")
    step, total, _ = json.loads(state.read_text()) if state.exists() else (0, 0.0, "")
    while step < epochs:
        step, total = step + 1, total + x / (step + 1)
        with open(os.environ.get("STEPS", os.devnull), "a") as log:
            log.write(f"{seed} {step}\\n")
        while "LAST" in os.environ and step >= int(os.environ["LAST"]):
            time.sleep(0.01)  # it is to be killed by now
        time.sleep(0.05 if "LAST" in os.environ else 0)
        state.write_text(json.dumps([step, total, "w" * 2000]))
        yield {"step": step, "loss": total}
        if str(step) == os.environ.get("STOP"):
            raise KeyboardInterrupt
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with a model, and a temporary folder of its own, so that nothing is left elsewhere."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("hpo.search.running.checkpoints._SHARE", 0)  # steps of no length would be kept too seldom
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(OBJECTIVE)
    yield tmp_path
    Flaky.left, Flaky.lost = None, False


KINDS: dict[str, Callable[[Path], str]] = {
    "folder": str,
    "file": lambda folder: f"file://{folder}",
    "memory": lambda folder: f"memory:/{folder}-{secrets.token_hex(4)}",
    "flaky": lambda folder: f"flaky://{folder}",
}


def put(place: Place, step: int, text: str, tmp_path: Path) -> None:
    folder = tmp_path / "content"
    folder.mkdir(exist_ok=True)
    (folder / "state").write_text(text)
    place.keep(step, folder)


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_holds_what_it_was_given_by_step(kind: str, tmp_path: Path) -> None:
    where = KINDS[kind](tmp_path / "study" / "3")
    place = place_of(where)
    assert place.steps() == []
    for step in (3, 1, 20):
        put(place, step, f"at {step}", tmp_path)
    put(place, 3, "at 3 again", tmp_path)
    assert place_of(where).steps() == [1, 3, 20]
    place_of(where).lay(3)
    assert (place.live / "state").read_text() == "at 3 again"
    place.drop(3)
    place.drop(7)
    assert place.steps() == [1, 20]
    place_of(where.removesuffix("/3")).clear()
    assert place_of(where).steps() == []
    place.clear()
    assert not [path for path in tmp_path.rglob("*") if path.name in ("live", "state") and "content" not in path.parts]


def curve(folder: Path, where: str, *, done: int, stop: int | None = None) -> list[tuple[int, float]]:
    """Points of a run that goes on after step ``done``, and is dropped when it has told step ``stop``."""
    return points(folder / "model.py", {"x": 0.5, "seed": 1}, where, done=done, stop=stop)


WHOLE = 10240
"""Bytes of an archive of ``OBJECTIVE``'s."""


@given(at=st.integers(0, 13 * WHOLE), behind=st.integers(0, 3))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_kill_at_any_byte_of_an_upload_leaves_the_curve_of_one_left_alone(
    place: Path, tmp_path_factory: pytest.TempPathFactory, at: int, behind: int
) -> None:
    whole = curve(place, str(tmp_path_factory.mktemp("whole")), done=0)
    where = f"flaky://{tmp_path_factory.mktemp('cut')}/0"
    told: list[tuple[int, float]] = []
    trainer = Trainer(Task(str(place / "model.py"), folder=str(place)))
    job = Job(0, {"x": 0.5, "seed": 1}, 0, where)
    run = trainer.start(job)
    Flaky.left = at
    try:
        for metrics in run:
            told.append((run.step, metrics["loss"]))
    except Killed:  # in the keeping of the point that is not told therefore
        pass
    Flaky.left = None
    done = max(0, len(told) - behind)
    checkpoints = Checkpoints(where)
    checkpoints.restore(done)
    assert done - 1 <= checkpoints.restored <= done or behind, "what is whole is used"
    assert told[:done] + curve(place, where, done=done) == whole


def test_a_lost_connection_is_told_once_and_the_trial_goes_on(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = f"flaky://{place}/shared"
    begun = curve(place, where, done=0, stop=4)
    Flaky.lost = True
    monkeypatch.setitem(__import__("fsspec").config.conf, "flaky", {"token": "hidden-token"})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        again = curve(place, where, done=4)
    assert begun + again == curve(place, str(place / "whole"), done=0)
    told = [str(warning.message) for warning in caught]
    assert len(set(told)) == 2  # in reading and in keeping
    assert all(text.endswith("the file system gave an error that repeats a setting") for text in told)
    Flaky.lost = False
    assert Checkpoints(where).restore(4)
    assert "[4," in (place_of(where).live / "state.json").read_text(), "what was kept before is still there"


def test_a_checkpoint_is_kept_each_so_many_steps_and_only_up_to_a_size(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path / "kept", Keeping(every=4, limit=0.01))
    live = Path(kept.restore(0))
    for step in range(1, 15):
        (live / "state").write_text(str(step))
        kept.keep(step)
    assert place_of(str(tmp_path / "kept")).steps() == [4, 8, 12]
    (live / "state").write_text("x" * 20_000)
    with pytest.warns(Advice, match=r"it has 0\.0191 MiB, more than checkpoints: \{limit: 0\.01\} allows"):
        kept.keep(16)
    assert place_of(str(tmp_path / "kept")).steps() == [4, 8, 12]
    again = Checkpoints(tmp_path / "kept", Keeping(every=4))
    live = Path(again.restore(9))
    (live / "state").write_text("10")
    again.keep(11)
    assert again.restored == 8
    assert place_of(str(tmp_path / "kept")).steps() == [4, 8]
    again.keep(12)
    assert place_of(str(tmp_path / "kept")).steps() == [4, 8, 12][-2:] or again.restored


def study(**changes: Any) -> dict[str, Any]:
    return {
        "objective": "./model.py", "goal": "minimize loss", "search": {"x": {"float": [0.1, 1.0]}}, "name": "same",
        "sampler": "random", "pruner": "none", "confirm": "none", "budget": {"trials": 2}, **changes,
    }  # fmt: skip


def trials(store: str) -> list[tuple[Any, ...]]:
    snapshot = open_store(store).read("same")
    assert snapshot is not None
    return [(t.params, t.state, sorted(t.intermediate_values.items())) for t in snapshot.trials]


def recorded(store: str) -> int:
    snapshot = open_store(store).read("same")
    return sum(len(trial.intermediate_values) for trial in snapshot.trials) if snapshot is not None else 0


def steps(place: Path) -> list[str]:
    return (place / "steps.log").read_text().splitlines()


def command(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """The command with the location of ``flaky``; the log of steps is beside all folders."""
    tests = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, [tests, os.environ.get("PYTHONPATH", ""), *sys.path]))
    own = {"STEPS": str(folder.parent / "steps.log"), "PYTHONPATH": path, "PYTHONWARNINGS": "default"}
    return subprocess.Popen(
        [sys.executable, "-m", "flaky", *arguments], cwd=folder, env={**os.environ, **own, **environment}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def a_store(kind: str, request: pytest.FixtureRequest, place: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if kind == "postgres":
        with monkeypatch.context() as elsewhere:  # the server is another user's
            elsewhere.setattr("tempfile.tempdir", None)
            elsewhere.delenv("TMPDIR")
            return fresh_database(request.getfixturevalue("cluster"))
    return str(place / "store" / "s.journal")


@pytest.mark.parametrize(
    ("kind", "store"), [("flaky", "journal"), pytest.param("folder", "postgres", marks=pytest.mark.postgres)]
)
def test_a_study_goes_on_in_another_folder_from_the_checkpoints_of_the_first(
    place: Path, kind: str, store: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = a_store(store, request, place, monkeypatch)
    where = KINDS[kind](place / "shared")
    for name in ("store", "here", "there", "whole"):
        (place / name).mkdir()
        (place / name / "model.py").write_text(OBJECTIVE)
        (place / name / "s.yaml").write_text(json.dumps(study(checkpoints=where)))
    with command(place / "here", "run", "s.yaml", "--storage", storage, "--quiet", LAST="8") as process:
        while recorded(storage) < 7:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert list((place / "shared").rglob("0000*"))
    with command(place / "there", "run", "s.yaml", "--storage", storage, "--quiet") as process:
        assert process.wait() == 0, process.communicate()[0]
    hpo.run(study(storage=str(place / "whole.db")))
    assert trials(storage) == trials(str(place / "whole.db"))
    assert len(steps(place)) <= 24 + 2, "it was taken up from a checkpoint"
    assert not [path for path in (place / "shared").rglob("*") if path.is_file()]
    assert not [path for path in (place / "tmp").rglob("*") if path.is_file()]


def test_a_command_that_is_killed_in_an_upload_ends_as_one_left_alone(place: Path) -> None:
    (place / "here").mkdir()
    (place / "here" / "model.py").write_text(OBJECTIVE)
    (place / "here" / "s.yaml").write_text(json.dumps(study(checkpoints=f"flaky://{place}/shared")))
    with command(place / "here", "run", "s.yaml", "--quiet", FLAKY=str(5 * WHOLE + 700), LAST="99") as process:
        assert process.wait() == -signal.SIGKILL, process.communicate()[0]
    sizes = {path.stat().st_size for path in (place / "shared").rglob("*.tar")}
    assert sizes == {WHOLE, 700}, "the upload was seen while it was under way"
    with command(place / "here", "run", "s.yaml", "--quiet") as process:
        assert process.wait() == 0, process.communicate()[0]
    hpo.run(study(storage="whole.db"))
    assert trials(str(place / "here" / "hpo.db")) == trials("whole.db")


def leave_open(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """A study of which a trial is open and has checkpoints."""
    with monkeypatch.context() as until:
        until.setenv("STOP", "6")
        with pytest.raises((Interrupted, KeyboardInterrupt)):
            hpo.run(study(**changes), storage="s.db")


@pytest.mark.parametrize(("kind", "way"), [("folder", "fresh"), ("flaky", "delete")])
def test_checkpoints_go_with_their_study(place: Path, kind: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where = KINDS[kind](place / "shared")
    leave_open(monkeypatch, checkpoints=where)
    assert list((place / "shared").rglob("0000*"))
    if way == "delete":
        assert main(["delete", "same", "--storage", "s.db", "--yes"]) == 0
    else:
        hpo.run(study(), storage="s.db", fresh=True)
    assert not [path for path in (place / "shared").rglob("*") if path.is_file()]


def test_a_study_whose_checkpoints_cannot_be_reached_any_more_is_deleted_all_the_same(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_open(monkeypatch, checkpoints=f"flaky://{place}/shared")
    Flaky.lost = True
    assert main(["delete", "same", "--storage", "s.db", "--yes"]) == 0
    assert "checkpoints could not be removed: RuntimeError: connection lost" in capsys.readouterr().err
    assert open_store("s.db").names() == []


@pytest.mark.parametrize("names", [(None, "flaky"), ("flaky", "folder"), ("folder", None)])
def test_open_trials_take_their_checkpoints_along_to_another_place(
    place: Path, names: tuple[str | None, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPS", str(place / "steps.log"))
    wheres = [None if kind is None else KINDS[kind](place / "shared") for kind in names]
    leave_open(monkeypatch, checkpoints=wheres[0])
    begun = len(steps(place))
    hpo.run(study(checkpoints=wheres[1]), storage="s.db")
    hpo.run(study(), storage="whole.db")
    assert trials("s.db") == trials("whole.db")
    assert len(steps(place)) - begun <= 24 + 24 - begun + 2
    assert not [path for path in place.rglob("0000*") if path.is_file()]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("s4://bucket/x", "there are no locations s4://"),
        ("lakefs://bucket/x", "checkpoints at lakefs://... need another package: "),
        ("/dev/null/x", "checkpoints cannot be kept at /dev/null/x: Not a directory"),
        ("flaky:///dev/null/x", "checkpoints cannot be kept at flaky:///dev/null/x: "),
    ],
)
def test_a_place_that_cannot_be_used_is_told_before_anything_is_written(place: Path, where: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        hpo.run(study(checkpoints=where), storage="s.db")
    assert str(caught.value).startswith(said) or said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (place / "s.db").exists()


SECRETS = ["sftp://me:s3cr3t@host/x", "s3://key:s3cr3t@bucket", "ftp://me:s3/cr3t@host/s3cr3t", "gs://b/x?key=s3cr3t"]


@pytest.mark.parametrize("where", SECRETS)
@pytest.mark.parametrize("form", ["{}", "{{at: {}}}"])
def test_a_place_with_a_password_is_refused_and_not_repeated(
    study: Callable[..., Any], where: str, form: str, place: Path
) -> None:
    text = f"objective: {place}/model.py\ngoal: minimize loss\nsearch: {{x: {{float: [0, 1]}}}}\n"
    for overrides, line in (
        ((), f"checkpoints: {form.format(repr(where))}\n"),
        ([("checkpoints", form.format(repr(where)))], ""),
    ):
        with pytest.raises(StudyFileError) as caught:
            study(text + line, overrides)
        assert "a password or key in the place for checkpoints would be stored" in str(caught.value)
        assert "s3cr3t" not in str(caught.value)
        assert "cr3t" not in str(caught.value)


def test_what_is_wrong_with_the_section_is_told_at_its_place(mistakes: Callable[..., list[str]], place: Path) -> None:
    text = f"objective: {place}/model.py\ngoal: minimize loss\nsearch: {{x: {{float: [0, 1]}}}}\n"
    bad = "checkpoints: {at: 3, evry: 2, every: 0.5, limit: -1}\n"
    assert mistakes(text + bad) == [
        "4:19 checkpoints is a place or a mapping, got 3"
        " | write a folder, a location such as s3://bucket/folder, or {at: ..., every: 10, limit: 500}",
        "4:22 checkpoints has no setting 'evry' | did you mean 'every'?",
        "4:38 every is a whole number of steps, got 0.5",
        "4:50 limit must be a number above 0, got -1",
    ]
    (place / "plain.py").write_text("def train(*, x: float = 0.0):\n    return x\n")
    assert mistakes(text.replace("model.py", "plain.py").replace("loss", "value") + "checkpoints: /mnt/x\n") == [
        "4:14 plain.py saves no checkpoints | give its function a parameter checkpoint: str, or leave checkpoints out"
    ]
