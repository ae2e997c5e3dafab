"""Options that several commands take: a study, a store, and what is laid over a study file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.search.terms.errors import UserError

if TYPE_CHECKING:
    from hpo.search.report.study import StudyReport
    from hpo.search.store import Store
    from hpo.search.terms.trial import Trial

_KEYS = (
    "sampler", "prior", "warm_start", "start_from", "pruner", "executor", "workers", "processes_per_trial", "confirm",
    "seed", "device", "devices", "data", "source", "storage", "checkpoints", "name", "goal", "metric",
)  # fmt: skip


def add_study(parser: argparse.ArgumentParser, *, stored: bool) -> None:
    """Let the parser take a study, as a word or as --study."""
    what = "name of a study in the store" if stored else "study file, the name of a shipped study, or a table"
    parser.add_argument("given", nargs="?", metavar="STUDY", help=what)
    parser.add_argument("--study", dest="study", metavar="STUDY", help="the same, as an option")
    parser.set_defaults(_stored=stored)


def study_name(arguments: argparse.Namespace) -> str:
    """The study given, a stored one by its name even where a file was given.

    Raises:
        UserError: none was given.
    """
    given = arguments.study or arguments.given
    if not given:
        where = "stored ones: hpo status" if arguments._stored else "shipped ones: hpo list"
        raise UserError(f"which study? give its name, such as: --study lr-batch ({where})")
    given = str(given)
    if arguments._stored and given.endswith((".yaml", ".yml")):
        return Path(given).stem
    return given


def add_studies(parser: argparse.ArgumentParser) -> None:
    """Let the parser take studies to run, as words or as --study."""
    what = "study file, or the name of a shipped study; several run one after the other"
    parser.add_argument("given", nargs="*", metavar="STUDY", help=what)
    parser.add_argument("--study", dest="study", metavar="STUDY", help="the same, as an option")
    parser.set_defaults(_stored=False)


def study_names(arguments: argparse.Namespace) -> list[str]:
    """The studies given, each once.

    Raises:
        UserError: none was given.
    """
    given = [*arguments.given, *([arguments.study] if arguments.study else [])]
    return list(dict.fromkeys(given)) or [study_name(arguments)]


def add_trial(parser: argparse.ArgumentParser, *, needed: bool) -> None:
    """Let the parser take a stored study and one of its trials, each as a word or as an option."""
    number = "TRIAL" if needed else "[TRIAL]"
    parser.add_argument(
        "words", nargs="*", metavar="STUDY", help=f"name of a study in the store; then {number}, a number"
    )
    parser.add_argument("--study", dest="study", metavar="STUDY", help="the study, as an option")
    parser.add_argument("--trial", metavar="N", help="number of the trial, as an option")
    parser.set_defaults(_stored=True, _needed=needed)


def study_and_trial(arguments: argparse.Namespace) -> tuple[str, int | None]:
    """The stored study given and the number of its trial; None where no trial is named.

    Raises:
        UserError: none was given, or more than that.
    """
    words = list(arguments.words)
    arguments.given = None if arguments.study or not words else words.pop(0)
    name = study_name(arguments)
    numbers = [*words, *([] if arguments.trial is None else [arguments.trial])]
    if len(numbers) > 1:
        raise UserError(f"one trial at a time: {' or '.join(numbers)}?")
    if not numbers:
        if arguments._needed:
            raise UserError(f"which trial? give its number, such as: {name} 0 (see: hpo show {name})")
        return name, None
    try:
        return name, int(numbers[0])
    except ValueError:
        raise UserError(f"a trial is a whole number from 0 on, got {numbers[0]!r}") from None


def trial_of(found: StudyReport, number: int) -> Trial:
    """A trial of a stored study.

    Raises:
        UserError: there is none of this number.
    """
    for trial in found.trials:
        if trial.number == number:
            return trial
    raise UserError(f"{found.name} has no trial {number}; it has {len(found.trials)}, counted from 0")


def add_store(parser: argparse.ArgumentParser) -> None:
    """Let the parser take a store."""
    parser.add_argument(
        "--storage",
        metavar="PLACE",
        help="where studies live: a .db or .journal file, or a PostgreSQL URL (default: hpo.db)",
    )


def store_of(arguments: argparse.Namespace) -> Store:
    """The store that the arguments name."""
    from hpo.search.store import open_store

    return open_store(arguments.storage)


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Options that are laid over the study file, through the same checks."""
    group = parser.add_argument_group("laid over the study file")
    for name, what in (
        ("trials", "in all"),
        ("steps", "of all trials together"),
        ("minutes", "in all"),
        ("target", "value; of a table, the column to predict"),
    ):
        group.add_argument(f"--{name}", metavar="N", help=f"budget: {name} {what}")
    for name in _KEYS:
        flag = f"--{name.replace('_', '-')}"
        group.add_argument(flag, metavar="VALUE", help=f"the study's {name}, spelled as in the file")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KNOB=VALUE",
        help="fix a knob, or search it: --set 'dropout={float: [0, 0.3]}'",
    )


def add_grace(parser: argparse.ArgumentParser) -> None:
    """Let the parser take how long a signal may wait for a step."""
    parser.add_argument(
        "--grace",
        type=seconds,
        default=20.0,
        metavar="SECONDS",
        help="after Ctrl-C, SIGTERM or SIGHUP, have recorded and left in so long, whatever the step does (default: 20)",
    )


def seconds(given: str) -> float:
    """A number of seconds, as an option's type."""
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise argparse.ArgumentTypeError(f"a number of seconds from 0 on, not {given!r}")
    return seconds


def overrides(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """What the command line lays over the study file."""
    found = [(f"budget.{name}", getattr(arguments, name)) for name in ("trials", "steps", "minutes", "target")]
    found += [(name, getattr(arguments, name)) for name in _KEYS]
    return [(key, value) for key, value in found if value is not None] + [("set", value) for value in arguments.set]
