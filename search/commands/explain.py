"""Explain a trained model by its columns, pixels or attention, or a study by its knobs.

Of a model's folder, on the test part of its own data or on the rows of --data: how much each column matters, with an
interval, and which way it pulls; of images which pixels its answer follows from; of a language model what its heads of
attention look at, on its test text, --data or --prompt. --output draws it on one HTML page that needs no network. Of a
study: how much each knob matters for its value.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.search.commands.common import arguments as options
from hpo.search.report import files, modelfolder, out, text
from hpo.search.report.plain import to_json
from hpo.search.terms import registry
from hpo.search.terms.errors import UserError
from hpo.search.terms.threads import set_environment

if TYPE_CHECKING:
    from rich.console import Console

_QUESTIONS = {
    "columns": "Which columns do the predictions follow from?",
    "images": "Which pixels do the answers follow from?",
    "attention": "What do the heads of attention look at?",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "given", metavar="FOLDER|STUDY", help="what `hpo train` wrote, or the name of a study in the store"
    )
    parser.add_argument(
        "--data", type=Path, metavar="FILE", help="held-out rows with the target, or text (default: its test part)"
    )
    parser.add_argument("--prompt", metavar="TEXT", help="text for a language model to read instead")
    parser.add_argument("--output", type=Path, metavar="FILE.html", help="a page with figures")
    parser.add_argument("--force", action="store_true", help="replace the file if it exists")
    parser.add_argument("--json", action="store_true", help="everything as JSON")
    parser.add_argument("--yes", action="store_true", help="run the code that builds the model, whoever wrote it")
    options.add_store(parser)


def main(arguments: argparse.Namespace) -> int:
    """Explain, print."""
    set_environment()  # before torch and sklearn are imported
    if Path(arguments.given).is_dir():
        return _model(arguments)
    for option in ("data", "prompt", "output"):
        if getattr(arguments, option) is not None:
            instead = "; of a study hpo report draws a page" if option == "output" else ""
            raise UserError(
                f"--{option} is for a trained model's folder, and there is no folder {arguments.given}{instead}"
            )
    return _study(arguments)


def _study(arguments: argparse.Namespace) -> int:
    from hpo.search.report.importance import importance
    from hpo.search.report.study import report

    arguments.study, arguments._stored = None, True
    name = options.study_name(arguments)
    found = report(options.store_of(arguments), name)
    known = importance(found)
    if arguments.json:
        out.say(to_json({"study": name, "importance": dict(known.shares), "note": known.note}, indent=2))
        return 0
    console = out.console()
    if known.shares:
        console.print(
            f"what {found.metrics[0]} of {name} depends on, as shares of its variance over the space:", markup=False
        )
        width = max(map(len, known.shares))
        for knob, share in known.shares.items():
            console.print(f"  {knob:<{width}} {share:>5.0%} {_bar(share)}", markup=False)
    if known.note:
        console.print(known.note, markup=False)
    return 0


def _model(arguments: argparse.Namespace) -> int:
    from hpo.search.report.page import explained
    from hpo.search.report.page.html import model_page

    folder, output = Path(arguments.given), arguments.output
    if output is not None:
        if os.path.lexists(output) and not arguments.force:
            raise UserError(f"{output} exists; choose another with --output, or replace it with --force")
        files.probe(output)
    model = modelfolder.load(folder, trust=arguments.yes)
    path = None if arguments.data is None else arguments.data.expanduser()
    found, where = registry.part("models").explained(model, modelfolder.task_of(folder), path, arguments.prompt)
    if output is not None:
        facts = [("model", folder.resolve().name), ("explained on", where)]
        files.write(output, model_page(folder.resolve().name, _QUESTIONS[found.kind], facts, found.plain()))
    if arguments.json:
        out.say(to_json(found.plain(), indent=2))
        return 0
    console = out.console()
    if found.kind == "columns":
        _print(console, found, where)
    else:
        for line in explained.summary(found.plain()):
            console.print(line, markup=False)
    if found.kind == "images":
        console.print(f"where it looks, on average over {found.rows} images of {where}:", markup=False)
        for row in explained.shades(found.average):
            console.print(f"  {row}", markup=False)
    if output is not None:
        out.say(f"wrote {output}")
    return 0


def _print(console: Console, found: Any, where: str) -> None:
    console.print(
        f"{found.loss} {text.short(found.value)} on {found.rows} rows of {where}; how much it grows when a column is "
        "dealt out anew (95 % interval over rows):",
        markup=False,
    )
    width = max(len(column.name) for column in found.columns)
    largest = max((column.importance for column in found.columns), default=0.0) or 1.0
    for column in found.columns:
        silent = abs(column.importance) <= column.half
        bar = "nothing to tell" if silent else _bar(column.importance / largest)
        told = text.interval(column.importance, column.half)
        console.print(f"  {column.name:<{width}} {told:>20} {bar}", markup=False)
    for told in _alike(found.columns):
        console.print(told, markup=False)
    if found.columns and found.columns[0].attribution is not None:
        unit = "the log odds of the class it predicts" if found.shown is not None else "the prediction"
        console.print(f"how much a column moves {unit}, on average (integrated gradients):", markup=False)
        most = max(column.attribution for column in found.columns) or 1.0
        for column in sorted(found.columns, key=lambda column: -column.attribution):
            bar = _bar(column.attribution / most)
            console.print(f"  {column.name:<{width}} {text.short(column.attribution):>20} {bar}", markup=False)
    of = f"the probability of {found.shown!r}" if found.shown is not None else "the prediction"
    drawn = [column for column in found.columns if column.dependence and column.importance > column.half][:5]
    if drawn:
        console.print(f"how {of} goes with a column, all else as it is:", markup=False)
    for column in drawn:
        (first, low), (last, high) = column.dependence[0], column.dependence[-1]
        if isinstance(first, str):
            shown = ", ".join(f"{value} {text.short(mean)}" for value, mean in column.dependence[:5])
        else:
            curve = text.sparkline([mean for _, mean in column.dependence])
            shown = f"{text.short(low)} at {text.short(first)} {curve} {text.short(high)} at {text.short(last)}"
        console.print(f"  {column.name:<{width}} {shown}", markup=False)


def _alike(columns: Sequence[Any]) -> list[str]:
    """Which columns share their importance, each pair once."""
    pairs = {tuple(sorted((column.name, other))) for column in columns for other in column.alike}
    shown = ", ".join(" and ".join(pair) for pair in sorted(pairs)[:5])
    more = f" and {len(pairs) - 5} more pairs" if len(pairs) > 5 else ""
    told = f"{shown}{more} go together (rank correlation above 0.8): each looks less important than they are together"
    return [told] if pairs else []


def _bar(share: float) -> str:
    return "█" * max(1, round(24 * share)) if share > 0 else ""
