"""Predict with a trained model's folder on a table or on arrays, of any size, row by row in their order; score text.

The output is CSV: the columns of the file that the model does not read, such as ids, then `prediction` and, of classes,
a column `probability of CLASS` each. Where the file holds the target, the scores on it are told too. A language model
gives a row for each document, with its bits per byte; `--prompt` shows what it writes, or fills in.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.search.report import files, modelfolder
from hpo.search.report.out import data, say
from hpo.search.terms import registry
from hpo.search.terms.errors import UserError
from hpo.search.terms.threads import set_environment


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("model", type=Path, metavar="FOLDER", help="what `hpo train` wrote")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help="rows: a table (CSV, Parquet), or arrays (.npz); text, of a language model (also .gz, .jsonl)",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="a CSV file instead of standard output")
    parser.add_argument(
        "--keep", action="append", metavar="COLUMN", help="copy this column, and no other but those named; repeatable"
    )
    parser.add_argument("--field", metavar="NAME", help="field of JSON Lines with the text (default: that trained on)")
    writing = parser.add_argument_group("of a language model")
    writing.add_argument(
        "--prompt", metavar="TEXT", help="print how the model goes on from here; a masked one, what it takes [MASK] for"
    )
    writing.add_argument("--tokens", type=int, metavar="N", help="most tokens behind the prompt (default: 256)")
    writing.add_argument("--temperature", type=float, metavar="T", help="0 takes the likeliest token (default: 0.8)")
    writing.add_argument("--top-k", type=int, metavar="K", help="draw from the K likeliest tokens (default: all)")
    writing.add_argument("--seed", type=int, metavar="N", help="of what is drawn (default: 0)")
    parser.add_argument("--force", action="store_true", help="replace the file if it exists")
    parser.add_argument("--yes", action="store_true", help="run the code that builds the model, whoever wrote it")


def main(arguments: argparse.Namespace) -> int:
    """Load, predict, write."""
    set_environment()  # before torch and sklearn are imported
    said = {name: getattr(arguments, option) for name, option in _DRAWN.items()}
    said = {name: value for name, value in said.items() if value is not None}
    if arguments.prompt is not None:
        return _write(arguments, said)
    if said:
        raise UserError("--tokens, --temperature, --top-k and --seed say how a --prompt is gone on from: give one")
    if arguments.data is None:
        raise UserError("on which rows? name a table, arrays or text: --data FILE; or --prompt TEXT")
    output: Path | None = arguments.output
    if output is not None:
        if os.path.lexists(output) and not arguments.force:
            raise UserError(f"{output} exists; --force replaces it")
        files.probe(output)
    model = modelfolder.load(arguments.model, trust=arguments.yes)
    found = registry.part("models").predicted_csv(
        model, arguments.data.expanduser(), keep=arguments.keep, field=arguments.field
    )
    if output is None:
        for text in found.csv():
            data(text)
    else:
        with files.opened(output) as file:
            for text in found.csv():
                file.write(text.encode("utf-8", errors="surrogateescape"))
    for note in found.notes:
        say(note, file=sys.stderr)
    if modelfolder.trained_on(arguments.model.expanduser(), arguments.data.expanduser()):
        say(
            f"{arguments.data} is what this model was trained on: how it does on rows that it has not seen is told by "
            f"the test scores in {arguments.model / 'metrics.json'}",
            file=sys.stderr,
        )
    if output is not None:
        say(f"wrote {found.count} predictions to {output}")
    return 0


_DRAWN = {"n": "tokens", "temperature": "temperature", "top_k": "top_k", "seed": "seed"}
"""What ``generate`` takes, and the options that say it."""


def _write(arguments: argparse.Namespace, said: Mapping[str, Any]) -> int:
    """Show what a language model makes of a prompt."""
    if arguments.data is not None or arguments.output is not None:
        raise UserError("--prompt prints what the model writes, and takes neither --data nor --output")
    model = modelfolder.load(arguments.model, trust=arguments.yes)
    if not isinstance(model, registry.part("models").TextModel):
        raise UserError(f"{arguments.model} is no language model, so there is nothing to prompt: use --data FILE")
    prompt: str = arguments.prompt
    if not model.masked:
        data(f"{prompt}{model.generate(prompt, **said)}\n")
        return 0
    if said:
        raise UserError("a masked model draws nothing: drop --tokens, --temperature, --top-k and --seed")
    data(f"{model.fill(prompt)}\n")
    return 0
