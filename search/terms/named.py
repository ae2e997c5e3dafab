"""Numbers with names in a line of text: what a program prints of its metrics, and the names that stand for the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_NUMBER = (
    r"[-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d[\d_]*(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?"
    r"|(?i:nan|inf(?:inity)?))"
)
_WORD = r"[A-Za-z_][\w@./-]*(?:'s)?"
_PAIR = re.compile(
    rf"(?<![\w@./\\-])(?P<name>{_WORD}(?: {_WORD})*)"
    r"(?P<between>[\"']?\s*[:=]\s*[\"']?|\s+)(?:[\w.]*(?:tensor|float\d*|array)\(\[?)?"
    rf"(?P<number>{_NUMBER})(?:\s?/\s?(?P<of>\d[\d,]*))?(?!\w|[.,]\d|\.\w)"
)
_PHASE = r"train(?:ing)?|val(?:id|idation)?|test|eval(?:uation)?|dev"
_SAYS_PHASE = re.compile(rf"(?<![A-Za-z])(?:{_PHASE})(?![A-Za-z])", re.IGNORECASE)
_OPENS = re.compile(
    rf"\W*(?P<phase>{_PHASE})(?:\s*[\]:|)>-]\s*|(?= (?!set|epoch|step|iter|batch)[A-Za-z_]+\s*[:=]))", re.IGNORECASE
)
_OF = re.compile(
    rf"(?:^| )(?=(?:{_PHASE}|best|min|max|delta|mean|avg|average|ema|last|previous|old|target)(?: |$))", re.IGNORECASE
)
"""Words that say which of several quantities of one name is meant."""
_ARGUMENTS = re.compile(r"Namespace\(.*?\)")
_LEVELS = re.compile(r"(?:(?:INFO|DEBUG|WARNING|ERROR|CRITICAL) )+")
COUNTERS = ("epoch", "epochs", "step", "steps", "iter", "iteration", "global_step", "batch", "it", "round")
"""Names that count, and measure nothing."""

_SAME = {"validation": "val", "valid": "val", "acc": "accuracy", "training": "train"}


def canonical(name: str) -> str:
    """A metric's name as it is compared: ``Valid Acc`` is ``val_accuracy``, and ``val/loss`` is ``val_loss``.

    >>> canonical("Valid Acc"), canonical("val/loss")
    ('val_accuracy', 'val_loss')
    """
    words = re.split(r"[\s/._-]+", name.replace("'s", "").lower())
    return "_".join(_SAME.get(word, word) for word in words if word)


def named_numbers(line: str) -> dict[str, Any]:
    """Numbers of a line with the names that stand before them.

    >>> named_numbers("Epoch 3/10 [00:03] - loss: 0.5 - val_acc: 91.5%")
    {'Epoch': 3.0, 'loss': 0.5, 'val_acc': 91.5}
    >>> named_numbers("{'eval_loss': 0.25, 'epoch': 1.0}"), named_numbers("Accuracy: 98/100 (98%), took 3 minutes")
    ({'eval_loss': 0.25, 'epoch': 1.0}, {'Accuracy': 0.98})

    A phase at the beginning of a line holds for all that names none; a name that has two numbers in a line has none.

    >>> named_numbers("train Loss: 0.6 Acc: 0.9"), named_numbers("loss=1,250.5 best loss=2 (saved loss=0.1.ckpt)")
    ({'train Loss': 0.6, 'train Acc': 0.9}, {'loss': 1250.5, 'best loss': 2.0})
    """
    text = line.strip()
    if text.startswith("{") and (found := json_object(text)) is not None:
        return dict(_flat(found))
    text = _ARGUMENTS.sub("", text)
    opening = _OPENS.match(text)
    pairs: dict[str, list[float]] = {}
    for match in _PAIR.finditer(text):
        name, between, number = match["name"], match["between"], match["number"]
        if between == "=":  # what stands before it in the same breath is another word
            said = _OF.search(name)
            name = name[said.end() :] if said else name.rpartition(" ")[2]
        elif between.isspace() and not re.search(r"[.eEnN]", number) and canonical(name) not in COUNTERS:
            continue  # "took 3 minutes"
        value, of = number_of(number), number_of(match["of"] or "0")
        assert value is not None
        assert of is not None
        if of and canonical(name) not in COUNTERS:
            value /= of
        name = _LEVELS.sub("", name)
        if opening and not _SAYS_PHASE.search(name) and canonical(name) not in COUNTERS:
            name = f"{opening['phase']} {name}"
        pairs.setdefault(name, []).append(value)
    return {name: values[0] for name, values in pairs.items() if len(set(map(repr, values))) == 1}


def number_of(text: str) -> float | None:
    """A number as it is printed, its digits grouped or not; None for what is none.

    >>> number_of("1,250.5"), number_of("NAN") != number_of("nan"), number_of("0,53")
    (1250.5, True, None)
    """
    return float(text.replace("_", "").replace(",", "")) if re.fullmatch(_NUMBER, text) else None


def json_object(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is; None where it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _flat(content: Mapping[str, Any], above: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Numbers of nested mappings; those inside of others under ``outer/inner``."""
    for name, value in content.items():
        if isinstance(value, dict) and depth < 8:
            yield from _flat(value, f"{above}{name}/", depth + 1)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield f"{above}{name}", value
