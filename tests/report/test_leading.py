"""What leads the tables of a study is what won, not what the search saw lowest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import hpo
from hpo.search.cli import main


def slide(*, x: float = 0.0, epochs: int = 9, seed: int = 0) -> Iterator[dict[str, float]]:
    """The lowest is reached where curves are stopped for their place."""
    for epoch in range(epochs):
        yield {"loss": abs(x - 2) + 1 / (1 + epoch) + 0.3 * ((seed * 7919) % 13) / 13}


def test_finalists_stand_first_though_they_were_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = hpo.run(
        slide, search={"x": {"float": [0, 4]}}, goal="minimize loss", trials=24, name="slide", storage="s.db",
        confirm={"top": 3, "seeds": 2},
    )  # fmt: skip
    assert result.report.winner is not None
    finalists = [candidate.trial for candidate in result.report.winner.candidates]
    leading = [trial.number for trial in result.report.leading()]
    assert leading[: len(finalists)] == finalists
    assert sorted(leading) == sorted({*finalists, *(trial.number for trial in result.report.ranked())})
    capsys.readouterr()
    assert main(["status", "--storage", "s.db"]) == 0
    assert f"(trial {finalists[0]})" in capsys.readouterr().out.splitlines()[0]
