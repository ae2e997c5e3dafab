"""Training scripts run as they are: their options are read, their metrics found in what they print or log."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import pytest

import hpo
from hpo.search import studyfile
from hpo.search.cli import main
from hpo.search.describe.objective import describe
from hpo.search.describe.program import Program
from hpo.search.describe.source import Source
from hpo.search.describe.told_metrics import metrics_of
from hpo.search.running.training import Trainer
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Failed, Finished, Job, Point, Task
from hpo.search.terms.knobs import REQUIRED

SCRIPTS = Path(__file__).parent / "training_scripts"
NEEDS = {"clicked": "click", "mlflow_train": "click", "typered": "typer", "nested": "tyro"}
"""Libraries that a script needs to run."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(SCRIPTS, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def curve(folder: Path, script: str, metric: str, recipe: dict[str, Any] | None = None, **settings: Any) -> list[float]:
    """The curve of one run; the reason where it fails."""
    program = Program(f"{script}.py", script=True, **settings)
    trainer = Trainer(Task(program.reference, folder=str(folder), metrics=(metric,)))
    job = Job(0, recipe or {})
    run, found = trainer.start(job), list[float]()
    while isinstance(event := trainer.advance(run, job), Point):
        assert event.step == len(found) + 1
        found.append(event.metrics[metric])
    assert isinstance(event, Finished), event
    return found


@pytest.mark.parametrize(
    ("script", "knobs", "metrics"),
    [
        (
            "mnist",
            {"batch_size": 64, "epochs": 3, "lr": 1.0, "gamma": 0.7, "no_cuda": False, "seed": 1, "log_interval": 100},
            ["Loss", "Average loss", "Accuracy"],
        ),
        (
            "logged",
            {"learning_rate": 3e-4, "sizes": "64 64", "schedule": "none", "augment": False, "amp": True},
            ["train loss", "valid loss", "lr"],
        ),
        ("progress", {"dropout": 0.1, "epochs": 4}, []),
        ("clicked", {"alpha": 0.5, "kernel": "rbf", "shuffle": True, "depth": 2}, ["score"]),
        ("typered", {"epochs": 2, "learning_rate": 1e-3, "nesterov": False}, ["val_loss"]),
        (
            "transformer",
            {"model_name": "distilbert", "dropout": 0.1, "freeze": False},
            ["eval_loss", "eval_accuracy"],
        ),
        ("nested", {"optimizer.learning_rate": 0.01, "optimizer.nesterov": False, "width": 32}, ["val_loss"]),
        ("jsonlines", {"c": 1.0}, []),
        ("wandb_train", {"lr": 0.01, "width": 32}, ["train/loss", "val/loss", "picture"]),
        ("wandb_config", {"lr": 0.1, "epochs": 2, "optim.momentum": 0.9, "optim.name": "sgd"}, ["val_loss"]),
        ("mlflow_train", {"depth": 3}, ["rmse", "r2"]),
    ],
)
def test_options_and_metrics_are_read_from_the_text(script: str, knobs: dict[str, Any], metrics: list[str]) -> None:
    objective = describe(f"script:{SCRIPTS / script}.py", Path())
    found = {name: knob.default for name, knob in objective.signature.knobs.items()}
    assert found.items() >= knobs.items()
    away = script == "transformer" and importlib.util.find_spec("transformers") is None
    assert objective.signature.open == away  # TrainingArguments lie in that library
    told = metrics_of(Source(SCRIPTS / f"{script}.py"))
    assert [name for name in told if name in metrics] == metrics


def test_choices_limits_and_requirements_are_read() -> None:
    logged = describe(f"script:{SCRIPTS / 'logged.py'}", Path()).signature.knobs
    assert logged["schedule"].options == ("cosine", "step", "none")
    assert logged["augment"].kinds == {"bool"}
    clicked = describe(f"script:{SCRIPTS / 'clicked.py'}", Path()).signature.knobs
    assert clicked["kernel"].options == ("rbf", "linear")
    assert 1.5 not in (clicked["alpha"].limits or ())
    typered = describe(f"script:{SCRIPTS / 'typered.py'}", Path()).signature.knobs
    assert typered["optimizer"].options == ("sgd", "adam")
    assert typered["epochs"].default is not REQUIRED


