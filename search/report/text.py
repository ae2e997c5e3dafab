"""Numbers, recipes and curves as a terminal shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hpo.search.contracts.executor import Node

_SHOWN = 8
"""Trials that are named of one machine."""

_BLOCKS = "▁▂▃▄▅▆▇█"


def confusion(matrix: Sequence[Sequence[int]], labels: Sequence[Any] = ()) -> str:
    """Counts [true, predicted] with the names of the classes, or their numbers.

    >>> print(confusion([[50, 2], [1, 7]], ["ham", "spam"]))
    confusion matrix (a row for each true class, a column for each predicted one):
             ham  spam
      ham     50     2
      spam     1     7
    """
    names = [number(label) for label in labels] if len(labels) == len(matrix) else [*map(str, range(len(matrix)))]
    width = max(map(len, names))
    cells = [names, *([str(count) for count in row] for row in matrix)]
    wide = max(len(cell) for row in cells for cell in row)
    heads = ["", *names]
    lines = [
        f"  {head:<{width}}" + "".join(f"  {cell:>{wide}}" for cell in row)
        for head, row in zip(heads, cells, strict=True)
    ]
    return "\n".join(["confusion matrix (a row for each true class, a column for each predicted one):", *lines])


def sparkline(values: Sequence[float], width: int = 24, low: float | None = None, high: float | None = None) -> str:
    """A curve in one line of block characters, thinned to ``width``; what is infinite is at an end, NaN a ``?``.

    >>> sparkline([3, 2, 1]), sparkline([1, float("nan"), 2, float("inf")])
    ('█▅▁', '▁?██')
    """
    if not values:
        return ""
    if len(values) > width:
        values = [values[round(i * (len(values) - 1) / (width - 1))] for i in range(width)]
    finite = [value for value in values if math.isfinite(value)]
    low = min(finite, default=0.0) if low is None else low
    high = max(finite, default=0.0) if high is None else high
    span = (high / 2 - low / 2) or 1.0  # halves: the distance of two finite numbers need not be one

    def block(value: float) -> str:
        if math.isnan(value):
            return "?"
        place = (min(max(value, low), high) / 2 - low / 2) / span
        return _BLOCKS[round(place * (len(_BLOCKS) - 1))]

    return "".join(map(block, values))


def number(value: Any) -> str:
    """A value in at most six significant digits.

    >>> number(0.000123456789), number(12.0), number(True), number("relu"), number(None)
    ('0.000123457', '12.0', 'true', 'relu', 'null')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, float):
        text = f"{value:.6g}"
        return text if any(c in text for c in ".einf") else f"{text}.0"
    return str(value).replace("\n", "\\n").replace("\r", "\\r")


def short(value: float) -> str:
    """A measured value in four significant digits.

    >>> short(0.123456)
    '0.1235'
    """
    return f"{value:.4g}"


def recipe(point: Mapping[str, Any]) -> str:
    """Knobs in one line.

    >>> recipe({"learning_rate": 0.01, "batch_size": 32})
    'learning_rate 0.01, batch_size 32'
    """
    rounded = {name: float(short(value)) if isinstance(value, float) else value for name, value in point.items()}
    return ", ".join(f"{name} {number(value)}" for name, value in rounded.items())


def node(found: Node) -> str:
    """A machine that trains, in a line.

    >>> node(Node("gpu-1", 4, (3, 7), 0.932))
    'gpu-1: 4 lanes, training 3, 7; busy 93% of the time'
    """
    lanes = "1 lane" if found.lanes == 1 else f"{found.lanes} lanes"
    shown = ", ".join(map(str, found.trials[:_SHOWN])) or "nothing"
    rest = f" and {len(found.trials) - _SHOWN} more" if len(found.trials) > _SHOWN else ""
    return f"{found.name}: {lanes}, training {shown}{rest}; busy {found.busy:.0%} of the time"


def known(prior: Mapping[str, Any], taken: Mapping[str, int]) -> str:
    """What a study knew before its first trial: the prior, and how many trials it took of each earlier study.

    >>> known({"learning_rate": 0.003}, {"lr-batch": 40})
    "the prior learning_rate 0.003; 40 trials of 'lr-batch'"
    """
    parts = [f"the prior {recipe(prior)}"] if prior else []
    return "; ".join([*parts, *(f"{count} trials of {name!r}" for name, count in taken.items())])


_UNTUNED = "_untuned"
"""Ending of a metric's name where it is that of a model without its threshold."""

_HEADLINE = ("bpb", "accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "log_loss", "rmse", "mae", "r2")


def scores(found: Mapping[str, float], goals: Sequence[str] = ()) -> str:
    """Test scores in one line: those of the goals, the usual ones, and what a threshold changes; else all.

    >>> scores({"accuracy": 0.97512, "matthews_corrcoef": 0.97})
    'accuracy 0.9751'
    >>> scores({"accuracy": 0.9, "f1": 0.8, "recall": 0.7, "threshold": 0.25, "f1_untuned": 0.6}, ["val_recall"])
    'recall 0.7, accuracy 0.9, f1 0.8 (0.6 untuned), threshold 0.25'
    """
    twins = [name for name in found if f"{name}{_UNTUNED}" in found]
    wanted = [*(goal.removeprefix("val_") for goal in goals), *_HEADLINE, *twins, *(["threshold"] if twins else [])]
    known = {name: found[name] for name in dict.fromkeys(wanted) if name in found} or found

    def shown(name: str) -> str:
        return f" ({short(found[f'{name}{_UNTUNED}'])} untuned)" if name in twins else ""

    return ", ".join(f"{name} {short(value)}{shown(name)}" for name, value in known.items())


def duration(seconds: float) -> str:
    """A time span as people say it.

    >>> duration(3.21), duration(75), duration(7300)
    ('3.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


def interval(mean: float, half: float | None) -> str:
    """A mean with its 95 % interval: two digits of the interval, and never fewer than two of the mean.

    >>> interval(0.0812, 0.004), interval(0.0812, None)
    ('0.0812 ± 0.0040', '0.0812')
    >>> interval(0.1821, 280795.0), interval(1.5e120, 3e118)
    ('0.18 ± 280795.00', '1.5e+120 ± 3e+118')
    """
    if not half:
        return short(mean)
    if not 1e-6 < half < 1e9 or abs(mean) >= 1e9:
        return f"{mean:.4g} ± {half:.2g}"
    digits = max(_decimals(half), _decimals(mean) if mean else 0)
    return f"{mean:.{digits}f} ± {half:.{digits}f}" if digits <= 10 else f"{mean:.4g} ± {half:.2g}"


def _decimals(value: float) -> int:
    """Decimal places that show two significant digits."""
    return max(0, 1 - int(f"{value:e}".partition("e")[2]))
