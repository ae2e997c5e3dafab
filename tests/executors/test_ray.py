"""What is special about executor ray: nodes without our disk, nodes that go and come, and those that differ."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from rays import Cluster
from stores import fresh_database

import hpo
from hpo.search.cli import main
from hpo.search.contracts.executor import Executor
from hpo.search.executors import ray
from hpo.search.executors.common import shipped
from hpo.search.report.study import report
from hpo.search.store import open_store
from hpo.search.terms.errors import Advice, UserError
from hpo.search.terms.job import Event, Finished, Job, Lost, Point, Task

pytestmark = pytest.mark.filterwarnings("ignore:.*wait for room:hpo.search.terms.errors.Advice")  # on a busy machine

OBJECTIVE = """
import json, os, pathlib, random, time
from helper import twice

def train(*, checkpoint: str, x: float = 0.0, epochs: int = 6, pause: float = 0.0, seed: int = 0):
    state = pathlib.Path(checkpoint, "state.json")
    done, total = json.loads(state.read_text()) if state.exists() else (0, 0.0)
    print("from", done)
    for epoch in range(done + 1, epochs + 1):
        time.sleep(pause)
        total += (x - 0.3) ** 2 + random.Random(seed + epoch).gauss(0, 0.05)
        state.write_text(json.dumps([epoch, total]))
        yield {"step": epoch, "loss": total / epoch + twice(1 / epoch), "pid": os.getpid(), "from": done}
"""
STUDY = {
    "name": "s", "objective": "./model.py", "goal": "minimize loss", "search": {"x": {"float": [0.0, 1.0]}}, "seed": 2,
    "budget": {"trials": 8}, "confirm": "none", "fixed": {"epochs": 6},
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study's folder: a file, and another one that it imports."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "model.py").write_text(OBJECTIVE)
    (home / "helper.py").write_text("def twice(x): return 2 * x\n")
    monkeypatch.chdir(home)
    return home


@pytest.fixture
def task(home: Path) -> Task:
    return Task(str(home / "model.py"), folder=str(home))


@pytest.fixture
def worker(task: Task) -> Iterator[Executor]:
    with closing(ray.make(task, workers=1)) as made:
        yield made


def job(home: Path, done: int = 0, **recipe: Any) -> Job:
    return Job(1, {"seed": 1, **recipe}, done, str(home.parent / "kept"), str(home.parent / "logs" / "1.log"))


def next_of(executor: Executor) -> Event:
    while not (events := executor.advance()):
        pass  # lanes have come
    return events[0]


def rest(executor: Executor) -> list[Point]:
    """Points to the trial's end."""
    points = []
    while isinstance(event := next_of(executor), Point):
        points.append(event)
    assert event == Finished(1)
    return points


