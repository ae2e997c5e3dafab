"""Running a study from end to end: open or continue it, search, confirm the winner, measure it once on the test."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import optuna

from hpo.search.contracts.executor import Executor
from hpo.search.contracts.policy import Policy
from hpo.search.contracts.pruner import Pruner, PrunerContext
from hpo.search.contracts.sampler import SamplerContext
from hpo.search.dashboard.annotate import annotate
from hpo.search.describe.horizon import horizon_of
from hpo.search.describe.objective import Objective, describe
from hpo.search.engine import definition as defining
from hpo.search.engine import warmstart
from hpo.search.engine.asked import listening
from hpo.search.engine.checkpoints import Folders, drop_folders, drop_kept, log_of, require_place
from hpo.search.engine.context import Context, Progress
from hpo.search.engine.costs import Costs
from hpo.search.engine.lanes import Filled, filled
from hpo.search.engine.ledger import Ledger
from hpo.search.engine.loop import Loop
from hpo.search.engine.plugins import (
    as_begun,
    build,
    build_executor,
    build_policy,
    check_plugins,
    executor_of,
    judged_of,
    pruner_of,
    sampler_and_policy,
    sent,
    unnamed,
)
from hpo.search.engine.rehearsal import rehearse, rehearse_bound
from hpo.search.engine.rules import Rules
from hpo.search.engine.standby import stand_by
from hpo.search.engine.watch import GRACE, Watch
from hpo.search.engine.watched import Watched
from hpo.search.engine.winner import decide
from hpo.search.running.consent import seal
from hpo.search.store import Store, attributes, open_store
from hpo.search.store.names import CONFIRM
from hpo.search.store.recorder import trials_of
from hpo.search.terms import registry
from hpo.search.terms.errors import Busy, HpoError, OutOfTime, StoreError, Unreachable, UserError
from hpo.search.terms.job import Judged
from hpo.search.terms.recipe import canonical, derive_seed
from hpo.search.terms.study import Goal, Study
from hpo.search.terms.warned import AsWarnings

if TYPE_CHECKING:
    from hpo.search.store.session import Session

EARLY = 0.1
"""Share of a complete trial's steps in which nobody is told where it is heading (benchmarks/outlook.py)."""

_UNKNOWN_HORIZON = 1_000
"""Steps up to which somebody may decide where the steps of a complete trial are not known."""

_CLOSING = 5.0
"""Seconds for the objectives' cleaning up at the end of a study that has minutes."""


def run(
    study: Study,
    *,
    store: Store | None = None,
    earlier: Store | None = None,
    fresh: bool = False,
    progress: Progress | None = None,
    grace: float = GRACE,
    wait: bool = False,
) -> Store:
    """Run a study until its budget is spent, or go on where it stopped; returns the store that holds it.

    Args:
        study: what to run.
        store: where it lives; None opens the study's own ``storage``.
        earlier: where the studies of its ``warm_start`` are; None for the same place.
        fresh: delete an earlier study of this name first.
        progress: is told what happens.
        grace: seconds after a signal by which the command has recorded and left, whatever the objective does.
        wait: stand by while another process runs the study, or the store's server is away, and then go on with it.

    Raises:
        UserError: it cannot run, or an earlier study of this name is not comparable.
        Busy: another process runs it.
        Interrupted: Ctrl-C, SIGTERM or SIGHUP; everything finished is stored.
        EverythingFailed: no trial succeeded.
        StoreError: the store cannot be read or written.
    """
    progress = progress or Progress()
    with _optunas_warnings():
        store, reason = store or open_store(study.storage), ""
        while True:
            with Watch(grace, progress.say) as watch:
                try:
                    if wait:
                        stand_by(store, study.name, watch, progress.say, reason)
                    return _run(study, store, earlier or store, fresh, progress, watch)
                except (Busy, Unreachable) as error:
                    if not wait:
                        raise
                    reason = str(error)


