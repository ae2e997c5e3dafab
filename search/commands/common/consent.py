"""Asking before code runs that an exported recipe or a stored study names and the user has not run from here."""

from __future__ import annotations

import sys

from hpo.search.describe.objective import Objective
from hpo.search.report.out import ask, say
from hpo.search.running.consent import code_of, may_run
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Task


def allow(task: Task, objective: Objective, sealed: object, source: str, *, yes: bool) -> None:
    """Go on where the code is the suite's, bears the user's seal, or the user agrees to run it.

    Args:
        task: what is to be trained.
        objective: its objective.
        sealed: the seal that was found.
        source: what names the code, such as ``best.yaml``.
        yes: the user agrees already.

    Raises:
        UserError: the user does not agree, or there is nobody to ask.
    """
    if yes or may_run(task, objective, sealed):
        return
    problem = f"{source} does not come from you and this folder, and would run {code_of(task, objective)}"
    if sys.stdin is None or not sys.stdin.isatty():
        raise UserError(f"{problem}; if you trust it, add --yes")
    say(problem, file=sys.stderr)
    if not ask("run it?"):
        raise UserError("nothing was run")
