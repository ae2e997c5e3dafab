"""What outlook.py makes of recorded runs: few recipes, short curves, runs that diverge."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import outlook_replay

    return outlook_replay


def test_an_outlook_that_knows_the_ends_costs_nothing_where_the_loss_knows_the_opposite(replay: ModuleType) -> None:
    recipes, epochs = 16, 8
    ends = 1 + np.arange(recipes)
    loss = np.tile(ends, (epochs, 3, 1)).T.astype(float)
    loss[:, :, :-1] = 100 - loss[:, :, :-1]
    found = {"loss": loss.tolist(), "outlook": np.tile(ends, (epochs, 3, 1)).T.tolist()}
    rows = replay.scored(found, (1, 3, 9), 1 / 3)
    assert rows["outlook"][0] == rows["better of both"][0] == rows["after a tenth"][0] == 0.0
    assert rows["loss"][0] > 0.5
    assert 0 < rows["outlook"][2] < 1
    assert [row["epoch"] for row in replay.ranks(found)] == [1, 2, 3, 5]


def test_what_diverges_is_stopped_and_no_finalist(replay: ModuleType) -> None:
    judged = np.array([[1.0, 1.0], [np.inf, np.inf], [0.5, 0.5]])
    complete, epochs = replay.halved(judged, judged[:, -1], [1], 0.5, np.arange(3))
    assert (complete, epochs) == ([0, 2], 2 + 1 + 2)
