"""Check a study file and say what it means; trains nothing, or with --first-run one recipe for a few points.

Where sources do not tell whether a model can be built or a table be learned from, a process of its own tries it. GPUs
that it gives to its workers must be here.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator

from hpo.search import studyfile
from hpo.search.commands.common import arguments as options
from hpo.search.describe.objective import describe
from hpo.search.engine.lanes import filled
from hpo.search.engine.plugins import check_devices, check_plugins, pruner_of
from hpo.search.engine.rehearsal import PATIENCE, rehearse_apart
from hpo.search.report import tabletext, text
from hpo.search.report.out import say
from hpo.search.terms.domain import Choice, Domain, spans_decades
from hpo.search.terms.errors import UserError, did_you_mean, without_secrets
from hpo.search.terms.job import Failed, Job, Point
from hpo.search.terms.study import Plugin, Study
from hpo.search.terms.threads import set_environment

_POINTS = 3
"""Points of a first run."""

MOST_COLUMNS = 40
"""Columns of a table that are shown; ``hpo data`` shows all."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    options.add_study(parser, stored=False)
    options.add_overrides(parser)
    parser.add_argument(
        "--first-run", action="store_true", help="train one recipe up to its third point, and show what it tells"
    )


def main(arguments: argparse.Namespace) -> int:
    """Read the study; its mistakes end the command."""
    study = studyfile.read(options.study_name(arguments), options.overrides(arguments))
    objective = describe(study.objective, study.folder)
    check_plugins(study)
    check_devices(study, trained_by_suite=objective.trained_by_suite)
    table = rehearse_apart(study, objective)
    say(summary(study))
    if table is None and isinstance(study.data, dict) and "table" in study.data and objective.kind == "builtin":
        say(f"the table was not read within {PATIENCE:.0f} seconds: hpo data FILE --target COLUMN tells what it is")
    if table is not None:
        say("\n".join(["the table:", *(f"  {line}" for line in tabletext.lines(table, MOST_COLUMNS))]))
    if arguments.first_run:
        set_environment()  # before torch and sklearn are imported
        for line in first_run(study):
            say(line, flush=True)
    return 0


def first_run(study: Study) -> Iterator[str]:
    """The first points of one recipe, as they come.

    Raises:
        UserError: the run ends badly, or tells nothing of the goals; with all that it told.
    """
    from hpo.search.running.training import VALUE, Trainer

    recipe = study.recipe(next(iter(study.space.spread(1, study.fixed)), {}), 0)
    yield f"  first run of {text.recipe({name: value for name, value in recipe.items() if name != 'seed'})}"
    trainer, job = Trainer(study.task), Job(0, recipe)
    with contextlib.closing(trainer.start(job)) as run:
        for _ in range(_POINTS):
            event = trainer.advance(run, job)
            if isinstance(event, Failed):
                raise UserError(f"the first run failed: {event.reason}")
            if not isinstance(event, Point):
                return
            missing = [goal.metric for goal in study.goals if goal.metric not in event.metrics]
            bare = list(event.metrics) == [VALUE]
            if missing and not bare:
                hint = did_you_mean(missing[0], event.metrics)
                raise UserError(f"the first run told no {missing[0]}: {hint}")
            metrics = ", ".join(f"{name} {text.number(value)}" for name, value in event.metrics.items())
            yield f"  point {event.step}  {metrics} ({event.seconds:.1f} s)"


def summary(study: Study) -> str:
    """What will be searched, in a few lines."""
    objective = describe(study.objective, study.folder)
    data = study.data if study.data is not None else objective.default_data
    lines = [
        f"{study.name}: {study.question}".rstrip(": "),
        f"  trains   {without_secrets(objective.shown)}",
    ]
    if data is not None:
        told = data if isinstance(data, str) else ", ".join(str(Plugin(kind, data[kind] or {})) for kind in data)
        lines.append(f"  data     {without_secrets(told)}")
    lines.append(f"  goal     {', '.join(map(str, study.goals))}")
    if study.metric is not None:
        lines.append(f"  metric   {study.metric}")
    for parameter in study.space:
        when = "".join(f", when {n} is {' or '.join(map(text.number, v))}" for n, v in parameter.when)
        lines.append(f"  search   {parameter.name}: {_domain(parameter.domain)}{when}")
    if study.fixed:
        lines.append(f"  fixed    {text.recipe(study.fixed)}")
    if study.prior:
        lines.append(f"  prior    {text.recipe(study.prior)}")
    if study.warm_start:
        lines.append(f"  warm     start from {without_secrets(', '.join(study.warm_start))}")
    if study.start_from:
        lines.append(f"  weights  start from {study.start_from}")
    budget = study.budget
    limits = [
        ("trials", budget.trials),
        ("steps", budget.steps),
        ("minutes", budget.minutes),
        ("target", budget.target),
    ]
    lines.append(
        "  budget   " + ", ".join(f"{name} {text.number(value)}" for name, value in limits if value is not None)
    )
    size = study.space.size(study.fixed, limit=100_000)
    if size is not None:
        lines.append(f"  space    {size} recipes")
    if lanes := str(filled(study, objective)):
        lines.append(f"  lanes    {lanes}")
    pruner = pruner_of(study)
    stops = pruner if study.pruner is not None or pruner.name == "none" else "the default"
    lines.append(f"  sampler  {study.sampler or 'the default'}, pruner {stops}, seed {study.seed}")
    lines += [f"  note     {note}" for note in study.notes]
    return "\n".join(lines)


def _domain(domain: Domain) -> str:
    """The values of a knob; a range whose scale is doubtful says so."""
    if isinstance(domain, Choice):
        return " | ".join(text.number(value) for value in domain.values)
    low, high = text.number(domain.low), text.number(domain.high)
    shown = f"{low} to {high}" if low != high else f"{domain.low!r} to {domain.high!r}"  # told apart by later digits
    shown += ", log scale" if domain.log else ""
    shown += f", step {text.number(domain.step)}" if domain.step not in (None, 1) else ""
    if spans_decades(domain):
        shown += f", on an even scale: one draw of ten is below {text.number(domain.high / 10)} (log: true?)"
    return shown