def test_without_ray_one_message_says_what_to_install(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install 'hpo-suite\[ray\]'"):
        ray.make(task)


def test_a_folder_is_sent_without_what_no_node_needs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (".git/config", "__pycache__/model.pyc", "data/rows.csv", "data/rows.db", ".hpo/hpo.db/logs/1.log"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(name)
    optuna.create_study(storage=f"sqlite:///{home / 'hpo.db'}")
    (home / "hpo.db-wal").touch()
    (home / "link").symlink_to("data/rows.csv")
    shipped.unpack(shipped.pack(str(home)), str(home.parent / "there"))
    found = sorted(str(path.relative_to(home.parent / "there")) for path in (home.parent / "there").rglob("*"))
    assert found == ["data", "data/rows.csv", "data/rows.db", "helper.py", "link", "model.py"]
    monkeypatch.setattr(shipped, "LARGEST", 0)
    with pytest.raises(UserError, match=r"larger than 0 MiB .*largest file so far: ./.*ship: no"):
        shipped.pack(str(home))


def test_paths_in_the_folder_are_those_of_the_node_and_others_stay(task: Task) -> None:
    inside = Task(task.objective, {"csv": {"path": f"{task.folder}/a.csv", "other": "/b.csv"}}, folder=task.folder)
    moved = shipped.moved(inside, task.folder, "/there")
    assert moved == Task("/there/model.py", {"csv": {"path": "/there/a.csv", "other": "/b.csv"}}, folder="/there")
    assert shipped.home_of(inside) == task.folder
    assert shipped.home_of(Task("mlp", "iris", folder=task.folder)) is None
    assert shipped.home_of(Task("mlp", inside.data, folder=task.folder)) == task.folder
    started = Task("mlp", "iris", folder=task.folder, start_from=f"{task.folder}/weights.safetensors")
    assert shipped.home_of(started) == task.folder
    assert shipped.moved(started, task.folder, "/there").start_from == "/there/weights.safetensors"


@pytest.mark.ray
@pytest.mark.parametrize(
    ("address", "told"), [("127.0.0.1:9", "no Ray cluster answers at 127.0.0.1:9"), ("ray://h:10001", "h:6379")]
)
def test_a_cluster_that_cannot_be_reached_is_one_message(task: Task, address: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        ray.make(task, address=address)


@pytest.mark.ray
def test_one_worker_gives_the_study_of_inline_and_the_command_tells_where_each_trial_ran(home: Path) -> None:
    (home / "s.yaml").write_text(json.dumps(STUDY))
    command = [sys.executable, "-m", "hpo"]
    for name, words in (("inline", []), ("ray", ["--executor", "ray", "--workers", "1"])):
        storage = ["--storage", f"{name}.db"]
        done = subprocess.run(
            [*command, "run", "--study", "s.yaml", "--quiet", *storage, *words], capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")
    found = {name: report(open_store(f"{name}.db"), "s").trials for name in ("inline", "ray")}
    same = [[(t.point, t.state, t.curve, t.reason) for t in trials] for trials in found.values()]
    assert same[0] == same[1]
    assert {trial.nodes for trial in found["inline"]} == {()}
    assert {trial.nodes for trial in found["ray"]} in ({("one",)}, {("two",)})
    told = subprocess.run([*command, "show", "s", "3", *storage], capture_output=True, text=True, check=True).stdout
    assert f"trained on {found['ray'][3].nodes[0]}" in told
    assert "from 0" in told


@pytest.mark.ray
@pytest.mark.postgres
def test_a_study_begun_here_and_copied_to_a_server_goes_on_over_a_cluster_as_it_would_have_here(
    home: Path, cluster: str
) -> None:
    (home / "s.yaml").write_text(json.dumps(STUDY))
    run, server = ["run", "--study", "s.yaml", "--quiet"], fresh_database(cluster)
    assert main([*run, "--storage", "whole.db"]) == 0
    assert main([*run, "--storage", "begun.db", "--trials", "3"]) == 0
    assert main(["copy", "s", "--storage", "begun.db", "--to", server]) == 0
    assert main([*run, "--storage", server, "--executor", "ray", "--workers", "1"]) == 0
    whole, moved = (
        [(t.point, t.state, t.curve, t.reason) for t in report(open_store(place), "s").trials]
        for place in ("whole.db", server)
    )
    assert moved == whole
    assert [len(trial.nodes) for trial in report(open_store(server), "s").trials] == [0] * 3 + [1] * 5


@pytest.mark.ray
def test_a_cohort_on_two_workers_is_one_of_as_many_lanes(home: Path) -> None:
    search = {"learning_rate": {"float": [1e-3, 1e-1], "log": True}}
    fixed = {"epochs": 4, "width": 8}
    study = {**STUDY, "objective": "mlp", "data": "iris", "goal": "minimize val_loss", "search": search, "fixed": fixed}
    found = []
    for executor in ({"cohort": {"lanes": 4}}, {"ray": {"lanes": 2, "workers": 2}}):
        trials = hpo.run({**study, "executor": executor, "storage": ":memory:"}).report.trials
        found.append([(t.point, t.state, t.curve, t.values) for t in trials])
    assert found[0] == found[1]


@pytest.mark.ray
def test_a_function_of_a_script_trains_on_a_cluster_with_all_that_it_uses(home: Path) -> None:
    (home / "script.py").write_text("""
import hpo
from helper import twice

def made(factor):
    def train(*, x: float = 0.0, epochs: int = 2, seed: int = 0):
        print("with", factor)
        for epoch in range(epochs):
            yield twice(factor * (x - 0.3) ** 2) + 1 / (epoch + 1)
    return train

if __name__ == "__main__":
    search = {"x": {"float": [0.0, 1.0]}}
    found = [
        hpo.run(
            made(3.0), goal="minimize value", search=search, trials=4, confirm="none", executor=executor, workers=1,
            storage=executor + ".db",
        )
        for executor in ("inline", "ray")
    ]
    curves = [[(trial.point, trial.curve) for trial in one.report.trials] for one in found]
    assert curves[0] == curves[1]
    print([trial.nodes for trial in found[1].report.trials], found[1].trial(0).log)
""")
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("('one',)") + done.stdout.count("('two',)") == 4
    assert done.stdout.rstrip().endswith("with 3.0")


@pytest.mark.ray
def test_a_killed_actor_loses_its_trial_which_goes_on_from_its_checkpoint(home: Path, worker: Executor) -> None:
    worker.admit(job(home, pause=0.1))
    points = [next_of(worker) for _ in range(3)]
    last = points[-1]
    assert isinstance(last, Point)
    kept = max(int(path.name) for path in (home.parent / "kept").iterdir())  # fewer where saving takes long
    os.kill(int(last.metrics["pid"]), signal.SIGKILL)
    lost = next_of(worker)
    assert isinstance(lost, Lost)
    assert lost.fault
    assert lost.reason.endswith("ended without an exit code that Ray saw (killed, out of memory, crashed, or os._exit)")
    worker.admit(job(home, done=3))
    later = rest(worker)
    assert [point.step for point in later] == [4, 5, 6]
    assert later[0].metrics["from"] == kept >= 1
    assert (home.parent / "logs" / "1.log").read_text().splitlines()[0] == "from 0"


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore:1 of 2 workers wait for room")
def test_lanes_come_and_go_with_nodes_and_a_lost_node_is_no_fault_of_its_trial(
    home: Path, task: Task, nodes: Cluster
) -> None:
    (home.parent / "old" / "numpy-0.1.dist-info").mkdir(parents=True)
    (home.parent / "old" / "numpy-0.1.dist-info" / "METADATA").write_text("Name: numpy\nVersion: 0.1\n")
    nodes.start("other", spot=1, packages=home.parent / "old")  # refused, whichever answers first
    nodes.start("three", spot=1)
    with contextlib.ExitStack() as stack:
        stack.callback(nodes.kill, "other")
        with pytest.warns(Advice, match="node other differs from this machine: numpy is 0.1 there .* nothing is"):
            executor = ray.make(task, workers=2, resources={"spot": 1})
        with closing(executor):
            assert executor.lanes == 1
            executor.admit(job(home, pause=0.5, epochs=100))
            step = 0
            nodes.start("four", spot=1)
            stack.callback(nodes.kill, "four")
            while executor.lanes == 1:
                step += sum(isinstance(event, Point) for event in executor.advance())
            assert [(node.name, node.lanes, node.trials) for node in executor.nodes()] == [
                ("four", 1, ()),
                ("three", 1, (1,)),
            ]
            nodes.kill("three")
            while isinstance(event := next_of(executor), Point):
                step = event.step
            assert event == Lost(1, "its node three is gone", fault=False)
            assert executor.lanes == 1
            executor.admit(job(home, done=step, epochs=step + 3))
            assert executor.node_of(1) == "four"
            later = rest(executor)
            assert [point.step for point in later] == [step + 1, step + 2, step + 3]
            assert step - 2 <= later[0].metrics["from"] <= step


@pytest.mark.ray
def test_a_node_with_other_versions_is_refused_by_its_name(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    here = {**shipped.fingerprint(task, shipped=True), "numpy": "0.1"}
    monkeypatch.setattr(shipped, "fingerprint", lambda task, shipped: here)
    with pytest.raises(UserError, match=r"node \w+ differs from this machine: numpy is .* there and 0.1 here"):
        ray.make(task, workers=1)


@pytest.mark.ray
def test_data_that_a_node_lacks_are_named(task: Task) -> None:
    lacking = Task(task.objective, {"csv": {"path": "/nowhere/rows.csv"}}, folder=task.folder)
    with pytest.raises(UserError, match=r"node (one|two|three|four) has no /nowhere/rows.csv"):
        ray.make(lacking, workers=1)
