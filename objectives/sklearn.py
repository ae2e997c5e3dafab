"""Any scikit-learn estimator by name, with its parameters as knobs and preparation fitted on training rows alone.

::

    objective: sklearn
    fixed: {estimator: RandomForestClassifier, n_estimators: 300}
    search: {max_features: {float: [0.1, 1.0]}, min_samples_leaf: {int: [1, 20], log: true}}
    data: {table: {path: patients.csv, target: outcome}}
    goal: maximize val_balanced_accuracy

An estimator that wraps another (AdaBoost, bagging, self-training, calibration) takes that one's name as
``base_estimator`` and its parameters as ``estimator__max_depth``. Those made of several (voting, stacking, pipelines)
take ``estimators`` or ``steps``, a mapping of names, and ``final_estimator``::

    fixed: {estimator: Pipeline, steps: {pca: PCA, model: SVC}}
    search: {pca__n_components: {int: [2, 20]}, model__C: {float: [0.1, 100], log: true}}

The learning curve follows from the estimator:

- ``partial_fit`` over several passes (SGD, Perceptron, MLP): one pass over newly shuffled rows, one point. A
  regression's target is standardised for these, as they need it; predictions and scores are in original units.
- ``warm_start`` ensembles (forests, bagging, gradient boosting), and LightGBM, XGBoost and CatBoost: grown to their
  size in ``epochs`` equal steps.
- everything else: cross-validation over the train and validation parts, one fold one point, marked by ``fold``.

A study has one scheme: where any of the estimators it searches needs folds, all trials get them, unless it says
``curve: epochs`` or ``curve: folds`` itself.

Metrics are ``val_`` and the scikit-learn name, losses positive: ``val_accuracy``, ``val_log_loss``, ``val_rmse``. A
goal may name any of scikit-learn's scorers, which is then measured. ``threshold: tuned`` decides between two classes
where that is best for the goal; ``resample`` evens out the classes of the training rows.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Literal

from hpo.objectives.data.judge import JUDGED, NAMED
from hpo.objectives.data.scores import CLASSIFICATION, REGRESSION
from hpo.objectives.estimators.base import FINAL, KEPT, LISTS, PLACES, insides
from hpo.objectives.estimators.scheme import ROUNDS, doubtful, settle
from hpo.objectives.estimators.source import constructor, documented, estimators
from hpo.search.terms.knobs import AT_LEAST_0, AT_LEAST_1, AT_LEAST_2, INSIDE_1, ClassWeights

if TYPE_CHECKING:
    from hpo.objectives.estimators.model import Model

__all__ = [
    "METRICS", "NAMED", "attempt", "doubtful", "estimators", "horizon", "open_docs", "open_knobs", "settle", "train",
]  # fmt: skip

DISCLAIMS = ("every metric",)  # most are of scorers, one at a time
TRIED = (
    {"estimator": "SGDClassifier", "epochs": 3, "loss": "log_loss", "data": "iris"},
    {"estimator": "RandomForestClassifier", "epochs": 2, "n_estimators": 4, "data": "iris", "scoring": "f1_weighted"},
    {"estimator": "HistGradientBoostingRegressor", "epochs": 2, "max_iter": 4, "data": "diabetes"},
    {"estimator": "SVC", "folds": 2, "data": "iris"},
)
METRICS = (*CLASSIFICATION, *REGRESSION, *JUDGED)

OWN = (
    "estimator",
    "base_estimator",
    "data",
    "split_seed",
    "seed",
    "epochs",
    "folds",
    "curve",
    "class_weight",
    "resample",
    "scoring",
    "metric",
    "threshold",
    "false_positive",
    "false_negative",
    "text_method",
    "text_unit",
    "text_ngrams",
    "text_features",
)
"""Parameters of ``train`` itself."""


def horizon(recipe: Mapping[str, Any]) -> int | None:
    """Points of a complete curve under a recipe: its epochs, or its folds; None when the recipe cannot be built."""
    from hpo.objectives.estimators import curves
    from hpo.objectives.estimators.build import assemble
    from hpo.search.terms.errors import UserError

    parameters = {name: value for name, value in recipe.items() if name not in OWN}
    try:
        model = assemble(recipe["estimator"], parameters, recipe.get("base_estimator"))
    except (UserError, KeyError):
        return None  # its trial says what is wrong
    stepwise = recipe.get("curve") != "folds" and curves.kind_of(model) is not None
    return int(recipe.get("epochs", 10) if stepwise else recipe.get("folds", 5))


def train(
    *,
    estimator: str,
    base_estimator: str | None = None,
    data: Any = "digits",
    split_seed: int = 0,
    seed: int = 0,
    epochs: Annotated[int, AT_LEAST_1] = 10,
    folds: Annotated[int, AT_LEAST_2] = 5,
    curve: Literal["auto", "epochs", "folds"] = "auto",
    class_weight: Literal["balanced", "sqrt"] | ClassWeights | None = None,
    resample: Literal["none", "over", "under", "smote"] = "none",
    scoring: str | None = None,
    metric: str | None = None,
    threshold: Annotated[
        float
        | Literal["tuned", "accuracy", "balanced_accuracy", "f1", "f1_macro", "jaccard", "matthews_corrcoef", "cost"],
        INSIDE_1,
    ] = 0.5,
    false_positive: Annotated[float, AT_LEAST_0] = 1.0,
    false_negative: Annotated[float, AT_LEAST_0] = 1.0,
    text_method: Literal["tfidf", "hashing"] = "tfidf",
    text_unit: Literal["word", "character"] = "word",
    text_ngrams: Annotated[int, AT_LEAST_1] = 1,
    text_features: Annotated[int, AT_LEAST_1] = 2000,
    **parameters: Any,
) -> Generator[dict[str, float], None, Model]:
    """Train a scikit-learn estimator; the model is returned when the curve is complete, and can go back to any point.

    Args:
        estimator: class name, ``RandomForestClassifier``, or the path of another package's, ``package.Class``.
        base_estimator: the estimator inside of one that wraps another, such as bagging; named in the same way.
        data: name or ``{kind: options}``; see ``hpo.objectives.data``.
        split_seed: of the split and of the folds.
        seed: of the estimator and of shuffling.
        epochs: points of the curve: passes over the data, or steps in which an ensemble grows.
        folds: of the cross-validation.
        curve: ``epochs`` or ``folds`` to insist on one of them.
        class_weight: classes weigh inversely to their count, or to its square root, or as ``{no: 1, yes: 10}`` says.
        resample: training rows of each split: the rarer classes' repeated, the larger ones' left out, or, under
            ``smote``, new ones between neighbours of the rarer classes (Chawla et al. 2002; needs imbalanced-learn).
        scoring: further metrics of the curve, by scikit-learn's names, or ``cost``, with commas between them.
        metric: the study's own, ``/x/mine.py:profit``.
        threshold: probability from which on the second of two classes is predicted, or what it is tuned for on
            validation rows; ``tuned``: for costs or the goal.
        false_positive: cost of predicting the second of two classes for a row of the first.
        false_negative: cost of predicting the first of two classes for a row of the second.
        text_method: how columns of free text become numbers.
        text_unit: what their n-grams are of.
        text_ngrams: units of the longest n-gram.
        text_features: n-grams of the vocabulary, or cells of the hash.
        parameters: of the estimator's constructor, and of the base estimator's with ``estimator__`` before them.

    Raises:
        UserError: unknown estimator, parameter, scorer; an estimator for another task, or without such a curve.
        DataError: data that cannot be trained on.
    """
    from sklearn.base import clone

    from hpo.objectives.data import Words, load
    from hpo.objectives.data.class_weights import numbered
    from hpo.objectives.data.judge import Judge
    from hpo.objectives.estimators import curves
    from hpo.objectives.estimators.build import build
    from hpo.objectives.estimators.model import Model, predicted, said
    from hpo.objectives.estimators.resampling import check_resample, resampled
    from hpo.search.terms.errors import UserError

    for name, value, least in (("epochs", epochs, 1), ("folds", folds, 2)):
        if value < least:
            raise UserError(f"{name} must be at least {least}, got {value}")
    dataset = load(data, split_seed)
    classes = len(dataset.classes)
    judge = Judge(scoring or "", threshold, false_positive, false_negative, metric or "")
    judge.check(dataset.task, classes)
    check_resample(resample, classes)
    model = build(estimator, parameters, dataset.task, seed, dataset.name, base_estimator)
    if class_weight is not None and dataset.task == "regression":
        raise UserError(f"class_weight is for classification, but {dataset.name} is a regression task")
    if class_weight is not None:
        class_weight = numbered(class_weight, dataset.classes, classes)
    kind = None if curve == "folds" else curves.kind_of(model)
    if kind is None and curve == "epochs":
        raise UserError(f"{estimator} learns in one go with these parameters: use curve: folds")
    if kind == "passes" and "max_iter" in parameters:
        raise UserError(f"max_iter does nothing here: {estimator} is trained for {epochs} passes, set by epochs")
    words = Words(text_method, text_unit, text_ngrams, text_features)
    inputs = curves.Inputs.of(model, words)

    def points(fitted: Any, held_out: curves.Prepared) -> dict[str, float]:
        found = judge.held_out(said(fitted, held_out.X_validation, held_out.y_validation, classes))
        return {f"val_{name}": value for name, value in found.items()}

    if kind is not None:
        prepared = resampled(curves.holdout(dataset, inputs), resample, seed)

        def learn() -> Iterator[Any]:
            fresh = clone(model)
            if kind == "passes":
                return curves.passes(fresh, prepared, epochs, seed, class_weight, classes)
            if kind == ROUNDS:
                return curves.rounds(fresh, prepared, epochs, class_weight)
            return curves.growth(fresh, prepared, kind, epochs, class_weight)

        def learned(steps: int) -> tuple[Any, Any]:
            *_, fitted = islice(learn(), steps)
            return prepared.prepare, fitted

        fitted = model
        for fitted in learn():
            yield points(fitted, prepared)
        return Model(dataset, lambda: (prepared.prepare, fitted), learned, judge=judge, words=words)

    held_out = []
    for index in range(folds):
        part = resampled(curves.fold(dataset, index, folds, split_seed, inputs), resample, seed)
        fresh = clone(model)
        curves.fit_whole(fresh, part, class_weight)
        held_out.append(predicted(fresh, part.X_validation, part.y_validation, classes))
        yield {"fold": index + 1, **points(fresh, part)}

    def refitted() -> tuple[Any, Any]:
        whole = resampled(curves.refit(dataset, inputs), resample, seed)
        curves.fit_whole(model, whole, class_weight)
        return whole.prepare, model

    return Model(dataset, refitted, folds=tuple(held_out), judge=judge, words=words)


def open_knobs(fixed: Mapping[str, Any]) -> dict[str, Any] | None:
    """Parameters of the fixed estimator that a study may name, with their defaults (``...``: not a literal).

    Reads scikit-learn's source, imports nothing of it. None when the estimator is not fixed, is not found, or takes
    keywords that its source does not name.
    """
    from hpo.objectives.estimators.build import MANAGED

    name = fixed.get("estimator")
    own = constructor(name) if isinstance(name, str) else None
    if own is None:
        return None
    found = {parameter: value for parameter, value in own.items() if parameter not in (*OWN, *MANAGED)}
    for prefix, inside in insides(fixed).items():
        known = {} if inside in KEPT else constructor(inside)
        if known is None or any(parameter in (*LISTS, FINAL, *PLACES) for parameter in known):
            return None  # what is made of others in its turn may take any of theirs
        found |= {f"{prefix}__{parameter}": value for parameter, value in known.items() if parameter not in MANAGED}
    return found


def open_docs(fixed: Mapping[str, Any]) -> dict[str, str]:
    """What the classes of the fixed estimators say of their parameters."""
    name = fixed.get("estimator")
    found = documented(name) if isinstance(name, str) else {}
    for prefix, inside in insides(fixed).items():
        found |= {f"{prefix}__{parameter}": text for parameter, text in documented(inside).items()}
    return found


def attempt(recipe: Mapping[str, Any]) -> None:
    """Build a recipe's estimator and fit it on a few made rows, so that what can only fail does so before a search.

    Raises:
        Exception: whatever it raises that does not depend on how many rows and features there are.
    """
    from hpo.objectives.estimators.attempt import attempt_fit

    parameters = {name: value for name, value in recipe.items() if name not in OWN}
    attempt_fit(recipe["estimator"], parameters, recipe.get("base_estimator"))
