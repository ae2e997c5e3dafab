"""hpo.from_callback: a loop that calls back, as an iterator."""

import threading
from pathlib import Path

import pytest

import hpo
from hpo import from_callback


def test_points_come_one_by_one_and_the_loop_waits_in_between():
    trained = []

    def fit(report):
        for epoch in range(3):
            trained.append(epoch)
            report({"loss": epoch})
        return "model"

    points = from_callback(fit)
    assert trained == []
    assert next(points) == {"loss": 0}
    assert trained == [0]
    assert next(points) == {"loss": 1}
    assert trained == [0, 1]
    assert next(points) == {"loss": 2}
    with pytest.raises(StopIteration) as end:
        next(points)
    assert end.value.value == "model"


def test_closing_unwinds_the_loop_and_ends_its_thread():
    cleaned = []

    def fit(report):
        try:
            while True:
                report({"loss": 1.0})
        finally:
            cleaned.append(True)

    points = from_callback(fit)
    next(points)
    points.close()
    assert cleaned == [True]
    assert not [thread for thread in threading.enumerate() if thread.name == "hpo-callback"]


def test_what_the_loop_raises_reaches_the_iterator():
    def fit(report):
        report({"loss": 1.0})
        raise ValueError("bad batch")

    points = from_callback(fit)
    next(points)
    with pytest.raises(ValueError, match="bad batch"):
        next(points)


def test_a_loop_that_returns_nothing_is_not_trained_again_to_be_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop.py").write_text(
        "from pathlib import Path\nimport hpo\n"
        "def train(*, x: float = 0.0, seed: int = 0):\n"
        "    def fit(report):\n"
        "        with Path('runs').open('a') as file:\n"
        "            file.write('run ')\n"
        "        report({'loss': x})\n"
        "        report({'loss': x / 2})\n"
        "    return hpo.from_callback(fit)\n"
    )
    for workers in (1, 2):
        hpo.run(
            {"name": f"s{workers}", "objective": "./loop.py", "goal": "minimize loss", "pruner": "none"},
            search={"x": {"float": [0, 1]}}, trials=3, workers=workers, confirm={"top": 1, "seeds": 2}, storage="a.db",
        )  # fmt: skip
        assert Path("runs").read_text().split() == ["run"] * 5 * workers


def test_what_a_loop_reports_while_it_is_stopped_is_heard_by_nobody() -> None:
    said = []

    def fit(report):
        for step in range(5):
            try:
                report({"loss": step})
            finally:
                said.append(step)
                report({"loss": -step})

    points = hpo.from_callback(fit)
    assert next(points) == {"loss": 0}
    points.close()
    assert said == [0]
