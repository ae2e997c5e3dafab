"""What the model of a recipe gives on the parts of the data that it is not trained on; it is trained for that."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from hpo.search.contracts.predicted import PartName, Predicted
from hpo.search.running.forks import stay
from hpo.search.running.scratch import fresh_scratch
from hpo.search.running.training import Run, Trainer, failure, kept, number_of, predictions
from hpo.search.terms import registry
from hpo.search.terms.errors import Advice, NoTestPart, OutOfTime
from hpo.search.terms.job import Failed, Job, Task
from hpo.search.terms.study import Goal

T = TypeVar("T")


class Tested(NamedTuple):
    """What a model gave on the test split.

    Attributes:
        scores: its metrics, finite numbers.
        picture: where it errs, see ``terms.winner.Winner``; empty where its predictions are not to be had.
    """

    scores: dict[str, float]
    picture: dict[str, Any]


def scores_on_test(task: Task, recipe: Mapping[str, Any], goals: Sequence[Goal]) -> tuple[Tested | None, Failed | None]:
    """Train once and measure the model on the test split: its scores, or why there are none.

    Both are None where the objective gives no model that can be tested, or the data keep no test part.
    """

    def test(model: Any) -> tuple[Mapping[str, Any], dict[str, Any]] | None:
        if not hasattr(model, "test"):
            return None
        try:
            scores, predicted = dict(model.test()), predictions(model, "test")
        except NoTestPart:  # as its data says: there is nothing to measure
            return None
        if predicted is None:
            return scores, {}
        picture = registry.part("data").picture(predicted.targets, predicted.values)
        decided = {"confusion_matrix": matrix} if (matrix := scores.get("confusion_matrix")) else {}
        return scores, {**picture, **decided, "labels": [str(label) for label in predicted.labels]}

    found, failed = _trained_once(task, recipe, goals, test)
    if found is None:
        return None, failed
    numbers = {name: number_of(score) for name, score in found[0].items()}
    scores = {name: score for name, score in numbers.items() if score is not None and math.isfinite(score)}
    return Tested(scores, found[1]), None


def predictions_on(
    task: Task, recipe: Mapping[str, Any], goals: Sequence[Goal], part: PartName
) -> tuple[Predicted | None, Failed | None]:
    """Train once and predict on a part: the predictions, or why there are none.

    Both are None where the objective gives no model whose predictions can be combined.
    """
    return _trained_once(task, recipe, goals, lambda model: predictions(model, part))


def _trained_once(
    task: Task, recipe: Mapping[str, Any], goals: Sequence[Goal], use: Callable[[Any], T]
) -> tuple[T | None, Failed | None]:
    """What becomes of the model that a recipe's value stands for, or why there is nothing."""

    def used(run: Run) -> T:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Advice)  # the search has told it
            points = [(run.step, point) for point in run]
        return use(kept(run.fitted, goals, points)[0])

    trainer = Trainer(task)
    try:
        with fresh_scratch() as scratch:
            run = trainer.start(Job(0, recipe, checkpoints=scratch))
            return stay(used, run), None
    except (KeyboardInterrupt, OutOfTime):
        raise
    except BaseException as error:  # the objective's own
        return None, failure(0, error, trainer.objective)
