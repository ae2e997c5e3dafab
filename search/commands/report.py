"""Write a study as one HTML file: the answer with its interval, what it cost, figures, how to repeat it.

The file needs nothing else: no network, no script. It is light or dark as the reader's system is, and can be printed.
Where the winner has been trained, into its folder here or the one that --model names, the page explains that model too.
"""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.search.commands.common import arguments as options
from hpo.search.describe.trained import manifest_of
from hpo.search.report import files, modelfolder
from hpo.search.report.out import say
from hpo.search.store.names import model_folder, safe_name
from hpo.search.terms import registry
from hpo.search.terms.errors import HpoError, UserError
from hpo.search.terms.recipe import digest
from hpo.search.terms.threads import set_environment

if TYPE_CHECKING:
    from hpo.search.report.study import StudyReport


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    options.add_study(parser, stored=True)
    options.add_store(parser)
    parser.add_argument("--output", type=Path, metavar="FILE", help="where it goes (default: STUDY.html)")
    parser.add_argument(
        "--model", type=Path, metavar="FOLDER", help="the winner as hpo train wrote it, to be explained (default: here)"
    )
    parser.add_argument("--yes", action="store_true", help="run the code that builds the model, whoever wrote it")
    parser.add_argument("--force", action="store_true", help="replace the file if it exists")


def main(arguments: argparse.Namespace) -> int:
    """Write the page."""
    from hpo.search.report import study as report
    from hpo.search.report.page.html import page

    name = options.study_name(arguments)
    output: Path = arguments.output or Path(f"{safe_name(name)}.html")
    if os.path.lexists(output) and not arguments.force:
        raise UserError(f"{output} exists; choose another with --output, or replace it with --force")
    found = report.report(options.store_of(arguments), name)
    files.probe(output)
    explanation = _explanation(found, arguments.model, trust=arguments.yes)
    files.write(output, page(found, explanation))
    say(f"wrote {output}")
    return 0


def _explanation(found: StudyReport, named: Path | None, *, trust: bool) -> Mapping[str, Any] | str:
    """What the winner's model follows from; or why that is not known, in a sentence, and how to get it."""
    if found.winner is None or found.task is None:
        return ""
    folder = named or Path(model_folder(found.name))
    builtin = found.task.get("objective") in registry.names("objective")
    word, recipe = shlex.quote(found.name), shlex.quote(f"{safe_name(found.name)}.yaml")
    again = (
        f"train the winner, and the page explains it: hpo export --study {word} --output {recipe}; hpo train {recipe}; "
        f"hpo report {word} --force"
    )
    if named is None and not folder.is_dir():
        return again if builtin else ""
    set_environment()  # before torch and sklearn are imported
    try:
        manifest = manifest_of(folder)
        if (manifest.get("study"), manifest.get("digest")) != (found.name, digest(found.winner.recipe)):
            raise UserError(f"it is not the winner of {found.name}: {again}")
        model = modelfolder.load(folder, trust=trust)
        explained, where = registry.part("models").explained(model, modelfolder.task_of(folder))
    except HpoError as error:
        if named is not None:
            raise UserError(f"--model {folder}: {error}") from None
        return f"{folder} is not explained: {error}"
    say(f"explained {folder} on {where}")
    plain: Mapping[str, Any] = explained.plain()
    return plain
