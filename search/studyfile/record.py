"""The ``record`` of a study file: what of training is kept beside the metrics of each point."""

from __future__ import annotations

from hpo.search.describe.objective import Objective
from hpo.search.studyfile.yaml12 import Node
from hpo.search.terms.errors import Mistake, did_you_mean
from hpo.search.terms.statistics import RECORDS


def read_record(node: Node | None, objective: Objective | None, mistakes: list[Mistake]) -> str:
    """What is recorded; empty where nothing is."""
    if node is None or node.value is None:
        return ""
    if node.value not in RECORDS:
        hint = did_you_mean(node.value, RECORDS) if isinstance(node.value, str) else f"write record: {RECORDS[0]}"
        mistakes.append(node.mistake(f"record names what is kept of training: {', '.join(RECORDS)}", hint))
        return ""
    if objective is not None and not objective.trained_by_suite:
        problem = f"{objective.label} trains by itself, so the suite does not see its weights and gradients"
        mistakes.append(node.mistake(problem, "yield such numbers with its points, or leave the training to the suite"))
        return ""
    return str(node.value)
