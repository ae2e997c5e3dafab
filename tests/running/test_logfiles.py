"""Files that programs log to: read as they grow, and never those of another run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpo.search.running.logfiles import LogFiles
from hpo.search.terms.errors import UserError


def test_an_event_file_is_its_writers_and_is_read_as_it_grows(tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.compat.proto.event_pb2")
    summaries = pytest.importorskip("tensorboard.compat.proto.summary_pb2")
    writers = pytest.importorskip("tensorboard.summary.writer.event_file_writer")
    mine, another = LogFiles(tmp_path), LogFiles(tmp_path)
    mine.group, another.group = os.getpid(), -1
    writer = writers.EventFileWriter(str(tmp_path))
    for step in (1, 2):
        value = summaries.Summary.Value(tag="Loss/val", simple_value=1 / step)
        writer.add_event(events.Event(step=step, summary=summaries.Summary(value=[value])))
        writer.flush()
        assert mine.news() == [{"Loss/val": 1 / step}]
        assert another.news() == []
    writer.close()


def test_a_table_that_may_be_another_runs_is_refused(tmp_path: Path) -> None:
    one, other = LogFiles(tmp_path), LogFiles(tmp_path)
    (tmp_path / "metrics.csv").write_text("epoch,val_loss\n0,0.5\n1,0.2")  # the last row is being written
    with pytest.raises(UserError, match="several trials log into"):
        one.news()
    other.close()
    (tmp_path / "metrics.csv").touch()
    alone = LogFiles(tmp_path)
    assert alone.news() == []  # it was there before
    alone.close()
    assert LogFiles(tmp_path / "new").news() == []
