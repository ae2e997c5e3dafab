"""A trial as a script written for Optuna sees it: what it suggests are the recipe's values.

A script that reports runs in a thread that holds still at each report until the search wants the next point, so it is
stopped, suspended and repeated like any other objective. Its ``should_prune`` is always false: whoever is pruned never
returns from ``report``.
"""

from __future__ import annotations

import datetime
import random
import sys
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from hpo.search.describe.trial_ranges import Unclear, domain_of
from hpo.search.running.callback import from_callback
from hpo.search.terms.domain import Choice
from hpo.search.terms.errors import Advice, UserError
from hpo.search.terms.recipe import derive_seed, digest

Metrics = Mapping[str, float]
VALUE = "value"


class AskedStudy:
    """Stands for ``trial.study``: callbacks ask it for the direction, and for a storage that is not there."""

    _storage = None

    def __init__(self, directions: Sequence[str]) -> None:
        self._directions = tuple(directions)

    @property
    def directions(self) -> list[Any]:
        """Of the goals, as Optuna has them."""
        import optuna

        return [optuna.study.StudyDirection[direction.upper()] for direction in self._directions]

    @property
    def direction(self) -> Any:
        """Of the only goal."""
        found = self.directions
        if len(found) != 1:
            raise UserError("the script asks its study for one direction, and there are several goals: use directions")
        return found[0]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise UserError(f"the script reads trial.study.{name}, and a trial knows nothing of the others here")


class SuggestingTrial:
    """Stands for ``optuna.trial.Trial``.

    Attributes:
        number: the trial's number in the study.
        study: which way is better.
        params: what was suggested so far.
        user_attrs: what the script noted.
        system_attrs: the same, of callbacks.
        distributions: none: ranges are the study's.
    """

    def __init__(
        self,
        number: int,
        recipe: Mapping[str, Any],
        report: Callable[[Metrics], None],
        directions: Sequence[str] = (),
    ) -> None:
        """Take the values from a recipe, and hand points to ``report``."""
        self.number = self._trial_id = number
        self.study = AskedStudy(directions)
        self.params: dict[str, Any] = {}
        self.user_attrs: dict[str, Any] = {}
        self.system_attrs: dict[str, Any] = {}
        self.distributions: dict[str, Any] = {}
        self.relative_params: dict[str, Any] = {}
        self.datetime_start = datetime.datetime.now()
        self._recipe, self._report = dict(recipe), report
        self._drawn_by = digest(recipe, without_seed=True)
        self._first: int | None = None
        self.last: tuple[int, float] | None = None

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number of the range."""
        return float(self._suggest("suggest_float", name=name, low=low, high=high, step=step, log=log))

    def suggest_int(self, name: str, low: int, high: int, step: int = 1, log: bool = False) -> int:
        """A whole number of the range."""
        return int(self._suggest("suggest_int", name=name, low=low, high=high, step=step, log=log))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of the choices, the very one that the script names."""
        return self._suggest("suggest_categorical", name=name, choices=list(choices))

    def suggest_uniform(self, name: str, low: float, high: float) -> float:
        """``suggest_float``."""
        return self.suggest_float(name, low, high)

    def suggest_loguniform(self, name: str, low: float, high: float) -> float:
        """``suggest_float(log=True)``."""
        return self.suggest_float(name, low, high, log=True)

    def suggest_discrete_uniform(self, name: str, low: float, high: float, q: float) -> float:
        """``suggest_float(step=q)``."""
        return self.suggest_float(name, low, high, step=q)

    def _suggest(self, method: str, **given: Any) -> Any:
        name = given["name"]
        try:
            domain = domain_of(method, given)
        except Unclear as why:
            raise UserError(f"{name} cannot be suggested: {why}") from None
        if name in self.params and name not in self._recipe:
            return self.params[name]
        if name in self._recipe:
            value = self._recipe[name]
            if not domain.contains(value):
                raise UserError(
                    f"{name} is {value!r} in this trial, and the script takes {_told(domain)} there: what it takes "
                    "differs between trials, or the study's range is wider; narrow it under search"
                )
            value = domain.nearest(value) if not isinstance(domain, Choice) else domain.values[domain.index(value)]
        else:
            draw = random.Random(derive_seed(0, self._drawn_by, name))  # the same in every run of the recipe
            value = domain.from_unit(draw.random())
            if isinstance(value, (int, float)):
                self.user_attrs.setdefault(name, value)
        self.params[name] = value
        return value

    def report(self, value: float, step: int) -> None:
        """A point of the curve; steps from 0 on are counted from 1 on."""
        step, number = int(step), float(value)
        if self._first is None:
            self._first = step
        place = step + max(0, 1 - self._first)
        if self.last is not None and place <= self.last[0]:
            warnings.warn(f"step {step} was reported before and is left out", Advice, stacklevel=2)
            return
        self.last = place, number
        self._report({**self._noted(), "step": place, VALUE: number})

    def should_prune(self) -> bool:
        """False: a trial that is stopped ends inside ``report``."""
        return False

    def set_user_attr(self, key: str, value: Any) -> None:
        """Note something; numbers are metrics of the points that follow."""
        self.user_attrs[key] = value

    def set_system_attr(self, key: str, value: Any) -> None:
        """Note something of a callback."""
        self.system_attrs[key] = value

    def end(self, returned: Any) -> None:
        """Report what the script returned, unless that was its last report."""
        step = 1 if self.last is None else self.last[0] + 1
        if isinstance(returned, (tuple, list)):
            values = {f"{VALUE}_{place}": _real(value) for place, value in enumerate(returned)}
            self._report({**self._noted(), "step": step, **(values if len(values) > 1 else {VALUE: values["value_0"]})})
            return
        number = _real(returned)
        if self.last is None or (self.last[1] != number and not (number != number and self.last[1] != self.last[1])):
            self._report({**self._noted(), "step": step, VALUE: number})

    def _noted(self) -> dict[str, float]:
        attrs = {key: value for key, value in self.user_attrs.items() if isinstance(value, (int, float))}
        return {key: float(value) for key, value in attrs.items() if key not in (VALUE, "step")}


