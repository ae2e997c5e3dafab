"""Run a study under several samplers or pruners with equal budgets and seeds, and say which found more.

Each takes the same number of training steps. Runs are kept in a store of their own, so that an interrupted
comparison goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.search import studyfile
from hpo.search.commands.common import arguments as options
from hpo.search.report import files, out, show, text
from hpo.search.report.plain import to_json
from hpo.search.studyfile.plugins import read_plugin
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms.errors import StudyFileError, UserError
from hpo.search.terms.threads import set_environment

if TYPE_CHECKING:
    from rich.table import Table

    from hpo.search.engine.compare import Variant
    from hpo.search.terms.errors import Mistake
    from hpo.search.terms.study import Plugin


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    options.add_study(parser, stored=False)
    parser.add_argument(
        "--with-sampler", action="append", default=[], metavar="NAME", help="a sampler to compare; repeat"
    )
    parser.add_argument(
        "--with-pruner", action="append", default=[], metavar="NAME", help="a pruner to compare; repeat"
    )
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="how many seeds each (default: 3)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="the curves as JSON")
    parser.add_argument("--fresh", action="store_true", help="run all again")
    options.add_overrides(parser)
    options.add_grace(parser)


def main(arguments: argparse.Namespace) -> int:
    """Compare and print a table."""
    set_environment()  # before torch and sklearn are imported
    study = studyfile.read(options.study_name(arguments), options.overrides(arguments))
    if arguments.seeds < 1:
        raise UserError(f"--seeds must be at least 1, got {arguments.seeds}")
    if len(study.goals) > 1:
        raise UserError("compare needs a study with one goal")
    samplers = [_plugin("sampler", name) for name in arguments.with_sampler] or [None]
    pruners = [_plugin("pruner", name) for name in arguments.with_pruner] or [None]
    if len(samplers) * len(pruners) < 2:
        raise UserError("name what to compare, such as: --with-sampler tpe --with-sampler random")
    if arguments.output is not None:
        files.probe(arguments.output)
    from hpo.search.engine.compare import compare
    from hpo.search.store import open_store

    pairs = [(sampler, pruner) for sampler in samplers for pruner in pruners]
    store = open_store(arguments.storage or "compare.db")
    earlier = store if arguments.storage else open_store(study.storage)
    found = compare(study, pairs, arguments.seeds, store, earlier=earlier, fresh=arguments.fresh, grace=arguments.grace)
    _print(found, str(study.goal), arguments.seeds)
    if arguments.output is not None:
        content = [
            {"title": one.title, "curves": one.curves, "seconds": one.seconds, "trials": one.trials} for one in found
        ]
        files.write(arguments.output, to_json({"goal": str(study.goal), "variants": content}, indent=1))
        out.say(f"wrote {arguments.output}")
    return 0


def _plugin(kind: str, given: str) -> Plugin | None:
    mistakes: list[Mistake] = []
    plugin = read_plugin(kind, parse(given, f"--with-{kind}"), mistakes)
    if mistakes:
        raise StudyFileError(mistakes)
    return plugin


def _print(found: list[Variant], goal: str, seeds: int) -> None:
    """One line a variant: what a narrow terminal has no room for is left out, the least wanted first."""
    console = out.console()
    console.print(
        f"best {goal.split()[-1]} ({goal.split()[0]}), mean over {seeds} seeds"
        + (" ± standard error" if seeds > 1 else "")
    )
    roomy = console.options.update(width=10_000)
    for spark, early, titles in (
        (24, True, True),
        (8, True, True),
        (0, True, True),
        (0, False, True),
        (0, False, False),
    ):
        table = _table(found, seeds, spark, early=early, titles=titles)
        if console.measure(table, options=roomy).maximum <= console.width:
            break
    console.print(table)
    if not titles:
        for number, variant in enumerate(found, 1):
            console.print(f"{number} = {variant.title}", markup=False)
    for alike in _alike(found):
        console.print(f"no difference between {'; '.join(alike)}: too few trials to tell them apart?", markup=False)


def _table(found: list[Variant], seeds: int, spark: int, *, early: bool, titles: bool) -> Table:
    """A table with curves of so many letters, with errors of the early values, with titles instead of numbers."""
    from rich.table import Table

    curves = [variant.mean_curve() for variant in found]
    values = sorted(value for curve in curves for value in curve)
    heads = ["search", "at 25 %", "at 50 %", "at the end", "trials", "time", *(["best so far"] if spark else [])]
    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(head, no_wrap=True)
    for number, (variant, curve) in enumerate(zip(found, curves, strict=True), 1):
        row = [_value(variant, fraction, seeds if early or fraction == 1.0 else 1) for fraction in (0.25, 0.5, 1.0)]
        row += [f"{variant.trials:.0f}", text.duration(variant.seconds)]
        row += [text.sparkline(curve, spark, values[0], values[-1])] if spark else []
        table.add_row(show.escape(variant.title if titles else str(number)), *row)
    return table


def _alike(found: list[Variant]) -> list[list[str]]:
    """Titles of variants that trained the same trials to the same end, group by group."""
    groups: dict[object, list[str]] = {}
    for variant in found:
        groups.setdefault(variant.curves, []).append(variant.title)
    return [titles for titles in groups.values() if len(titles) > 1]


def _value(variant: Variant, fraction: float, seeds: int) -> str:
    mean, error = variant.at(fraction)
    return text.interval(mean, error if seeds > 1 and error > 0 else None)
