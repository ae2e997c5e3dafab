"""Checkpoints hold the step they say, in either order of saving and yielding, and end with their trial."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forked import Forked
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from taken_up import points

import hpo
from hpo.search.cli import main
from hpo.search.report.study import report
from hpo.search.running.checkpoints import Checkpoints
from hpo.search.running.training import Trainer
from hpo.search.store import open_store
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Failed, Job, Task

OBJECTIVE = """
import json, os, time
from pathlib import Path

def train(*, checkpoint: str, x: float = 0.0, first: str = "yield", epochs: int = 12, seed: int = 0):
    state = Path(checkpoint, "state.json")
    step, total = 0, 0.0
    if state.exists():
        step, total = json.loads(state.read_text())
    while step < epochs:
        step, total = step + 1, total + x / (step + 1)
        with open("steps.log", "a") as log:
            log.write(f"{seed} {step}\\n")
        time.sleep(float(os.environ.get("PAUSE", "0")))
        while "LAST" in os.environ and len(open("steps.log").readlines()) >= int(os.environ["LAST"]):
            time.sleep(0.01)  # it is to be killed by now
        if first == "save":
            state.write_text(json.dumps([step, total]))
        yield {"step": step, "loss": total}
        if first == "yield":
            state.write_text(json.dumps([step, total]))
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.py"
    path.write_text(OBJECTIVE)
    return path


def curve(path: Path, folder: Path, *, first: str, done: int, stop: int | None = None) -> list[tuple[int, float]]:
    """Points of a run that goes on after step ``done``, and is dropped when it has told step ``stop``."""
    return points(path, {"x": 0.5, "first": first, "seed": 1}, str(folder), done=done, stop=stop)


@pytest.mark.parametrize("first", ["yield", "save"])
@given(stop=st.integers(1, 11), behind=st.integers(0, 3))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_run_taken_up_behind_its_checkpoint_has_the_curve_of_one_left_alone(
    model: Path, tmp_path_factory: pytest.TempPathFactory, first: str, stop: int, behind: int
) -> None:
    whole = curve(model, tmp_path_factory.mktemp("whole"), first=first, done=0)
    folder = tmp_path_factory.mktemp("cut")
    done = max(0, stop - behind)  # the record may end before what was saved last
    begun = curve(model, folder, first=first, done=0, stop=stop)
    rest = curve(model, folder, first=first, done=done)
    assert begun[:done] + rest == whole


