"""Of a front that recipe is taken which is best at the last goal and gives up little enough of the first, for sure."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hpo
from hpo.search.cli import main
from hpo.search.report.tolerance import within
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms.errors import UserError
from hpo.search.terms.winner import Candidate, Winner

GOALS = ("maximize val_accuracy", "minimize kilobytes")


def study(*rows: tuple[float, float | None, float], goals: tuple[str, ...] = GOALS) -> Any:
    """A front of accuracies, half intervals and sizes; trials are numbered as they stand."""
    front = tuple(
        Candidate(trial, {}, (mean, size), ((mean, size),), (mean, size), None if half is None else (half, 0.0))
        for trial, (mean, half, size) in enumerate(rows)
    )
    winner = Winner({}, front) if front else None
    metrics = tuple(goal.split()[-1] for goal in goals)
    return SimpleNamespace(name="s", goals=goals, metrics=metrics, winner=winner)


ROW = st.tuples(st.floats(0.5, 1), st.floats(0, 0.1), st.floats(1, 100))


@given(st.lists(ROW, min_size=1, max_size=8), st.floats(0, 0.2))
def test_what_is_chosen_is_within_for_sure_and_nothing_smaller_is(
    rows: list[tuple[float, float, float]], tolerance: float
) -> None:
    chosen = within(study(*rows), tolerance).candidate
    best = max(mean for mean, _, _ in rows)
    sure = [size for mean, half, size in rows if best - mean + half <= tolerance]
    mean, half, size = rows[chosen.trial]
    assert mean == best or best - mean + half <= tolerance
    assert all(size <= other for other in sure)


def test_a_recipe_that_is_not_known_well_enough_is_named_and_not_taken() -> None:
    found = within(study((0.99, 0.002, 60.0), (0.988, 0.01, 20.0), (0.97, 0.0, 5.0)), 0.005)
    assert found.candidate.trial == 0
    assert "trial 1, kilobytes 20, may be as good, but its val_accuracy is not known well enough" in found.told
    assert within(study((0.99, 0.002, 60.0), (0.988, 0.002, 20.0)), 0.005).candidate.trial == 1


@pytest.mark.parametrize(
    ("found", "tolerance", "told"),
    [
        (study((0.9, 0.0, 1.0)), -1.0, "0 or more, got -1"),
        (study((0.9, 0.0, 1.0)), float("nan"), "0 or more, got nan"),
        (study(), 0.1, "its search has not ended"),
        (study((0.9, None, 1.0)), 0.1, "several fresh runs"),
        (study((0.9, 0.0, 1.0), goals=GOALS[:1]), 0.1, "s has one"),
    ],
)
def test_what_cannot_be_chosen_is_refused_with_what_to_do(found: Any, tolerance: float, told: str) -> None:
    with pytest.raises(UserError, match=told):
        within(found, tolerance)


def test_the_recipe_chosen_is_exported_in_the_winners_place_and_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(
        "def train(*, x: float = 0.0, seed: int = 0):\n    yield {'loss': x * x + seed % 5 * 1e-4, 'size': 1 - x}\n"
    )
    search = {"x": {"choice": [0.0, 0.1, 0.2, 0.9]}}
    result = hpo.run(
        {
            "name": "s", "objective": "./own.py", "goal": ["minimize loss", "minimize size"], "search": search,
            "sampler": "grid", "confirm": {"top": 4, "seeds": 3},
        }
    )  # fmt: skip
    assert main(["export", "s", "--within", "0.05", "--output", "near.yaml"]) == 0
    assert "size 0.8 at loss" in capsys.readouterr().err
    written = parse(Path("near.yaml").read_text()).plain()
    assert written["recipe"]["x"] == 0.2
    assert {entry["recipe"]["x"] for entry in written["front"]} == {0.0, 0.1, 0.9}
    assert main(["train", "near.yaml"]) == 0
    assert "the curve equals the recorded one exactly" in capsys.readouterr().out
    result.export("own.yaml", within=0.02)
    assert parse(Path("own.yaml").read_text()).plain()["recipe"]["x"] == 0.1
    assert main(["export", "s", "--within", "0.05", "--format", "csv"]) == 2
