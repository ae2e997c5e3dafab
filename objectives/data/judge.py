"""What a study measures of predictions beyond the metrics of every curve, and where it decides between two classes.

One implementation for whatever predicts: networks, estimators, combinations, models out of their folders.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hpo.objectives.data import own_metric, scores
from hpo.objectives.data.decision import EVEN, TUNABLE, Costs, best_cut, check_cut, cross_fitted, decided
from hpo.objectives.data.scorers import SCORERS, Said, check, metric, names, scored
from hpo.search.describe.metric import name_of
from hpo.search.terms.errors import Advice, UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hpo.search.contracts.predicted import Predicted

COST, THRESHOLD, UNTUNED = "cost", "threshold", "_untuned"

JUDGED = (
    "val_threshold",
    "val_accuracy_untuned",
    "val_balanced_accuracy_untuned",
    "val_f1_untuned",
    "val_f1_macro_untuned",
    "val_jaccard_untuned",
    "val_matthews_corrcoef_untuned",
    "val_cost_untuned",
)
"""What a curve holds beside where there is a threshold: ``TUNABLE`` without it."""

NAMED = (*SCORERS, "val_cost")
"""What a curve holds where ``scoring`` names it, or a goal does; ``val_cost`` also where mistakes have costs."""


@dataclass(frozen=True)
class Judge:
    """The knobs of a recipe that say how predictions are judged.

    Attributes:
        scoring: further metrics, as scikit-learn calls its scorers or ``cost``; with commas or spaces between them.
        threshold: probability from which on the second of two classes is predicted, or what it is tuned for: one of
            ``TUNABLE``, or ``tuned`` for the first of ``scoring`` among these, for costs where they differ from 1, else
            for balanced accuracy.
        false_positive, false_negative: what mistakes cost.
        metric: the user's own, ``/x/mine.py:profit``; empty for none. Its code runs where predictions are judged.
    """

    scoring: str = ""
    threshold: float | str = EVEN
    false_positive: float = 1.0
    false_negative: float = 1.0
    metric: str = ""

    @cached_property
    def costs(self) -> Costs:
        """What mistakes cost."""
        return Costs(self.false_positive, self.false_negative)

    @property
    def silent(self) -> bool:
        """Whether predictions are judged by the usual metrics and nothing else."""
        return not self.scoring.strip() and not self.metric and self.threshold == EVEN and self.costs == Costs()

    @cached_property
    def tuned_for(self) -> str | None:
        """What the threshold is tuned for; None where it is given."""
        if not isinstance(self.threshold, str):
            return None
        if self.threshold != "tuned":
            return self.threshold
        if self.costs != Costs():
            return COST
        return next((name for name in names(self.scoring) if name in TUNABLE), "balanced_accuracy")

    def check(self, task: str, classes: int) -> None:
        """Refuse what cannot be judged.

        Raises:
            UserError: an unknown metric, a threshold that means nothing, or costs without two classes.
        """
        _ = self._scorers
        check_cut(self.threshold, task, classes)
        if classes != 2 and (self.costs != Costs() or COST in names(self.scoring)):
            check_cut(COST, task, classes)

    def cut(self, y: NDArray[Any], probabilities: NDArray[Any] | None) -> float | None:
        """Where a model decides that says this of held-out rows; None where it takes the likeliest class.

        Raises:
            UserError: there are no probabilities to decide by.
        """
        if self.threshold == EVEN:
            return None
        if probabilities is None:
            raise UserError(
                "threshold needs probabilities, which this estimator does not give: take another, or one of "
                "CalibratedClassifierCV around it"
            )
        if self.tuned_for is None:
            return float(self.threshold)
        return best_cut(y, probabilities[:, 1], self.tuned_for, self.costs)

    def chosen(self, held_out: Callable[[], Predicted | None]) -> float | None:
        """The same of predictions on held-out rows, which are made where there is something to choose by them."""
        found = None if self.threshold == EVEN else held_out()
        return None if found is None else self.cut(found.targets, found.values if found.probable else None)

    def held_out(self, said: Said) -> dict[str, float]:
        """Metrics of what is said of held-out rows, a tuned threshold by cross-fitting on them."""
        cut = self.cut(said.y, said.probabilities)
        if cut is None or said.probabilities is None or self.tuned_for is None:
            return self._decided(said, cut)
        chosen = cross_fitted(said.y, said.probabilities[:, 1], self.tuned_for, self.costs)
        return self._beside(said, chosen, cut)

    def report(self, said: Said, cut: float | None) -> dict[str, Any]:
        """Metrics of what is said of rows by a model that decides at ``cut``, with the confusion matrix of classes."""
        found: dict[str, Any] = dict(self._decided(said, cut))
        if said.classes:
            chosen = said.predicted if cut is None else decided(_second(said), cut)
            found["confusion_matrix"] = scores.confusion_matrix(said.y, chosen, said.classes).tolist()
        return {name: value for name, value in found.items() if not self._unmeasured(name, value)}

    def plain(self) -> dict[str, Any]:
        """As JSON has it; the names are those of the fields, without the metric: a model's folder has its code.

        Nor is that named as a scorer, which it is where it is the goal: a folder may be opened without its code.
        """
        found = {name: value for name, value in asdict(self).items() if name != "metric"}
        if self.metric:
            found["scoring"] = ", ".join(name for name in names(self.scoring) if name != name_of(self.metric))
        return found

    def _decided(self, said: Said, cut: float | None) -> dict[str, float]:
        return self._measured(said) if cut is None else self._beside(said, decided(_second(said), cut), cut)

    def _beside(self, said: Said, chosen: NDArray[Any], cut: float) -> dict[str, float]:
        """Metrics of the classes decided for, and those of the likeliest class beside them where these differ."""
        plain = self._measured(said)
        found = self._measured(replace(said, predicted=chosen))
        return found | {THRESHOLD: cut} | {f"{name}{UNTUNED}": plain[name] for name in TUNABLE if name in plain}

    def _measured(self, said: Said) -> dict[str, float]:
        """The usual metrics, and those that are named."""
        if said.classes:
            found = scores.classification(
                said.y, said.predicted, said.classes, ranking=said.ranking, probabilities=said.probabilities
            )
        else:
            found = scores.regression(said.y, said.predicted)
        if COST in names(self.scoring) or self.costs != Costs() or self.threshold == COST:
            found[COST] = self.costs.mean(said.y, said.predicted)
        for scorer in self._scorers:
            if metric(scorer) not in found:
                found |= scored(scorer, said)
        return found | self._own(said)

    def own(self, said: Said) -> dict[str, float]:
        """The user's own metric; empty where there is none, or it could not be measured, which a warning tells."""
        return {name: value for name, value in self._own(said).items() if not self._unmeasured(name, value)}

    def _own(self, said: Said) -> dict[str, float]:
        """The same, NaN where it could not be measured: a curve's point that fails its trial."""
        if not self.metric:
            return {}
        value, problem = own_metric.measured(self.metric, said)
        if problem:
            warnings.warn(f"metric {name_of(self.metric)} could not be measured: {problem}", Advice, stacklevel=2)
        return {name_of(self.metric): value}

    def _unmeasured(self, name: str, value: Any) -> bool:
        return bool(self.metric) and name == name_of(self.metric) and not math.isfinite(value)

    @cached_property
    def _scorers(self) -> tuple[str, ...]:
        """The names of scikit-learn's scorers, without what is measured anyway."""
        tuned = self.tuned_for
        asked = (*names(self.scoring), *([tuned] if tuned is not None else []))
        own = [name.removeprefix("val_") for name in (*scores.CLASSIFICATION, *scores.REGRESSION, COST)]
        own += [name_of(self.metric)] if self.metric else []
        return tuple(name for name in check(asked, own) if name not in own) if asked else ()


def judge_of(recipe: Mapping[str, Any], metric: str | None = None) -> Judge:
    """How a recipe's predictions are judged, by those of its knobs that say so, and by the user's own metric.

    The metric is code, so no recipe and no model's description names it: who calls this knows that it may run.
    """
    named = [each.name for each in fields(Judge) if each.name != "metric" and recipe.get(each.name) is not None]
    return Judge(**{name: recipe[name] for name in named}, metric=metric or "")


def _second(said: Said) -> NDArray[Any]:
    assert said.probabilities is not None, "a model with a threshold has probabilities"
    second: NDArray[Any] = said.probabilities[:, 1]
    return second
