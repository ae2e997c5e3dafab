"""Whoever follows a study's log of changes knows what a look at every trial would have told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import optuna
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.search.contracts.policy import View
from hpo.search.contracts.pruner import PrunerContext
from hpo.search.curves.followed import Followed
from hpo.search.engine.ledger import ENDS, Ledger
from hpo.search.policies import straight
from hpo.search.pruners import learning_curve
from hpo.search.samplers.common.history import Table, table_of
from hpo.search.samplers.grid import _Grid
from hpo.search.store import open_store
from hpo.search.store.recorder import log_of, trials_of
from hpo.search.terms import registry
from hpo.search.terms.domain import Choice
from hpo.search.terms.space import Parameter, Space
from hpo.search.terms.study import Goal, Study

SPACE = Space((Parameter("x", Choice(tuple(range(12)))), Parameter("y", Choice((0.25, 0.5)))))
PRUNERS = {"successive-halving": {}, "median": {"n_startup_trials": 1}, "hyperband": {}, "wilcoxon": {}}
happenings = st.lists(
    st.tuples(
        st.sampled_from(
            ["start", "point", "point", "point", "pause", "resume", "complete", "pruned", "failed", "look"]
        ),
        st.integers(0, 30),
        st.integers(0, 999),
    ),
    max_size=50,
)


class Running:
    """A study to which things happen, and everybody who follows it."""

    def __init__(self, session: Any, *, maximize: bool) -> None:
        goal = Goal("loss", "maximize" if maximize else "minimize")
        study = Study("study", "live:f", (goal,), SPACE)
        self.ledger = Ledger(study, session, study.recipe)
        self.session, self.view = session, View(SPACE, {}, goal.direction, 0, 9, self.ledger.views, log=self.ledger.log)
        self.pruners = {name: self.made(name) for name in PRUNERS}
        self.curves = self.made("learning-curve")
        self.straight, self.followed, self.grid = straight.make(None), Followed(), _Grid(SPACE, {}, 0)

    def made(self, name: str) -> Any:
        return registry.load("pruner", name).make(PrunerContext(9, 0), **PRUNERS.get(name, {}))

    def happen(self, what: str, which: int, value: int) -> None:
        ledger = self.ledger
        entry = list(ledger.open.values())[which % len(ledger.open)] if ledger.open else None
        if what == "start":
            ledger.start({"x": which % 12, "y": 0.25}, lambda number, attempt: optuna.samplers.RandomSampler())
        elif what == "look":
            self.look()
        elif entry is None:
            return
        elif what == "point":
            if entry.step < 9:
                loss = value + ledger.points / 1e3  # no two alike
                ledger.point(entry, entry.step + 1, (loss,), {"loss": loss})
        elif what in ("pause", "resume"):
            ledger.move(entry, "paused" if what == "pause" else "running")
        elif what == "complete" and not entry.curve:
            return
        else:
            ledger.end(entry, what)  # type: ignore[arg-type] # one of the three

    def look(self) -> None:
        """Compare all that is followed with what is read anew."""
        plain = replace(self.view, trials=list(self.ledger.views), log=None)
        running = [trial.number for trial in plain.trials if trial.state == "running" and trial.curve]
        for name, pruner in self.pruners.items():
            fresh = self.made(name)
            assert [pruner.judge(self.view, n) for n in running] == [fresh.judge(plain, n) for n in running], name
        followed = self.curves._watched.look(self.view)
        fresh = self.made("learning-curve")._watched.look(plain)
        assert (followed.bests, followed.longest, followed.open) == (fresh.bests, fresh.longest, fresh.open)
        assert self.straight.next(self.view) == straight.make(None).next(plain)
        ours, theirs = self.followed.look(self.view), Followed().look(plain)
        assert (ours.points, ours._facts) == (theirs.points, theirs._facts)
        assert ours.horizon(replace(self.view, horizon=None)) == theirs.horizon(replace(plain, horizon=None))
        self.sets(plain)
        self.tables()

    def sets(self, plain: View) -> None:
        ledger = self.ledger
        assert sorted(ledger.open) == [t.number for t in plain.trials if t.state not in ENDS]
        assert ledger.settled == sum(t.state in ENDS and ledger[t.number].retry_of is None for t in plain.trials)
        assert ledger.counts == {s: sum(t.state == s for t in plain.trials) for s in ledger.counts}
        again = Ledger(ledger.study, self.session, ledger.study.recipe)
        assert list(again.views) == plain.trials
        assert set(again.tried()) == set(ledger.tried())
        assert len(ledger.tried()) == len(set(ledger.tried()))
        assert again.only_retries() == ledger.only_retries()

    def tables(self) -> None:
        trials = trials_of(self.session.study)
        table = table_of(self.session.study, SPACE)
        fresh = Table(SPACE, maximize=self.view.direction == "maximize")
        fresh.update(list(trials))
        assert table.ended() == fresh.ended()
        assert table.ranked().tolist() == fresh.ranked().tolist()
        assert table.leading(5).tolist() == table.ranked()[:5].tolist()
        best = table.leading(2)
        assert table.others(best, without=1).tolist() == fresh.others(best, without=1).tolist()
        for name, column in table.columns(SPACE.names(), np.arange(len(trials))).items():
            assert column.tolist() == fresh.columns(SPACE.names(), np.arange(len(trials)))[name].tolist()
        self.grid.update(trials, log_of(self.session.study))
        new = _Grid(SPACE, {}, 0)
        new.update(list(trials), None)
        assert (+self.grid._taken, self.grid._failed) == (+new._taken, new._failed)
        assert self.grid.next(repeats=False) == new.next(repeats=False)


@settings(max_examples=25, deadline=None)
@given(happenings, st.booleans())
def test_what_follows_the_log_knows_what_reading_everything_would_tell(
    happened: list[tuple[str, int, int]], maximize: bool
) -> None:
    with open_store(":memory:").session("study", ["maximize" if maximize else "minimize"]) as session:
        running = Running(session, maximize=maximize)
        for what in [*happened, ("look", 0, 0)]:
            running.happen(*what)


def test_learning_curves_of_trials_that_go_on_are_counted_once() -> None:
    complete = learning_curve._Complete(open=[(0.1, 4), (0.2, 7), (0.3, 1)])
    assert complete.rivals(4, 1) == [0.2]
    assert complete.rivals(9, 2) == [0.1, 0.2, 0.3]