def suggesting(
    function: Callable[[Any], Any],
    number: int,
    recipe: Mapping[str, Any],
    *,
    reports: bool = True,
    directions: Sequence[str] = (),
) -> Generator[Metrics, None, Any]:
    """Run a function of a trial for its curve.

    Args:
        function: the objective.
        number: the trial's number.
        recipe: the values that it is to suggest, and its seed.
        reports: whether it may report; if not, it runs in the caller's thread.
        directions: of the study's goals.

    Raises:
        UserError: it returned no number, suggested what the recipe does not fit, or pruned itself before any report.
    """
    _seed(int(recipe.get("seed", 0)))

    def fit(report: Callable[[Metrics], None]) -> None:
        trial = SuggestingTrial(number, recipe, report, directions)
        try:
            returned = function(trial)
        except Exception as error:
            if type(error).__name__ != "TrialPruned":
                raise
            if trial.last is None:
                raise UserError("the script pruned the trial itself, before it had reported a value") from None
            return
        trial.end(returned)

    if reports:
        return from_callback(fit)
    points: list[Metrics] = []
    fit(points.append)
    return (point for point in points)


def _real(value: Any) -> float:
    try:
        if not isinstance(value, bool):
            return float(value)
    except (TypeError, ValueError):
        pass
    raise UserError(f"the script must return a number, or several, got {str(value)[:80]!r}")


def _seed(seed: int) -> None:
    """Seed what scripts draw from, as far as they have imported it, so that a trial can be repeated."""
    random.seed(seed)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed(seed % 2**32)
    if (torch := sys.modules.get("torch")) is not None:
        torch.manual_seed(seed)


def _told(domain: Any) -> str:
    if isinstance(domain, Choice):
        return " or ".join(repr(value) for value in domain.values)
    return f"{domain.low} to {domain.high}" + (f" in steps of {domain.step}" if domain.step not in (None, 1) else "")