@pytest.mark.parametrize(
    ("script", "metric", "recipe", "expected"),
    [
        ("mnist", "Accuracy", {"lr": 0.2, "epochs": 2, "no_cuda": True, "seed": 4}, [0.8, 0.85]),
        ("mnist", "average_loss", {"lr": 0.1}, [1.0, 0.5, 0.3333]),
        (
            "logged", "val_loss",
            {"sizes": "8 8 8", "schedule": "step", "augment": True, "amp": False, "learning_rate": 1e-5},
            [2.4, 1.9, 1.733],
        ),
        ("progress", "val_acc", {"dropout": 0.2}, [0.5, 0.5, 0.7, 0.7]),
        ("clicked", "score", {"alpha": 1.0, "kernel": "linear", "shuffle": False, "depth": 4}, [1.25]),
        ("nested", "val_loss", {"optimizer.learning_rate": 0.1, "optimizer.nesterov": True}, [1.5, 1.0]),
        ("wandb_config", "val_loss", {"lr": 0.5, "optim.momentum": 0.25}, [0.75, 0.625]),
        ("typered", "val_loss", {"optimizer": "adam", "nesterov": True, "learning_rate": 0.5}, [4.5, 4.0]),
        ("jsonlines", "metrics/auc", {}, [0.8, 0.81, pytest.approx(0.82)]),
        ("wandb_train", "val/loss", {"lr": 0.5}, [1.5, 1.0, pytest.approx(0.8333, abs=1e-4)]),
        ("wandb_train", "val.acc", {"lr": 0.5}, [0.5, 0.5, 0.5]),
        ("mlflow_train", "rmse", {"depth": 5}, [5.0, 4.0]),
    ],
)  # fmt: skip
def test_a_run_is_the_curve_that_it_tells(
    home: Path, script: str, metric: str, recipe: dict[str, Any], expected: list[float]
) -> None:
    if script in NEEDS and importlib.util.find_spec(NEEDS[script]) is None:
        pytest.skip(f"{NEEDS[script]} is not installed")
    assert curve(home, script, metric, recipe) == expected


def test_patterns_name_what_has_no_name(home: Path) -> None:
    assert curve(home, "mnist", "loss", {"epochs": 1}, metrics={"loss": r"Average (?:\w+): (\S+),"}) == [1.9]


def test_a_table_of_metrics_is_read_as_it_grows_and_older_ones_are_not(home: Path) -> None:
    for rate in (0.5, 0.25):
        found = curve(home, "lightning_table", "val_loss", {"lr": rate}, logs="lightning_logs")
        assert found == pytest.approx([rate + 1.0, rate + 0.5, rate + 1 / 3])


def test_a_script_is_a_study_by_itself(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = hpo.run("mnist.py", trials=3, confirm="none", storage="hpo.db", goal="minimize average_loss")
    assert len(found.trials) == 3
    assert set(found.recipe) >= {"lr", "batch_size"}
    study = studyfile.read("logged.py")
    assert str(study.goals[0]) == "minimize valid_loss"
    assert any("taken from the text of logged.py" in note for note in study.notes)
    assert main(["check", "mnist.py", "--first-run", "--set", "lr=0.1", "--goal", "minimize Average_loss"]) == 0
    assert "point 2  " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise ValueError('no such file')", "mine.py ended with exit code 1\n"),
        ("print('loss is fine')", "mine.py printed no val_loss\n  loss is fine"),
        ("print('train_loss: 0.5')", "mine.py printed no val_loss; it told train_loss: did you mean 'train_loss'?"),
        ("", "mine.py printed nothing"),
    ],
)
def test_a_script_that_tells_no_point_says_what_it_printed(tmp_path: Path, body: str, said: str) -> None:
    text = f"import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', type=float, default=1)\n{body}\n"
    (tmp_path / "mine.py").write_text(text)
    trainer, job = Trainer(Task("script:mine.py", folder=str(tmp_path), metrics=("val_loss",))), Job(0, {"lr": 0.1})
    event = trainer.advance(trainer.start(job), job)
    assert isinstance(event, Failed)
    assert said in event.reason


def test_a_file_without_options_is_told_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("print(1)\n")
    with pytest.raises(
        UserError, match=r"mine.py declares no options that its text tells .*write \{command: python mine"
    ):
        describe("script:mine.py", tmp_path)


def test_a_script_that_is_stopped_may_leave_in_order(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import argparse, signal, sys, time\np = argparse.ArgumentParser()\np.add_argument('--lr', default=1.0)\n"
        "p.parse_args()\n"
        "def leave(*_):\n    open('left', 'w').close()\n    sys.exit()\n"
        "signal.signal(signal.SIGTERM, leave)\nprint('loss=1.0')\nprint('loss=1.0')\ntime.sleep(100)\n"
    )
    trainer, job = Trainer(Task("script:mine.py", folder=str(tmp_path), metrics=("loss",))), Job(0, {})
    run = trainer.start(job)
    next(run)
    run.close()
    assert (tmp_path / "left").exists()


def test_values_that_nothing_can_change_are_told_with_what_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "import wandb\nconfig = {'lr': 0.1}\nwandb.init(config=config)\nwandb.log({'val_loss': config['lr']})\n"
    Path("own.py").write_text(text)
    for words in (["run", "own.py"], ["check", "own.py"], ["new", "own.py"], ["new", "--from", "own.py"]):
        assert main(words) == 2
        assert "such as config = wandb.config, then: hpo run own.py" in capsys.readouterr().err
    Path("own.py").write_text(text.replace("config=config)", "config=config)\nconfig = wandb.config"))
    assert main(["check", "own.py"]) == 0
    assert main(["new", "--from", "own.py"]) == 0
