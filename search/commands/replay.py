"""Train one trial of a study again and hold its curve against the recorded one; a failed one shows its traceback.

The exit code is 1 where the curve is another one; the last bits may differ, as between machines.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hpo.search.commands.common import arguments as options
from hpo.search.commands.common import consent
from hpo.search.describe.objective import describe
from hpo.search.report import text
from hpo.search.report.out import say
from hpo.search.running.scratch import fresh_scratch
from hpo.search.terms.errors import EverythingFailed, HpoError, UserError
from hpo.search.terms.threads import set_environment


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    options.add_trial(parser, needed=True)
    options.add_store(parser)
    parser.add_argument("--yes", action="store_true", help="run the code that the study names, whoever ran it first")


def main(arguments: argparse.Namespace) -> int:
    """Train the trial's recipe and compare point by point."""
    set_environment()  # before torch and sklearn are imported
    from hpo.search.engine.definition import circumstances, code_of, retrained
    from hpo.search.executors.common.peers import together
    from hpo.search.report import study as report
    from hpo.search.report.likeness import alike, verdict
    from hpo.search.report.recipefile import stored_task
    from hpo.search.running.training import Trainer, failure, value_of
    from hpo.search.terms.job import Job

    name, number = options.study_and_trial(arguments)
    assert number is not None
    found = report.report(options.store_of(arguments), name)
    trial, task = options.trial_of(found, number), stored_task(found)
    objective = describe(task.objective, Path(task.folder))
    consent.allow(task, objective, found.seal, f"the study {found.name!r}", yes=arguments.yes)
    recipe = {"seed": trial.seed, **(found.definition.get("fixed") or {}), **trial.point}
    say(f"trial {trial.number} of {found.name} ({trial.state}): {text.recipe(recipe)}")
    recorded, metric = dict(trial.curve), found.metrics[0]
    curve: list[tuple[int, float]] = []
    try:
        with fresh_scratch() as scratch, together(task, job := Job(trial.number, recipe, checkpoints=scratch)):
            run = Trainer(task).start(job)
            for point in run:
                step = run.step
                value = value_of(point, metric)
                if value is None:
                    if not curve:
                        raise UserError(f"the objective yields no metric {metric!r}, only {', '.join(point)}")
                    continue  # measured every few steps only: not a point of the curve
                curve.append((step, value))
                known = recorded.get(step)
                note = (
                    "" if known is None else "  as recorded" if known == value else f"  recorded {text.number(known)}"
                )
                say(f"  step {step}: {metric} {text.number(value)}{note}", flush=True)
    except (KeyboardInterrupt, HpoError):
        raise
    except BaseException as error:  # sys.exit() included
        ended = failure(trial.number, error, objective)
        raise EverythingFailed(f"trial {trial.number} failed: {ended.reason}\n{ended.detail}") from error
    if not recorded:
        return 0
    now = circumstances(task, objective)
    say(verdict(trial.curve, curve, found.definition, now, alone=objective.trained_by_suite))
    if alike(trial.curve, curve):
        return 0
    if retrained(found.definition, code_of(objective, Path(task.folder))):
        say(f"{objective.label}, or what it imports, is not what the study trained")
    return 1
