"""A finished or running study as plain data; text, JSON and tables are made from this and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hpo.search.contracts.executor import Node
from hpo.search.store import attributes
from hpo.search.store.attributes import fact
from hpo.search.terms.errors import UserError, did_you_mean
from hpo.search.terms.study import Goal
from hpo.search.terms.trial import STATES, Trial
from hpo.search.terms.winner import Winner

if TYPE_CHECKING:
    import pandas

    from hpo.search.store import Snapshot, Store


@dataclass(frozen=True)
class StudyReport:
    """One study.

    Attributes:
        goals: as in the study file: ``minimize val_loss``.
        running: who runs it now, None when nobody does.
        counts: number of trials by state.
        points: points recorded in all trials.
        seconds: of all runs, with what came after the search.
        spent: the same by what it was spent on: ``search``, ``fresh runs``, ``test``.
        horizon: points of the longest complete trial, None when none is complete.
        winner: the verdict; None before the search has ended.
        definition: what the trials depend on, as stored.
        task: objective, data and folders on the machine that ran it; see ``terms.job.Task``.
        nodes: the machines that train it now, where they have names.
        seal: says who ran its code from where; see ``running.consent``.
    """

    name: str
    question: str
    goals: tuple[str, ...]
    running: str | None
    counts: Mapping[str, int]
    points: int
    horizon: int | None
    seconds: float
    trials: tuple[Trial, ...]
    winner: Winner | None
    definition: Mapping[str, Any]
    study_file: str = ""
    task: Mapping[str, Any] | None = None
    spent: Mapping[str, float] = field(default_factory=dict)
    seal: str | None = None
    nodes: tuple[Node, ...] = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metric of each goal."""
        return tuple(goal.split()[-1] for goal in self.goals)

    @property
    def saved(self) -> float:
        """Share of the points of complete training that pruning saved, in [0, 1].

        How long a pruned trial would have trained is not stored: as long as complete ones did on average.
        """
        complete = [len(trial.curve) for trial in self.trials if trial.state == "complete"]
        pruned = [len(trial.curve) for trial in self.trials if trial.state == "pruned"]
        if not complete or not sum(complete):
            return 0.0
        whole = sum(complete) / len(complete)
        full = sum(complete) + sum(max(whole, length) for length in pruned)
        return 1.0 - (sum(complete) + sum(pruned)) / full

    def ranked(self) -> list[Trial]:
        """Complete trials, best first goal first."""
        sign = -1.0 if self.goals and self.goals[0].startswith("maximize") else 1.0
        complete = [trial for trial in self.trials if trial.state == "complete" and trial.values]
        return sorted(complete, key=lambda trial: (sign * trial.values[0], trial.number))

    def leading(self) -> list[Trial]:
        """Finalists in the order of their fresh runs, stopped ones too, then the other complete trials, best first."""
        known = {trial.number: trial for trial in self.trials}
        named = [candidate.trial for candidate in self.winner.candidates] if self.winner else []
        finalists = [known[number] for number in named if number in known]
        return finalists + [trial for trial in self.ranked() if trial.number not in named]

    def front(self) -> list[Trial]:
        """Complete trials that no other one beats in every goal (the Pareto front), best first goal first."""
        signs = [-1.0 if goal.startswith("maximize") else 1.0 for goal in self.goals]
        costs = {t.number: [s * v for s, v in zip(signs, t.values, strict=True)] for t in self.ranked()}

        def beaten(number: int) -> bool:
            cost = costs[number]
            return any(o != cost and all(a <= b for a, b in zip(o, cost, strict=True)) for o in costs.values())

        return [trial for trial in self.ranked() if not beaten(trial.number)]

    def plain(self) -> dict[str, Any]:
        """Everything as JSON-ready data."""
        shallow = replace(self, winner=None)
        return {**asdict(shallow), "winner": self.winner.plain() if self.winner else None, "saved": self.saved}


def report(store: Store, name: str) -> StudyReport:
    """Read a study from its store.

    Raises:
        UserError: there is no such study.
    """
    snapshot = store.read(name)
    if snapshot is None:
        names = store.names()
        hint = did_you_mean(name, names) if names else "it holds no study yet; start one with: hpo run --study lr-batch"
        raise UserError(f"there is no study {name!r} in {store.display}" + (f": {hint}" if hint else ""))
    return summarize(snapshot, store.running(name))


def summarize(snapshot: Snapshot, running: str | None = None) -> StudyReport:
    """Report of a study read from a store, whoever wrote it."""
    attrs = snapshot.user_attrs
    definition = fact(attrs, attributes.DEFINITION, Mapping, {})
    winner = fact(attrs, attributes.WINNER, Mapping, {})
    several = len(snapshot.directions) > 1  # Optuna's own names where it was given none
    unnamed = [f"values_{i}" if several else "value" for i in range(len(snapshot.directions))]
    names = snapshot.system_attrs.get("study:metric_names") or unnamed
    goals = definition.get("goals") or [f"{way} {name}" for way, name in zip(snapshot.directions, names, strict=False)]
    known = [Goal.read(goal) for goal in definition.get("goals", ())]
    judged = next((i for i, goal in enumerate(known) if goal.metric == definition.get("judged")), 0)
    trials = tuple(attributes.read_trial(trial, known, judged) for trial in snapshot.trials)
    search = float(fact(attrs, attributes.SECONDS, (int, float), 0.0))
    after = fact(snapshot.system_attrs, attributes.SPENT, Mapping, {})
    spent = {"search": search, **{what: float(took) for what, took in after.items()}}
    counts: dict[str, int] = dict.fromkeys(STATES, 0)
    for trial in trials:
        counts[trial.state] += 1
    return StudyReport(
        name=snapshot.name,
        question=fact(attrs, attributes.QUESTION, str, ""),
        goals=tuple(goals),
        running=running,
        counts=counts,
        points=sum(len(trial.curve) for trial in trials),
        horizon=max((len(trial.curve) for trial in trials if trial.state == "complete"), default=None),
        seconds=round(sum(spent.values()), 3),
        trials=trials,
        winner=Winner.read(winner if "candidates" in winner else None),
        definition=definition,
        study_file=fact(attrs, attributes.STUDY_FILE, str, ""),
        task=fact(attrs, attributes.TASK, Mapping, None),
        spent=spent,
        seal=fact(attrs, attributes.SEAL, str, None),
        nodes=tuple(Node(**node) for node in snapshot.system_attrs.get(attributes.CLUSTER, ())) if running else (),
    )


def table(found: StudyReport) -> pandas.DataFrame:
    """One row a trial: number, state, values, params_*, and what is known of each trial.

    A goal that is called as one of the other columns has its value under ``goal_`` and its name.
    """
    import pandas

    rows, names, taken = [], found.metrics, ("number", "state", "steps", "seconds", "seed", "reason")
    for trial in found.trials:
        columns = (f"goal_{name}" if name in taken or name.startswith(("params_", "last_")) else name for name in names)
        values = dict(zip(columns, trial.values, strict=False))
        row: dict[str, Any] = {"number": trial.number, "state": trial.state, **values}
        row |= {f"params_{name}": value for name, value in trial.point.items()}
        row |= {"steps": len(trial.curve), "seconds": trial.seconds, "seed": trial.seed, "reason": trial.reason}
        row |= {f"last_{name}": value for name, value in trial.metrics.items()}
        rows.append(row)
    return pandas.DataFrame(rows).set_index("number") if rows else pandas.DataFrame()
