"""Nothing yet: a study that runs as it stands, with what its keys may say."""

from __future__ import annotations

from hpo.search.contracts.draft import Draft, Given


def takes(given: Given) -> bool:
    """Whether nothing was given."""
    return not given.word and given.source is None and given.data is None


def draft(given: Given) -> Draft:
    """A study of a small network on a bundled data set."""
    made = Draft("study", "Which recipe suits my model? (the first comment is the question that lists show)")
    made.study = {
        "objective": "mlp",
        "data": "digits",
        "goal": "minimize val_loss",
        "search": {
            "learning_rate": {"float": [1e-4, 1e-1], "log": True},
            "batch_size": {"choice": [16, 32, 64, 128]},
            "dropout": {"float": [0.0, 0.5]},
        },
        "fixed": {"epochs": 20},
        "budget": {"trials": 40},
        "seed": 0,
    }
    made.why = {
        "objective": "or ./mymodel.py, {script: train.py}, {command: './train.sh --lr {learning_rate}'}",
        "data": "or {table: {path: my.csv, target: y}}",
        "goal": "minimize or maximize, and a metric of the objective",
        "search": "what varies: float or int with two ends, or choice",
        "search.learning_rate": "log: true draws evenly over the decades",
        "search.dropout": "of one kind only? when: {optimizer: sgd}",
        "fixed": "knobs with one value",
        "budget": "also minutes, steps, target",
        "sampler": "hpo list samplers; weak trials are stopped by the pruner, pruner: none leaves them",
        "seed": "the same seed gives the same study",
    }
    return made
