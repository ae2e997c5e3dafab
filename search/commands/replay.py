"""Train one trial of a study again and hold its curve against the recorded one; a failed one shows its traceback."""

from __future__ import annotations

import argparse

from hpo.search.commands.common import arguments as options
from hpo.search.report import text
from hpo.search.terms.errors import EverythingFailed, UserError
from hpo.search.terms.threads import set_environment


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("given", nargs="?", metavar="STUDY", help="name of a study in the store")
    parser.add_argument("trial", type=int, metavar="TRIAL", help="number of the trial")
    parser.add_argument("--study", dest="study", metavar="STUDY", help="the study, as an option")
    parser.set_defaults(_stored=True)
    options.add_store(parser)


def main(arguments: argparse.Namespace) -> int:
    """Train the trial's recipe and compare point by point."""
    set_environment()  # before torch and sklearn are imported
    from hpo.search.report import study as report
    from hpo.search.report.recipefile import stored_task
    from hpo.search.running.training import VALUE, Trainer, failure
    from hpo.search.terms.job import Job

    found = report.report(options.store_of(arguments), options.study_name(arguments))
    trial = next((trial for trial in found.trials if trial.number == arguments.trial), None)
    if trial is None:
        raise UserError(f"{found.name} has no trial {arguments.trial}; it has {len(found.trials)}, counted from 0")
    recipe = {"seed": trial.seed, **(found.definition.get("fixed") or {}), **trial.point}
    print(f"trial {trial.number} of {found.name} ({trial.state}): {text.recipe(recipe)}")
    trainer = Trainer(stored_task(found))
    recorded, metric, differ = dict(trial.curve), found.metrics[0], 0
    try:
        run = trainer.start(Job(trial.number, recipe))
        for point in run:
            step = run.step
            value = point.get(metric, point.get(VALUE))
            if value is None:
                raise UserError(f"the objective yields no metric {metric!r}, only {', '.join(point)}")
            known = recorded.get(step)
            differ += known is not None and known != value
            note = "" if known is None else "  as recorded" if known == value else f"  recorded {text.number(known)}"
            print(f"  step {step}: {metric} {text.number(value)}{note}", flush=True)
    except (KeyboardInterrupt, UserError):
        raise
    except Exception as error:
        ended = failure(trial.number, error, trainer.objective)
        raise EverythingFailed(f"trial {trial.number} failed: {ended.reason}\n{ended.detail}") from error
    if recorded:
        print("the curve equals the recorded one" if not differ else f"{differ} of {len(recorded)} points differ")
    return 0
