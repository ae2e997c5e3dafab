"""Models combined into one: mean, vote, greedy selection, weights, stacking; and which of them is worth it."""

from __future__ import annotations

from hpo.objectives.ensembles.choice import Choice, choose, measured
from hpo.objectives.ensembles.combinations import Combination
from hpo.objectives.ensembles.combined import Combined

__all__ = ["Choice", "Combination", "Combined", "choose", "measured"]
