"""Running a study from end to end: open or continue it, search, confirm the winner, measure it once on the test."""

from __future__ import annotations

import math
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna

from hpo.search import definition as defining
from hpo.search.budget import Budget
from hpo.search.confirm import Plan, candidates, finalists, fresh_seeds
from hpo.search.dashboard.annotate import annotate
from hpo.search.entry import Entry
from hpo.search.errors import EverythingFailed, HpoError, StoreError
from hpo.search.executors import Executor, Job, Task
from hpo.search.ledger import Ledger
from hpo.search.loop import Loop
from hpo.search.objective.describe import Objective, describe, import_module
from hpo.search.objective.training import Trainer
from hpo.search.plugins import build, build_executor, build_policy, executor_of, pruner_of, sampler_and_policy
from hpo.search.pruners import PrunerContext
from hpo.search.recipe import canonical, derive_seed
from hpo.search.rules import Rules, Silent
from hpo.search.samplers import SamplerContext
from hpo.search.space import Choice, Int
from hpo.search.store import Store, open_store
from hpo.search.study import Study

if TYPE_CHECKING:
    from hpo.search.store.session import Session

CONFIRM = " (confirm)"
"""What is added to a study's name for the study that holds its fresh runs."""


class Progress(Silent):
    """Observer of a whole run: the search, then the fresh runs. Does nothing; the terminal's view derives from it."""

    def opened(self, loop: Loop, phase: str) -> None:
        """A loop is about to run: phase ``search`` or ``confirm``."""

    def say(self, message: str) -> None:
        """Something the user should know."""


@dataclass(frozen=True)
class Context:
    """What the parts of a run share."""

    study: Study
    objective: Objective
    store: Store
    executor: Executor
    progress: Progress


def run(study: Study, *, store: Store | None = None, fresh: bool = False, progress: Progress | None = None) -> Store:
    """Run a study until its budget is spent, or go on where it stopped; returns the store that holds it.

    Args:
        study: what to run.
        store: where it lives; None opens the study's own ``storage``.
        fresh: delete an earlier study of this name first.
        progress: is told what happens.

    Raises:
        UserError: it cannot run, or an earlier study of this name is not comparable.
        Interrupted: Ctrl-C; everything finished is stored.
        EverythingFailed: no trial succeeded.
        StoreError: the store cannot be read or written.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    progress = progress or Progress()
    store = store or open_store(study.storage)
    objective = describe(study.objective, study.folder)
    for note in _data_notes(study, objective):
        progress.say(note)
    if fresh:
        for name in (study.name + CONFIRM, study.name):  # fresh runs first: they must not outlive their study
            if name in store.names():
                store.delete(name)
    with store.session(study.name, study.directions) as session:
        _open(study, objective, session, progress)
        try:
            with _executor(study, objective, progress) as executor:
                context = Context(study, objective, store, executor, progress)
                _decide(context, _search(context, session))
        except StoreError:
            raise
        except HpoError:  # interrupted or failed: what stands is described all the same
            _annotate(study, session)
            raise
        _annotate(study, session)
    return store


def _annotate(study: Study, session: Session) -> None:
    """Bring the study's note and heat map in the dashboard up to date."""
    annotate(session.study, study)
    session.commit()


def _data_notes(study: Study, objective: Objective) -> Sequence[str]:
    """Load a built-in objective's data, so that its mistakes show before anything is written or trained.

    Raises:
        DataError: it cannot be trained on.
    """
    spec = study.data if study.data is not None else objective.default_data
    if objective.kind != "builtin" or spec is None:
        return ()
    from hpo.objectives import data

    return data.load(spec, task_of(study).split_seed).notes


def task_of(study: Study) -> Task:
    """What every trial of a study trains."""
    return Task(study.objective, study.data, derive_seed(study.seed, "split"), str(study.folder), study.device)


