"""Fit the best learning rate and batch over studies of several model sizes, and predict them for another size.

Trials are grouped by model size and tokens trained on. These are taken from knobs that you name, from metrics
`parameters`, `tokens` and `tokens_per_step` of the curves, or from the objective's function size(recipe).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.search.commands.common import arguments as options
from hpo.search.commands.common.consent import allow
from hpo.search.report import out
from hpo.search.report.plain import to_json
from hpo.search.terms.errors import UserError

if TYPE_CHECKING:
    from hpo.search.report.scaling.runs import Source
    from hpo.search.report.study import StudyReport

_LETTERS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("given", nargs="*", metavar="STUDY", help="names of studies in the store, of several sizes")
    parser.add_argument("--study", action="append", default=[], metavar="STUDY", help="one more, as an option; repeat")
    options.add_store(parser)
    wanted = parser.add_argument_group("predict for")
    wanted.add_argument("--size", type=_count, metavar="N", help="so many parameters, such as 20e6 or 20M")
    wanted.add_argument("--tokens", type=_count, metavar="D", help="trained on so many tokens, such as 4e8 or 400M")
    knobs = parser.add_argument_group("knobs that say how large a run is, where neither curves nor size(recipe) do")
    knobs.add_argument("--parameters-knob", metavar="KNOB", help="parameters of the model, without embeddings")
    knobs.add_argument("--tokens-knob", metavar="KNOB", help="tokens (or samples) that it trains on")
    knobs.add_argument("--batch-knob", metavar="KNOB", help="tokens of one optimizer step")
    parser.add_argument("--yes", action="store_true", help="call size(recipe) of code that you have not run from here")
    parser.add_argument("--json", action="store_true", help="everything as JSON")


def main(arguments: argparse.Namespace) -> int:
    """Print the report."""
    names = [Path(name).stem if name.endswith((".yaml", ".yml")) else name for name in _named(arguments)]
    if not names:
        raise UserError("which studies? name those of several sizes, such as: hpo scale width-64 width-128 width-256")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UserError(f"{twice[0]} is named twice")
    from hpo.search.report import study as report
    from hpo.search.report.scaling import fit, lines, plain, runs

    given = {
        "parameters": arguments.parameters_knob,
        "tokens": arguments.tokens_knob,
        "tokens_per_step": arguments.batch_knob,
    }
    knobs = {name: knob for name, knob in given.items() if knob is not None}
    store = options.store_of(arguments)
    sources = [_source(report.report(store, name), knobs, yes=arguments.yes) for name in names]
    found = fit.scale(runs.gather(sources, knobs), arguments.size, arguments.tokens)
    if arguments.json:
        out.say(to_json(plain.plain(found), indent=2))
    else:
        for line in lines.lines(found):
            out.say(line)
    return 0


def _named(arguments: argparse.Namespace) -> list[str]:
    return [*arguments.given, *arguments.study]


def _source(found: StudyReport, knobs: dict[str, str], *, yes: bool) -> Source:
    """A study with what its objective's source adds; its ``size`` is imported only where nothing else says the size."""
    from hpo.search.describe.objective import describe
    from hpo.search.describe.size import defaults, says_size, size_of
    from hpo.search.report.recipefile import stored_task
    from hpo.search.report.scaling.runs import Source, complete, lacking

    if not found.task:  # made by another program
        return Source(found)
    task = stored_task(found)
    missing = lacking(found, knobs)
    try:
        objective = describe(task.objective, Path(task.folder))
    except UserError:  # moved since; curves and knobs may do
        if "parameters" in missing:
            raise
        return Source(found)
    size = None
    if missing and complete(found) and says_size(objective):
        allow(task, objective, found.seal, f"the study {found.name}", yes=yes)
        size = size_of(objective)
    return Source(found, defaults(objective), size, objective.label)


def _count(given: str) -> float:
    letter = _LETTERS.get(given[-1:].lower(), 0.0)
    try:
        value = float(given[:-1]) * letter if letter else float(given)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e30:
        raise argparse.ArgumentTypeError(f"a number above 0, such as 20e6 or 20M, not {given!r}")
    return value
