"""``device``, ``devices`` and ``processes_per_trial``: what they mean, and every mistake in them with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpo.search.studyfile.reader import read
from hpo.search.terms.devices import Devices
from hpo.search.terms.errors import StudyFileError, UserError

HEAD = "objective: {objective}\ngoal: minimize val_loss\nsearch: {{learning_rate: {{float: [0.1, 1]}}}}\n"
OWN = "def train(*, learning_rate: float = 0.1, epochs: int = 2):\n    yield {'val_loss': learning_rate}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path


@pytest.mark.parametrize(
    ("written", "devices", "device"),
    [
        ("", None, "cpu"),
        ("devices: auto\n", Devices(), "cuda"),
        ("devices: [0, GPU-5ee3-1, MIG-GPU-1/2/0]\n", Devices(("0", "GPU-5ee3-1", "MIG-GPU-1/2/0")), "cuda"),
        ("devices: {gpus: 0.5}\ndevice: auto\n", Devices(gpus=0.5), "auto"),
        ("devices: {cards: [2, 1], gpus: 2}\n", Devices(("2", "1"), 2.0), "cuda"),
        ("devices: null\n", None, "cpu"),
    ],
)
def test_devices_are_which_and_how_many(written: str, devices: Devices | None, device: str, folder: Path) -> None:
    (folder / "study.yaml").write_text(HEAD.format(objective="./own.py") + written)
    study = read("study.yaml")
    assert (study.devices, study.device) == (devices, device)


@pytest.mark.parametrize(
    ("objective", "written", "mistake"),
    [
        ("./own.py", "devices: 2\n", "4:10: devices is auto or a list of GPUs, got 2"),
        ("./own.py", "devices: []\n", "4:10: devices is auto or a list of GPUs, got a list"),
        ("./own.py", "devices: [cuda:0]\n", "4:11: a GPU is a number, GPU-... or MIG-..., got 'cuda:0'"),
        ("./own.py", "devices: [0, 0]\n", "4:14: GPU 0 is named twice"),
        (
            "./own.py",
            "devices: {gpus: 1.5}\n",
            "4:17: gpus is a whole number of GPUs for each worker",
        ),
        ("./own.py", "devices: {gpu: 1}\n", "4:11: unknown key 'gpu'"),
        ("./own.py", "devices: auto\ndevice: cpu\n", "5:9: devices gives every worker GPUs of its own"),
        (
            "./own.py",
            "processes_per_trial: 0\n",
            "4:22: processes_per_trial must be a whole number from 1 to 64, got 0",
        ),
        ("./own.py", "processes_per_trial: 2\nexecutor: inline\n", "4:22: the executor inline trains in one process"),
        ("./own.py", "processes_per_trial: 2\ndevices: {gpus: 1}\n", "4:22: 2 processes of a trial need a GPU each"),
        ("sklearn", "processes_per_trial: 2\n", "trains a model in one process"),
        ("{{command: echo 1}}", "processes_per_trial: 2\n", "4:22: a command starts its processes itself"),
    ],
)
def test_mistakes_in_them_are_told_with_their_place(objective: str, written: str, mistake: str, folder: Path) -> None:
    (folder / "study.yaml").write_text(HEAD.replace("{objective}", objective).format() + written)
    with pytest.raises(StudyFileError) as error:
        read("study.yaml")
    assert mistake in str(error.value)


def test_a_function_that_cannot_leave_this_process_is_trained_by_one() -> None:
    import threading

    from hpo import run

    lock = threading.Lock()

    def train(*, x: float = 0.0) -> float:
        return x if lock else 0.0

    search = {"x": {"float": [0, 1]}}
    with pytest.raises(UserError, match="cannot train in other processes, for it uses lock"):
        run(train, goal="minimize value", search=search, processes_per_trial=2, storage=":memory:")