@contextmanager
def _optunas_warnings() -> Iterator[None]:
    """What Optuna logs from warnings on is warned of like what other libraries warn of, and shown once."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna.logging.disable_default_handler()
    logger, handler = optuna.logging.get_logger("optuna"), AsWarnings()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        optuna.logging.enable_default_handler()


def _run(study: Study, store: Store, earlier: Store, fresh: bool, progress: Progress, watch: Watch) -> Store:
    for name in (study.name, study.name + CONFIRM):
        if fresh or name not in store.names():
            drop_kept(store, name)  # of an earlier store in this place
    objective = describe(study.objective, study.folder)
    with _executor(study, objective, store, progress, watch) as executor:  # first, as its processes take time to start
        for note in (*study.notes, *_data_notes(study, objective)):
            progress.say(note)
        rehearse(study, objective)
        check_plugins(study)
        defining.start_digest(study.start_from)  # weights that are damaged are told before anything is written
        require_place(study)
        watch.check()
        if fresh or study.name not in store.names():
            rehearse_bound(study, objective)
            warmstart.require(study, earlier)  # before anything is written or deleted
        if fresh:
            for name in (study.name + CONFIRM, study.name):  # fresh runs first: they must not outlive their study
                if (stored := store.read(name)) is not None:
                    store.delete(name)
                    drop_folders(store, stored.system_attrs)
        with store.session(study.name, study.directions) as session, listening(store, study.name, watch):
            watch.writes(session)
            left = unnamed(study)
            study = as_begun(study, session.study.user_attrs.get(attributes.DEFINITION, {}))
            fill = _open(study, objective, earlier, session, progress, left)
            try:
                context = Context(study, objective, store, executor, progress, watch)
                decide(context, *_search(context, session, fill))
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
    notes: Sequence[str] = registry.part("data").notes(spec, study.task.split_seed, text=objective.text)
    return notes


def _open(
    study: Study, objective: Objective, earlier: Store, session: Session, progress: Progress, left: Sequence[str]
) -> Filled:
    """Store what the study is, or check that it still is what the stored trials belong to; how its lanes are filled.

    ``left`` says which plug-ins it leaves to the suite.
    """
    taken = warmstart.settle(study, objective, earlier, session.study, progress.say)
    storage, key = session.study._storage, session.study._study_id
    old = session.study.user_attrs.get(attributes.DEFINITION)
    trials = trials_of(session.study)
    stored = old.get("lanes") if old is not None and trials else None
    fill = filled(study, objective, stored, begun=old is not None and bool(trials))
    new = defining.definition(study, objective, taken, fill.limit, left)
    if old is not None and trials:
        breaks, notes = defining.compare(old, new, trials)
        if breaks:
            raise defining.refuse(study.name, breaks)
        for note in notes:
            progress.say(note)
        if defining.retrained(old, new):
            progress.warn(
                f"{objective.label} is not what {len(trials)} earlier trials of {study.name} trained: they stand beside"
                " new ones; if it trains differently, give it a study of its own with --name (name=...), or start anew "
                "with --fresh (fresh=True)"
            )
        if old["space"] != new["space"]:
            session.rebase(defining.carry_over(trials, study.space))
            key = session.study._study_id
    if old is not None and trials and "source" in old:  # which code the trials are of is told by the first of them
        new |= {key: old.get(key) for key in ("source", "imports")}
    if old != new:
        storage.set_study_user_attr(key, attributes.DEFINITION, canonical(new))
    facts = {
        attributes.QUESTION: study.question,
        attributes.STUDY_FILE: study.text,
        attributes.TASK: asdict(study.task),
        attributes.SEAL: seal(study.task, objective),
    }
    for name, value in facts.items():
        if session.study.user_attrs.get(name) != value:
            storage.set_study_user_attr(key, name, value)
    names = [goal.metric for goal in study.goals]
    if session.study.metric_names != names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            session.study.set_metric_names(names)
    _annotate(study, session)
    return fill


@contextmanager
def _executor(study: Study, objective: Objective, store: Store, progress: Progress, watch: Watch) -> Iterator[Executor]:
    plugin = executor_of(study, trained_by_suite=objective.trained_by_suite)
    task, note = sent(study, objective)
    if note:
        progress.say(note)
    minutes = study.budget.minutes
    watch.deadline = None if minutes is None else watch.began + minutes * 60
    try:
        log = log_of(store, study.name)("start")
        executor = watch.inside(
            "import of the objective", build_executor, plugin, task, study.workers, log, study.devices
        )
    except OutOfTime:
        watch.check()
        raise UserError(
            f"{objective.label} was still being imported when its budget of {minutes:g} minutes was spent: raise "
            "minutes, or train in functions, not while importing"
        ) from None
    watched = Watched(executor, watch, progress.say)
    try:
        yield watched
        watched.tell()
    finally:
        if minutes is not None:
            watch.deadline = time.monotonic() + _CLOSING
        watched.close()


def judged_at(policy: Policy, pruner: Pruner, goal: Goal, horizon: int | None) -> Judged | None:
    """At which steps somebody decides by where a trial is heading; None where nobody does.

    In the first tenth of a training the average of the weights orders recipes no better than the weights do.
    """
    last = horizon or _UNKNOWN_HORIZON
    steps = {step for step in (*policy.checks(last), *pruner.checks(last)) if horizon is None or step > EARLY * last}
    return Judged(goal.metric, frozenset(steps)) if steps else None


def _search(context: Context, session: Session, fill: Filled) -> tuple[Ledger, Costs]:
    study, objective = context.study, context.objective
    sampler, policy = sampler_and_policy(study)
    pruner = pruner_of(study)
    horizon = horizon_of(objective, study.space)

    def make_sampler(number: int, attempt: int) -> optuna.samplers.BaseSampler:
        seed = derive_seed(study.seed, "sample", number, attempt)
        facts = SamplerContext(
            study.space, study.fixed, seed, study.seed, number, study.directions, study.repeats, attempt
        )
        made: optuna.samplers.BaseSampler = build("sampler", sampler, facts)
        return made

    judged = judged_of(study)
    ledger = Ledger(study, session, study.recipe, judged)
    folders = Folders.of(study, objective, context.store, session)
    decides, stops = (
        build_policy(policy, study),
        build("pruner", pruner, PrunerContext(horizon(study.fixed), study.seed)),
    )
    rules = Rules(
        policy=decides,
        pruner=stops,
        make_sampler=make_sampler,
        horizon=horizon,
        folders=folders,
        reserve=context.reserve(ledger, horizon),
        log=log_of(context.store, study.name),
        lanes=fill.limit,
        judged=judged_at(decides, stops, study.goals[judged], horizon(study.fixed))
        if "outlook" in study.record
        else None,
    )
    costs = Costs(ledger, context.store, context.watch.began)
    loop = Loop(ledger, context.executor, rules, context.progress, watch=context.watch, began=context.watch.began)
    context.progress.opened(loop, "search")
    if fill.limit is not None and not ledger.entries:
        context.progress.say(f"lanes: {fill}")
    context.watch.drive(loop)
    left, kept = costs.left(), rules.reserve()
    if left is not None and loop.worked and 0.0 < left <= kept:
        context.progress.say(f"the search leaves {left:.1f} s, as long as fresh runs and test are expected to take")
    folders.clear()
    return ledger, costs
