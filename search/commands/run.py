"""Run a study, or go on where it stopped; several are run one after the other.

Every limit of the budget is a total: the same command run again goes on if something is left, and finishes at once
if nothing is. Ctrl-C once stops after the round is recorded, twice stops now; SIGTERM and SIGHUP stop as Ctrl-C does.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from hpo.search import studyfile
from hpo.search.commands.common import arguments as options
from hpo.search.report.out import say
from hpo.search.report.plain import to_json
from hpo.search.running import log
from hpo.search.terms.errors import HpoError, Interrupted, UserError
from hpo.search.terms.threads import set_environment

if TYPE_CHECKING:
    from hpo.search.engine.context import Progress
    from hpo.search.store import Store
    from hpo.search.terms.study import Study


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    options.add_studies(parser)
    options.add_overrides(parser)
    options.add_grace(parser)
    parser.add_argument(
        "--wait",
        action="store_true",
        help="where another process runs the study, or the server is away, stand by and go on when that ends",
    )
    parser.add_argument("--fresh", action="store_true", help="delete an earlier study of this name first")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of text")
    parser.add_argument("--quiet", action="store_true", help="print the result only")


def main(arguments: argparse.Namespace) -> int:
    """Run, then say who won and what to do next."""
    if arguments.wait and arguments.fresh:
        raise UserError("--wait goes on with what another process did, and --fresh deletes it; take one of them")
    names = options.study_names(arguments)
    if len(names) > 1 and arguments.name is not None:
        raise UserError("--name names one study, and several are given")
    studies = [studyfile.read(name, options.overrides(arguments)) for name in names]  # mistakes come before any run
    set_environment()  # before torch and sklearn are imported
    if len(studies) == 1:
        _one(studies[0], arguments)
        return 0
    return max(_next(study, arguments) for study in studies)


def _next(study: Study, arguments: argparse.Namespace) -> int:
    """Run one of several: what ends it is told, and the next one's turn comes; the exit code."""
    try:
        _one(study, arguments)
    except Interrupted:
        raise
    except HpoError as error:
        say(f"hpo: {study.name}: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    return 0


def _one(study: Study, arguments: argparse.Namespace) -> None:
    from hpo.search.report import show
    from hpo.search.report import study as report

    store = _run(study, arguments)
    found = report.report(store, study.name)
    if arguments.json:
        say(to_json({"event": "result", **show.result(found)}), flush=True)
    else:
        show.print_result(found, store.display if arguments.storage or study.storage else None)


@contextmanager
def _only_ours() -> Iterator[TextIO]:
    """Standard output for our lines alone: what the objective prints, from C too, goes to standard error."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(kept, "w", encoding="utf-8", closefd=False) as out:
            yield out
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _run(study: Study, arguments: argparse.Namespace) -> Store:
    from hpo.search.engine import run as engine
    from hpo.search.views import terminal

    def run(progress: Progress | None) -> Store:
        return engine.run(study, fresh=arguments.fresh, progress=progress, grace=arguments.grace, wait=arguments.wait)

    if arguments.json:
        with _only_ours() as out:
            return run(terminal.Json(out))
    if arguments.quiet:
        return run(None)
    if sys.stdout.isatty() and not log.debugging():
        with terminal.Screen() as screen:
            return run(screen)
    return run(terminal.Lines())
