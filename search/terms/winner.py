"""The verdict on a search: its finalists with their fresh runs, the best of them, and what that scores on the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hpo.search.terms.ensemble import Ensemble


@dataclass(frozen=True)
class Candidate:
    """A finalist and its fresh runs.

    Attributes:
        trial: number of the search trial it comes from.
        point: the active searched knobs.
        searched: that trial's values, one per goal.
        runs: values of the fresh runs, one tuple per seed.
        mean: mean of the fresh runs for each goal; the searched values where there are none.
        half: half the width of the 95 % interval for each goal, None without an estimate of the spread.
        pooled: of how many finalists' fresh runs the spread behind it was estimated, for each goal.
    """

    trial: int
    point: Mapping[str, Any]
    searched: tuple[float, ...]
    runs: tuple[tuple[float, ...], ...]
    mean: tuple[float, ...]
    half: tuple[float, ...] | None
    pooled: tuple[int, ...] = ()

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Candidate:
        """Read back what ``plain`` gave."""
        half = plain["half"]
        return cls(
            int(plain["trial"]),
            dict(plain["point"]),
            tuple(plain["searched"]),
            tuple(tuple(run) for run in plain["runs"]),
            tuple(plain["mean"]),
            None if half is None else tuple(half),
            tuple(plain.get("pooled", ())),
        )

    def plain(self) -> dict[str, Any]:
        """As stored and reported."""
        return {
            "trial": self.trial,
            "point": dict(self.point),
            "searched": list(self.searched),
            "runs": [list(run) for run in self.runs],
            "mean": list(self.mean),
            "half": list(self.half) if self.half else None,
            "pooled": list(self.pooled),
        }

    def halves(self) -> tuple[float | None, ...]:
        """Half the width of each goal's interval, None where it is not known."""
        return self.half or (None,) * len(self.mean)


def beaten(candidates: Sequence[Candidate], signs: Sequence[float]) -> dict[int, int]:
    """Candidates that another is no worse than at any goal, and better at one, by the means of their fresh runs.

    Fresh runs move the points of a Pareto front, so some of them no longer lie on it.

    Args:
        candidates: those of a front.
        signs: of each goal, -1 where it is maximized.

    Returns:
        Trial of each such candidate, and of the first that beats it.
    """
    costs = {c.trial: [sign * value for sign, value in zip(signs, c.mean, strict=True)] for c in candidates}
    found = {}
    for trial, cost in costs.items():
        better = (
            o for o, other in costs.items() if other != cost and all(a <= b for a, b in zip(other, cost, strict=True))
        )
        if (by := next(better, None)) is not None:
            found[trial] = by
    return found


@dataclass(frozen=True)
class Winner:
    """Who won, and over whom.

    Attributes:
        recipe: every knob value of the winner, with the seed of its first fresh run.
        candidates: best first; of several goals the Pareto front.
        test: scores on the test split, measured once; None where the objective has none.
        measured: whether that was tried, so that it is not tried again.
        picture: where it errs on the test split, small tables of plain data: ``calibration``, rows of mean prediction,
            what was true, and how many; of classes ``confusion_matrix``, counts [true, predicted], and ``labels``.
        ensemble: what came of combining the fresh runs' models; None where that was not asked for.
    """

    recipe: Mapping[str, Any]
    candidates: tuple[Candidate, ...]
    test: Mapping[str, float] | None = None
    measured: bool = False
    picture: Mapping[str, Any] = field(default_factory=dict)
    ensemble: Ensemble | None = None

    @property
    def first(self) -> Candidate:
        """The winner itself."""
        return self.candidates[0]

    @classmethod
    def read(cls, plain: Mapping[str, Any] | None) -> Winner | None:
        """Read back what ``plain`` gave; None where nothing is decided."""
        if not plain:
            return None
        candidates = tuple(Candidate.read(candidate) for candidate in plain["candidates"])
        ensemble = Ensemble.read(plain.get("ensemble"))
        picture = dict(plain.get("picture", {}))
        return cls(dict(plain["recipe"]), candidates, plain.get("test"), "test" in plain, picture, ensemble)

    def plain(self) -> dict[str, Any]:
        """As stored and reported."""
        candidates = [candidate.plain() for candidate in self.candidates]
        found: dict[str, Any] = {"recipe": dict(self.recipe), "candidates": candidates}
        if self.measured:
            found["test"] = self.test
        if self.picture:
            found["picture"] = dict(self.picture)
        if self.ensemble is not None:
            found["ensemble"] = self.ensemble.plain()
        return found
