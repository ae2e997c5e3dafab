"""Show a study: its winner, its best trials, why trials were pruned or failed; or one trial in full."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.search.commands.common import arguments as options
from hpo.search.commands.common import following
from hpo.search.report import out
from hpo.search.report.plain import to_json
from hpo.search.running import log
from hpo.search.terms.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from hpo.search.report.study import StudyReport
    from hpo.search.store import Store
    from hpo.search.terms.trial import Trial

_PRINTED = 10
"""Lines of a trial's log that are shown with it."""
_WIDE = 110
"""Columns of a figure at most."""
_STYLES = {
    "winner": "dark_orange3", "best": "dark_orange3", "complete": "blue", "interval": "blue", "bar": "blue",
    "pruned": "bright_black", "failed": "red", "wrong": "red", "cell": "cyan", "axis": "bright_black",
}  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    options.add_trial(parser, needed=False)
    options.add_store(parser)
    parser.add_argument("--log", action="store_true", help="all that the trial has printed")
    parser.add_argument("--follow", action="store_true", help="the same, and what it prints from now on, until it ends")
    parser.add_argument("--top", type=int, default=10, metavar="K", help="how many of the best trials (default: 10)")
    parser.add_argument(
        "--plot", nargs="?", const="", metavar="FILE.png", help="its figures: here, or as a picture (hpo-suite[png])"
    )
    parser.add_argument("--force", action="store_true", help="replace the file if it exists")
    parser.add_argument("--json", action="store_true", help="everything as JSON")


def main(arguments: argparse.Namespace) -> int:
    """Print the report."""
    from rich.table import Table

    from hpo.search.engine.checkpoints import log_of
    from hpo.search.report import batch, combined, show, text
    from hpo.search.report import study as report

    name, number = options.study_and_trial(arguments)
    store = options.store_of(arguments)
    found = report.report(store, name)
    if arguments.json:
        out.say(to_json(found.plain(), indent=2))
        return 0
    console = out.console()
    if arguments.plot is not None:
        if number is not None:
            raise UserError("--plot draws a study: leave the number of the trial out")
        return _plot(console, found, Path(arguments.plot) if arguments.plot else None, force=arguments.force)
    if number is not None:
        place = log_of(store, found.name)(number)
        if arguments.follow and found.running and place is not None:  # a trial that is not there yet may come
            return following.follow(Path(place), lambda: _trains(store, found.name, number))
        whole, trial = arguments.log or arguments.follow, options.trial_of(found, number)
        if not whole:
            _show_trial(console, found, trial)
        elif place is None or not Path(place).is_file():
            raise UserError(f"trial {number} of {found.name} has printed nothing, or its log is gone: {place}")
        _show_log(console, Path(place or ""), most=None if whole else _PRINTED)
        if whole and not log.read(Path(place or "")).strip():
            out.say(f"trial {number} of {found.name} has printed nothing", file=sys.stderr)
        return 0
    if arguments.log or arguments.follow:
        raise UserError(f"whose log? give the number of a trial, such as: hpo show {shlex.quote(name)} 0 --log")
    for line in show.headline(found):
        console.print(line)
    if found.winner:
        console.print("")
        for line in show.verdict(found):
            console.print(line)
    ranked = found.leading() if len(found.goals) == 1 else found.front()
    if ranked:
        table = Table(
            "trial",
            "state",
            show.escape(", ".join(found.metrics)),
            "steps",
            "curve",
            "recipe",
            box=None,
            pad_edge=False,
        )
        for row in show.trial_rows(ranked, arguments.top):
            table.add_row(*map(show.escape, row))
        console.print("")
        console.print(table)
    if found.winner is not None and found.winner.ensemble is not None:
        ensemble = found.winner.ensemble
        table = Table(show.escape(ensemble.metric), *combined.HEAD, box=None, pad_edge=False)
        for row in combined.rows(ensemble):
            table.add_row(*map(show.escape, row))
        console.print("")
        console.print(table)
    for state in ("pruned", "failed"):
        lines = show.endings(found, state)
        if lines:
            console.print(f"\n{state}:")
            for line in lines:
                console.print(f"  {line}", markup=False)
    told = batch.lines(found)
    if told:
        console.print("\nbatch size:")
        for line in told:
            console.print(f"  {line}", markup=False)
    if found.definition:
        known = found.definition
        console.print(
            f"\nsampler {known.get('sampler')}, pruner {known.get('pruner')}, seed {known.get('seed')}", markup=False
        )
        beforehand = text.known(known.get("prior", {}), known.get("warm_start", {}))
        if beforehand:
            console.print(f"known before: {beforehand}", markup=False)
        versions = found.definition.get("versions", {})
        console.print("made with " + ", ".join(f"{name} {version}" for name, version in versions.items()), markup=False)
    extra = [trial for trial in found.trials if trial.seconds]
    if extra:
        console.print(f"training took {text.duration(sum(trial.seconds for trial in extra))} in all")
    return 0


