"""Budgets: what a search may spend, and what of it is spent.

Pure: no optuna, no I/O. Every limit is a total over all runs of the study, so the same command run again finishes
at once.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Spent:
    """What a study has used so far.

    Attributes:
        trials: trials started that count (a retry of a failed one does not).
        steps: points recorded in all.
        seconds: wall time of all runs so far.
        best: best value of a complete trial; None while there is none.
    """

    trials: int = 0
    steps: int = 0
    seconds: float = 0.0
    best: float | None = None


@dataclass(frozen=True)
class Budget:
    """Totals a search may use; None is no limit.

    Attributes:
        trials: trials in all.
        steps: points (epochs) in all trials together.
        minutes: wall time.
        target: stop when a complete trial's value is at least this good.
    """

    trials: int | None = None
    steps: int | None = None
    minutes: float | None = None
    target: float | None = None

    def may_go_on(self, spent: Spent) -> bool:
        """Whether trials may take another step; running out of ``trials`` stops none of them."""
        return self.steps_left(spent) != 0 and (self.minutes is None or spent.seconds < self.minutes * 60)

    def trials_left(self, spent: Spent) -> int | None:
        """How many trials the limit of ``trials`` lets start, None for any number.

        >>> Budget(trials=2).trials_left(Spent(trials=1)), Budget(steps=9).trials_left(Spent(trials=1))
        (1, None)
        """
        return None if self.trials is None else max(0, self.trials - spent.trials)

    def steps_left(self, spent: Spent) -> int | None:
        """How many points may still be recorded, None for any number."""
        return None if self.steps is None else max(0, self.steps - spent.steps)

    def reached(self, spent: Spent, *, maximize: bool) -> bool:
        """Whether the target value has been reached."""
        if self.target is None or spent.best is None:
            return False
        return spent.best >= self.target if maximize else spent.best <= self.target

    def fraction(self, spent: Spent) -> float:
        """Largest used share of any limit, in [0, 1]; 0 when there is no limit.

        >>> Budget(trials=10, steps=100).fraction(Spent(trials=2, steps=50))
        0.5
        """
        shares = [
            used / limit
            for used, limit in (
                (spent.trials, self.trials),
                (spent.steps, self.steps),
                (spent.seconds, None if self.minutes is None else self.minutes * 60),
            )
            if limit
        ]
        return min(1.0, max(shares, default=0.0))