def _open(study: Study, objective: Objective, session: Session, progress: Progress) -> None:
    """Store what the study is, or check that it still is what the stored trials belong to."""
    new = defining.definition(study, objective)
    storage, key = session.study._storage, session.study._study_id
    old = session.study.user_attrs.get("definition")
    trials = session.study.get_trials(deepcopy=False)
    if old is not None and trials:
        breaks, notes = defining.compare(old, new, trials)
        if breaks:
            raise defining.refuse(study.name, breaks)
        for note in notes:
            progress.say(note)
        if old["space"] != new["space"]:
            session.rebase(defining.carry_over(trials, study.space))
            key = session.study._study_id
    if old != new:
        storage.set_study_user_attr(key, "definition", canonical(new))
    facts = {"question": study.question, "study_file": study.text, "task": asdict(task_of(study))}
    for name, value in facts.items():
        if session.study.user_attrs.get(name) != value:
            storage.set_study_user_attr(key, name, value)
    names = [goal.metric for goal in study.goals]
    if session.study.metric_names != names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            session.study.set_metric_names(names)
    _annotate(study, session)


@contextmanager
def _executor(study: Study, objective: Objective, progress: Progress) -> Iterator[Executor]:
    plugin = executor_of(study, trained_by_suite=objective.trained_by_suite)
    executor = build_executor(plugin, task_of(study), study.workers)
    try:
        yield executor
        for note in getattr(executor, "notes", ()):
            progress.say(note)
    finally:
        executor.close()


def _search(context: Context, session: Session) -> Ledger:
    study, objective = context.study, context.objective
    ledger = Ledger(study, session, study.recipe)
    sampler, policy = sampler_and_policy(study)
    pruner = pruner_of(study)
    horizon = horizon_of(study, objective)

    def make_sampler(number: int, attempt: int) -> optuna.samplers.BaseSampler:
        seed = derive_seed(study.seed, "sample", number, attempt)
        facts = SamplerContext(
            study.space, study.fixed, seed, study.seed, number, study.directions, study.repeats, attempt
        )
        made: optuna.samplers.BaseSampler = build("sampler", sampler, facts)
        return made

    goal = pruner.options.get("goal")
    judged = next((i for i, known in enumerate(study.goals) if known.metric == goal), 0)
    direction = study.goals[judged].direction
    facts = PrunerContext((direction,), horizon(study.fixed), study.seed, study.name)
    rules = Rules(
        policy=build_policy(policy, study),
        pruner=build("pruner", pruner, facts),
        pruner_name=pruner.name,
        view=_one_goal(session.study, direction),
        judged=judged,
        make_sampler=make_sampler,
        horizon=horizon,
        scratch=_scratch(study, objective),
    )
    _drive(Loop(ledger, context.executor, rules, context.progress), context.progress, "search")
    return ledger


def _decide(context: Context, ledger: Ledger) -> None:
    """Confirm the finalists, choose the winner, measure it on the test split, store the verdict."""
    study = context.study
    several = len(study.goals) > 1
    finals = finalists(ledger, study.confirm.top if study.confirm else len(ledger.entries) if several else 1)
    if not finals:
        return
    seeds = fresh_seeds(study)
    found = candidates(finals, seeds, _fresh_runs(context, finals, seeds) if seeds else [], ledger)
    winner = found[0]
    recipe = canonical({**winner.recipe, "seed": seeds[0]} if winner.runs else winner.recipe)
    old = ledger.optuna.user_attrs.get("winner") or {}
    verdict = {"recipe": recipe, "candidates": [candidate.plain() for candidate in found]}
    if old.get("recipe") == recipe and "test" in old:
        verdict["test"] = old["test"]
    elif context.objective.returns_model:
        context.progress.say("measuring the winner once on the test split")
        verdict["test"] = _test(study, recipe)
    if old != verdict:
        ledger.note_study("winner", verdict)
    ledger.session.commit()


