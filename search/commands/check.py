"""Check a study file and say what it means; runs nothing."""

from __future__ import annotations

import argparse

from hpo.search import cli, studyfile
from hpo.search.commands.run import add_overrides, overrides
from hpo.search.report import text
from hpo.search.study import Study


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    cli.add_study(parser, stored=False)
    add_overrides(parser)


def main(arguments: argparse.Namespace) -> int:
    """Read the study; its mistakes end the command."""
    study = studyfile.read(cli.study_name(arguments), overrides(arguments))
    print(summary(study))
    return 0


def summary(study: Study) -> str:
    """What will be searched, in a few lines."""
    lines = [f"{study.name}: {study.question}".rstrip(": "), f"  goal     {', '.join(map(str, study.goals))}"]
    for parameter in study.space:
        domain = parameter.domain
        values = getattr(domain, "values", None)
        if values is not None:
            shown = " | ".join(text.number(value) for value in values)
        else:
            log, step = getattr(domain, "log", False), getattr(domain, "step", None)
            shown = f"{text.number(domain.low)} to {text.number(domain.high)}"  # type: ignore[union-attr] # a range
            shown += ", log scale" if log else ""
            shown += f", step {text.number(step)}" if step not in (None, 1) else ""
        when = "".join(f", when {n} is {' or '.join(map(text.number, v))}" for n, v in parameter.when)
        lines.append(f"  search   {parameter.name}: {shown}{when}")
    if study.fixed:
        lines.append(f"  fixed    {text.recipe(study.fixed)}")
    if study.prior:
        lines.append(f"  prior    {text.recipe(study.prior)}")
    if study.warm_start:
        lines.append(f"  warm     start from {', '.join(study.warm_start)}")
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
    lines.append(f"  sampler  {study.sampler or 'tpe'}, pruner {study.pruner or 'the default'}, seed {study.seed}")
    return "\n".join(lines)