def test_a_checkpoint_ahead_of_the_record_is_not_used(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    live = Path(kept.restore(0))
    for step in (1, 2, 3):
        (live / "state").write_text(str(step))
        kept._next = 0.0
        kept.keep(step)
    assert (Path(Checkpoints(tmp_path).restore(2)) / "state").read_text() == "2"
    assert (Path(Checkpoints(tmp_path).restore(9)) / "state").read_text() == "2", "what was ahead is gone"
    assert not list(Path(Checkpoints(tmp_path).restore(0)).iterdir())


def test_old_checkpoints_go_and_those_that_the_record_may_need_stay(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    live = Path(kept.restore(0))
    for step in range(1, 9):
        (live / "state").write_text(str(step))
        kept._next = 0.0
        kept.keep(step)
        if step <= 5:
            kept._when[step] -= 60.0
    left = sorted(int(path.name) for path in tmp_path.iterdir() if path.name.isdigit())
    assert left == [5, 6, 7, 8]


def test_an_objective_that_does_not_say_its_step_is_told_when_it_is_taken_up(model: Path, tmp_path: Path) -> None:
    model.write_text(OBJECTIVE.replace('"step": step, ', ""))
    curve(model, tmp_path / "kept", first="save", done=0, stop=3)
    trainer = Trainer(Task(str(model), folder=str(tmp_path)))
    job = Job(0, {"x": 0.5, "first": "save", "seed": 1}, 2, str(tmp_path / "kept"))
    event = trainer.advance(trainer.start(job), job)
    assert isinstance(event, Failed)
    assert "yield step with each point" in event.reason


def study(**changes: Any) -> dict[str, Any]:
    return {
        "objective": "./model.py", "goal": "minimize loss", "search": {"x": {"float": [0.1, 1.0]}}, "name": "same",
        "sampler": "random", "pruner": "none", "confirm": "none", "budget": {"trials": 3}, **changes,
    }  # fmt: skip


def folders(place: Path) -> list[Path]:
    return [path for path in place.rglob("*") if path.is_dir() and path.name == "live"]


@pytest.mark.parametrize("pruner", ["none", {"threshold": {"upper": 0.4}}])
def test_nothing_is_left_of_trials_that_have_ended(model: Path, pruner: Any) -> None:
    hpo.run(study(storage="a.db", pruner=pruner))
    assert not folders(model.parent)


def killed(folder: Path, file: str, storage: str, steps: int) -> None:
    """Run a study until it has trained so many steps in all, then kill it."""
    log = folder / "steps.log"
    before = len(log.read_text().splitlines()) if log.exists() else 0
    environment = {"PAUSE": "0.05", "LAST": str(before + steps + 5)}
    process = Forked(["run", file, "--storage", storage, "--quiet"], folder, folder / "said", environment)
    while not log.exists() or len(log.read_text().splitlines()) < before + steps:
        assert process.poll() is None, (folder / "said").read_text()
        time.sleep(0.01)
    process.kill()
    process.wait()


def trials(store: str) -> list[tuple[Any, ...]]:
    snapshot = open_store(store).read("same")
    assert snapshot is not None
    return [(t.params, t.state, sorted(t.intermediate_values.items())) for t in snapshot.trials]


@pytest.mark.parametrize("first", ["yield", "save"])
@pytest.mark.parametrize("suffix", ["db", "journal"])
def test_two_stores_with_studies_of_one_name_side_by_side_keep_their_own(
    model: Path, first: str, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model.parent
    for place, seed in (("a", 1), ("b", 2)):
        (folder / f"{place}.yaml").write_text(json.dumps(study(seed=seed, fixed={"first": first})))
    for _ in range(2):
        killed(folder, "a.yaml", f"a.{suffix}", 5)
        killed(folder, "b.yaml", f"b.{suffix}", 5)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)  # a store is where it is, whatever folder it is reached from
    for place in ("a", "b"):
        hpo.run(folder / f"{place}.yaml", storage=str(folder / f"{place}.{suffix}"))
        hpo.run(folder / f"{place}.yaml", storage=str(folder / f"whole-{place}.{suffix}"))
        killed_trials = trials(str(folder / f"{place}.{suffix}"))
        assert killed_trials == trials(str(folder / f"whole-{place}.{suffix}"))
    assert not folders(folder)


def test_ten_preemptions_inside_one_step_leave_the_study_that_an_uninterrupted_one_is(model: Path) -> None:
    folder = model.parent
    slow = OBJECTIVE.replace('float(os.environ.get("PAUSE", "0"))', '0.4 if os.environ.get("PAUSE") else 0')
    model.write_text(slow)
    (folder / "s.yaml").write_text(json.dumps(study()))
    for _ in range(10):
        killed(folder, "s.yaml", "s.db", 1)
    hpo.run(folder / "s.yaml", storage=str(folder / "s.db"))
    hpo.run(folder / "s.yaml", storage=str(folder / "whole.db"))
    assert trials(str(folder / "s.db")) == trials(str(folder / "whole.db"))


def endless(*, x: float = 0.0) -> Iterator[dict[str, float]]:
    yield {"loss": x}


def test_a_store_in_memory_takes_its_folders_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store(":memory:")
    assert store.beside.is_dir()
    assert not list(tmp_path.iterdir())
    with pytest.raises(UserError):
        open_store("sqlite:///")


def test_a_folder_that_goes_under_a_trial_ends_the_search_and_not_the_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("gone.py").write_text(
        "import shutil\nfrom pathlib import Path\n"
        "def train(*, checkpoint: str, x: float = 0.0, epochs: int = 3):\n"
        "    for step in range(1, epochs + 1):\n"
        "        if step == 2 and not Path('once').exists():\n"
        "            Path('once').touch()\n"
        "            shutil.rmtree('shared')\n"
        "        Path(checkpoint, 'n').write_text(str(step))\n"
        "        yield {'step': step, 'val_loss': x / step}\n"
    )
    Path("gone.yaml").write_text(
        "objective: ./gone.py\ngoal: minimize val_loss\nsearch: {x: {float: [1, 2]}}\nbudget: {trials: 2}\n"
        "pruner: none\nconfirm: none\ncheckpoints: ./shared\n"
    )
    assert main(["run", "gone.yaml", "--quiet"]) == 4
    assert "the folder for checkpoints is gone" in capsys.readouterr().err
    assert main(["run", "gone.yaml", "--quiet"]) == 0
    assert report(open_store(None), "gone").counts["complete"] == 2