def _fresh_runs(context: Context, finals: list[Entry], seeds: list[int]) -> list[Entry]:
    study = context.study
    question = f"Fresh runs of the finalists of {study.name}"
    again = replace(study, name=study.name + CONFIRM, budget=Budget(), repeats=True, question=question)
    plan = Plan(finals, seeds)
    with context.store.session(again.name, again.directions) as session:
        ledger = Ledger(again, session, plan.recipe)
        plan.place(ledger)
        rules = Rules(
            policy=plan,
            pruner=optuna.pruners.NopPruner(),
            pruner_name="none",
            view=session.study,
            judged=0,
            make_sampler=_no_sampler,
            horizon=horizon_of(study, context.objective),
            scratch=_scratch(again, context.objective),
        )
        try:
            _drive(Loop(ledger, context.executor, rules, context.progress), context.progress, "confirm")
        except EverythingFailed as error:
            context.progress.say(f"no fresh run succeeded: {error}")
        return ledger.entries


def _no_sampler(number: int, attempt: int) -> optuna.samplers.BaseSampler:
    raise AssertionError("fresh runs have their recipes given")


def _test(study: Study, recipe: Mapping[str, Any]) -> dict[str, float] | None:
    """Train the winner once more and measure it on the test split; None where the objective has none."""
    run = Trainer(task_of(study)).start(Job(0, recipe))
    for _ in run:
        pass
    if not hasattr(run.fitted, "test"):
        return None
    scores = run.fitted.test().items()
    return {name: float(score) for name, score in scores if isinstance(score, (int, float)) and math.isfinite(score)}


def _drive(loop: Loop, progress: Progress, phase: str) -> None:
    """Run a loop; the first Ctrl-C ends it after the round is recorded, the second at once."""

    def on_signal(signum: int, frame: Any) -> None:
        if loop.stop:
            raise KeyboardInterrupt
        loop.stop = True
        progress.say("stopping after this round is recorded (again to stop now)")

    handlers = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handlers[number] = signal.signal(number, on_signal)
    try:
        progress.opened(loop, phase)
        loop.run()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def horizon_of(study: Study, objective: Objective) -> Callable[[Mapping[str, Any]], int | None]:
    """How many points a recipe's complete curve has.

    The objective's own ``horizon(recipe)`` where a built-in one has it; else the knob ``epochs`` or its default.
    """
    own = getattr(import_module(objective), "horizon", None) if objective.kind == "builtin" else None
    knob = objective.signature.knobs.get("epochs")
    default = knob.default if knob is not None and isinstance(knob.default, int) else None
    longest = default
    if "epochs" in study.space.names():
        domain = study.space["epochs"].domain
        listed = [value for value in domain.values if isinstance(value, int)] if isinstance(domain, Choice) else []
        longest = domain.high if isinstance(domain, Int) else max(listed, default=default)

    def horizon(recipe: Mapping[str, Any]) -> int | None:
        known = {"epochs": longest, **recipe} if longest else recipe
        found: int | None = own(known) if own is not None else known.get("epochs")
        return found

    return horizon


def _scratch(study: Study, objective: Objective) -> Callable[[int], str | None]:
    """A folder for each trial's checkpoints, where the objective has a parameter ``checkpoint``."""
    if "checkpoint" not in objective.signature.knobs:
        return lambda number: None

    def folder(number: int) -> str:
        path = Path(".hpo", "checkpoints", study.name, str(number)).absolute()
        path.mkdir(parents=True, exist_ok=True)
        return str(path)

    return folder


def _one_goal(study: optuna.Study, direction: str) -> Any:
    """The study as a pruner may see it: with one direction."""
    return study if len(study.directions) == 1 else _OneGoal(study, direction)


class _OneGoal:
    """A study of several goals shown with the one its curves belong to."""

    def __init__(self, study: optuna.Study, direction: str) -> None:
        self._study = study
        self.direction = optuna.study.StudyDirection[direction.upper()]
        self.directions = [self.direction]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)
