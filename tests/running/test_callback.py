"""hpo.from_callback: a loop that calls back, as an iterator."""

import threading

import pytest

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
