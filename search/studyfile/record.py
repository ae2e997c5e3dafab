"""The ``record`` of a study file: what of training is kept beside the metrics of each point."""

from __future__ import annotations

from hpo.search.describe.objective import Objective
from hpo.search.studyfile.yaml12 import Node
from hpo.search.terms.errors import Mistake, did_you_mean
from hpo.search.terms.statistics import RECORDS


def read_record(node: Node | None, objective: Objective | None, mistakes: list[Mistake]) -> tuple[str, ...]:
    """What is recorded, one name or several."""
    if node is None or node.value is None:
        return ()
    for named in node.value if isinstance(node.value, list) else [node]:
        if named.value not in RECORDS:
            hint = did_you_mean(named.value, RECORDS) if isinstance(named.value, str) else f"write record: {RECORDS[0]}"
            mistakes.append(named.mistake(f"record names what is kept of training: {', '.join(RECORDS)}", hint))
            return ()
    if objective is not None and not objective.trained_by_suite:
        problem = f"{objective.label} trains by itself, so the suite does not see its weights and gradients"
        mistakes.append(node.mistake(problem, "yield such numbers with its points, or leave the training to the suite"))
        return ()
    return tuple(map(str, node.plain() if isinstance(node.value, list) else [node.value]))
