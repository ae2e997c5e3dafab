"""Multilayer perceptron on digits by default, or on any table, array or image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from hpo.objectives.trainer.metrics import METRICS, NAMED
from hpo.search.terms.knobs import AT_LEAST_0, AT_LEAST_1, BELOW_1

if TYPE_CHECKING:
    from hpo.objectives.networks.layers import Sequential
    from hpo.objectives.trainer.tensors import Splits

__all__ = ["METRICS", "NAMED", "build", "data"]

TRIED = (
    {"epochs": 3, "width": 8, "data": "iris"},
    {"epochs": 2, "width": 8, "data": "diabetes", "depth": 1},
    {"epochs": 2, "width": 8, "data": "iris", "batch_size": 8, "accumulation_steps": 2, "batch_schedule": "noise"},
    {"epochs": 2, "width": 8, "data": "iris", "batch_size": "auto", "effective_batch": 32},
    {"epochs": 2, "width": 8, "data": "breast_cancer", "threshold": "tuned", "scoring": "f1, jaccard, cost"},
)


def build(
    *,
    width: Annotated[int, AT_LEAST_1] = 128,
    depth: Annotated[int, AT_LEAST_0] = 2,
    activation: Literal["relu", "leaky_relu", "elu", "gelu", "silu", "tanh"] = "relu",
    normalization: Literal["none", "layer"] = "none",
    dropout: Annotated[float, BELOW_1] = 0.1,
    init: Literal["torch", "xavier", "he", "orthogonal"] = "torch",
) -> Sequential:
    """Stack ``depth`` hidden layers of ``width`` units, each linear, normalized, activated, dropped out.

    Args:
        width: units of each hidden layer.
        depth: hidden layers; 0 gives a linear model.
        activation: nonlinearity after each hidden layer.
        normalization: of the hidden layers before the nonlinearity.
        dropout: share of hidden units dropped in training (Srivastava et al. 2014).
        init: distribution of the first weights.
    """
    from hpo.objectives.networks.layers import Activation, Dropout, Flatten, Layer, LayerNorm, Linear, Sequential

    layers: list[Layer] = [Flatten()]
    for _ in range(depth):
        layers.append(Linear(width, init=init))
        if normalization == "layer":
            layers.append(LayerNorm())
        layers += [Activation(activation), Dropout(dropout)]
    return Sequential((*layers, Linear(init=init)))


def data(
    *,
    data: Any = None,
    split_seed: int = 0,
    text_method: Literal["tfidf", "hashing"] = "tfidf",
    text_unit: Literal["word", "character"] = "word",
    text_ngrams: Annotated[int, AT_LEAST_1] = 1,
    text_features: Annotated[int, AT_LEAST_1] = 2000,
) -> Splits:
    """Load, split and prepare; digits where the study names nothing.

    Args:
        data: name or ``{kind: options}``.
        split_seed: of the split.
        text_method: how columns of free text become numbers.
        text_unit: what their n-grams are of.
        text_ngrams: units of the longest n-gram.
        text_features: n-grams of the vocabulary, or cells of the hash.
    """
    from hpo.objectives.data.words import Words
    from hpo.objectives.trainer.splits import splits

    words = Words(text_method, text_unit, text_ngrams, text_features)
    return splits("digits" if data is None else data, split_seed, words=words)
