"""Write a study file from what you have: a script, an objective, another tool's configuration, or nothing at all.

    hpo new                     a template that runs as it stands
    hpo new train.py            options of a script's command line, and the metrics that it prints
    hpo new mlp                 an objective by name; or a file with train
    hpo new my.csv --target y   a table, and the column to predict
    hpo new --from sweep.yaml   a W&B sweep, Hydra's Optuna sweeper, a Katib experiment, a space of Ray Tune

Nothing of yours is run, and no file is replaced without --force. What could not be taken over is named.
"""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hpo.search.contracts.draft import Draft, Given
from hpo.search.drafts.common.written import text_of
from hpo.search.report import files
from hpo.search.report.out import say
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms import registry
from hpo.search.terms.errors import UserError

_WORDS = (".py", ".csv", ".parquet", ".pq")
"""Endings of what is named without --from."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "word", nargs="?", default="", metavar="WHAT", help="a script, a file with train, an objective, a table"
    )
    parser.add_argument("--from", dest="source", type=Path, metavar="FILE", help="another tool's configuration")
    parser.add_argument("--data", type=Path, metavar="FILE", help="a table")
    parser.add_argument("--target", metavar="COLUMN", help="the column of the table that is predicted")
    parser.add_argument("--goal", metavar="GOAL", help="what is better, such as 'minimize val_loss'")
    parser.add_argument("--output", type=Path, metavar="FILE", help="the study file (default: its name follows)")
    parser.add_argument("--force", action="store_true", help="replace the file if it exists")


def main(arguments: argparse.Namespace) -> int:
    """Write the file, and say what was left and what to do next."""
    output: Path | None = arguments.output
    word, source = arguments.word, arguments.source
    if source is not None and not word and source.suffix in _WORDS:
        word, source = str(source), None  # what is no other tool's is meant as if it were named alone
    given = Given(
        word=word, source=source, content=_content(source), data=arguments.data,
        target=arguments.target, folder=output.parent if output is not None else Path(),
    )  # fmt: skip
    draft = drafted(given)
    if arguments.goal is not None:
        draft.study["goal"] = arguments.goal
        draft.why.pop("goal", None)
        draft.text = ""
    path = output if output is not None else Path(f"{draft.name}.yaml")
    if output is None and given.source is not None and path.resolve() == given.source.resolve():
        path = Path(f"{draft.name}-study.yaml")
    if os.path.lexists(path) and not arguments.force:
        raise UserError(f"{path} exists; --force replaces it, --output FILE writes another")
    files.write(path, text_of(draft))
    say(f"wrote {path}: {', '.join(draft.study.get('search', {})) or 'nothing'} searched, {draft.study.get('goal')}")
    for note in draft.left:
        say(f"not taken over: {note}")
    for note in draft.asks:
        say(f"before it runs: {note}")
    word = shlex.quote(str(path))
    say(f"next:  hpo check {word}" + ("" if draft.asks else f"  and then  hpo run {word}"))
    return 0


def drafted(given: Given) -> Draft:
    """The study that is suggested.

    Raises:
        UserError: what is given is of no kind that is known.
    """
    kinds = [registry.load("draft", name) for name in registry.names("draft")]
    taking = [kind for kind in kinds if kind.takes(given)]
    if not taking:
        raise _unknown(given, [kind.MARK for kind in kinds if hasattr(kind, "MARK")])
    found: Draft = taking[0].draft(given)
    if len(taking) > 1:
        others = ", ".join(kind.MARK for kind in taking[1:])
        found.left.insert(
            0, f"{others}: the file is read as {taking[0].MARK}, the first by name of what it may be; without the mark "
            "of that it is read as the other"
        )  # fmt: skip
    return found


def _unknown(given: Given, marks: Sequence[str]) -> UserError:
    if given.source is not None:
        return UserError(f"{given.source} is none of the configurations that are known: {', '.join(marks)}")
    if given.data is not None:
        return UserError(f"{given.word} and the table {given.data} are two studies: name one of them")
    path = Path(given.word).expanduser()
    if not path.exists():
        names = ", ".join(registry.names("objective"))
        return UserError(f"there is no file and no objective {given.word!r}; objectives: {names}")
    return UserError(f"{given.word} is no Python file: a configuration is given with --from")


def _content(source: Path | None) -> Any:
    """What a configuration says."""
    if source is None:
        return None
    try:
        text = source.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{source} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}"
        ) from None
    return parse(text, str(source)).plain()