def _plot(console: Console, found: StudyReport, output: Path | None, *, force: bool) -> int:
    """Draw the study's figures, in the terminal or as a picture."""
    from rich.text import Text

    from hpo.search.report import files
    from hpo.search.report.importance import importance
    from hpo.search.report.page import braille, png
    from hpo.search.report.page.drawn import drawn

    if output is not None:
        if output.suffix.lower() != ".png":
            raise UserError(f"{output}: a picture is a PNG, name it so: --plot {output.stem}.png")
        if os.path.lexists(output) and not force:
            raise UserError(f"{output} exists; --force replaces it")
    made = list(drawn(found, importance(found)))
    if not made:
        raise UserError(f"there is nothing to see yet of {found.name}: no trial has a curve or a value")
    if output is not None:
        files.probe(output)
        files.write(output, png.picture(made))
        out.say(f"wrote {output}")
        return 0
    for one in made:
        console.print(Text(one.title, "bold"))
        for row in braille.cells(one.figure, min(console.width, _WIDE)):
            line = Text(no_wrap=True)
            for letter, kind in row:
                line.append(letter, next((_STYLES[word] for word in kind.split()[::-1] if word in _STYLES), None))
            line.rstrip()
            console.print(line)
        console.print(Text(one.note, "dim"), end="\n\n")
    return 0


def _show_log(console: Console, path: Path, most: int | None) -> None:
    """What the trial printed, or the end of it."""
    lines = log.read(path).splitlines()
    shown = lines if most is None else lines[-most:]
    if most is not None and lines:
        left = f", the last {most} of {len(lines)} lines; all with --log" if len(lines) > most else ""
        console.print(f"printed{left} ({path}):", markup=False)
    for line in shown:
        console.print(line if most is None else f"  {line}", markup=False)


def _trains(store: Store, name: str, number: int) -> bool:
    """Whether a trial may print more: it has not ended, and somebody runs its study."""
    if store.running(name) is None:
        return False
    from hpo.search.report import study as report

    trial = next((trial for trial in report.report(store, name).trials if trial.number == number), None)
    return trial is None or trial.state in ("running", "paused")


def _show_trial(console: Console, found: StudyReport, trial: Trial) -> None:
    from hpo.search.report import show, text

    console.print(f"[bold]trial {trial.number}[/bold] of {show.escape(found.name)}: {trial.state}")
    for name, value in trial.point.items():
        console.print(f"  {name}: {text.number(value)}", markup=False)
    known = [f"seed: {trial.seed}, recipe {trial.recipe}"] if found.task else []  # plain Optuna has neither
    console.print("  " + ", ".join([*known, f"{text.duration(trial.seconds)} of training"]))
    if trial.nodes:
        console.print(f"  trained on {', then '.join(trial.nodes)}", markup=False)
    if trial.reason:
        console.print(f"{trial.state}: {trial.reason}", markup=False)
    for name, value in trial.evidence.items():
        console.print(f"  {name}: {text.number(value)}", markup=False)
    if trial.traceback:
        console.print(trial.traceback, markup=False)
    if trial.curve:
        console.print(
            f"curve of {show.escape(found.metrics[0])}: {text.sparkline([value for _, value in trial.curve], 60)}"
        )
        ahead = dict(trial.outlook)
        for step, value in trial.curve:
            heading = f"  heading for {text.number(ahead[step])}" if step in ahead else ""
            console.print(f"  {step:>5}  {text.number(value)}{heading}")
    for line in show.statistics(trial):
        console.print(line, markup=False)
    for name, value in trial.metrics.items():
        console.print(f"last {name}: {text.number(value)}", markup=False)
    if found.task:
        console.print(f"train it again: hpo replay {shlex.quote(found.name)} {trial.number}", markup=False)
