"""How large a recipe's model and run are, as far as an objective says so."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hpo.search.describe.objective import Objective, import_module, training_knobs
from hpo.search.describe.source import Source
from hpo.search.terms.errors import UserError
from hpo.search.terms.knobs import REQUIRED, UNKNOWN


@dataclass(frozen=True)
class Size:
    """How large a run is.

    Attributes:
        parameters: of the model, without its embeddings; above 0.
        tokens: that the complete run trains on, repeated ones each time; None where the objective does not say.
        tokens_per_step: that one optimizer step sees; None where the objective does not say.
    """

    parameters: float
    tokens: float | None = None
    tokens_per_step: float | None = None


def says_size(objective: Objective) -> bool:
    """Whether an objective's source has a function ``size``; nothing is run."""
    return objective.path is not None and "size" in Source(objective.path)


def size_of(objective: Objective) -> Callable[[Mapping[str, Any]], Size] | None:
    """Size of a recipe by the objective's own ``size(recipe)``, None where it has none; imports it.

    ``size`` returns ``{"parameters": N, "tokens": D, "tokens_per_step": B}``; only ``parameters`` is needed. It gets
    the knobs that a trial states, and for others the defaults of the objective's own parameters: how long the suite's
    trainer goes on by itself follows from what is stated.

    Raises:
        UserError: by what is returned, where ``size`` fails or its answer is not of that form.
    """
    own = getattr(import_module(objective), "size", None) if says_size(objective) else None
    if own is None:
        return None
    filled = own_defaults(objective)
    label = f"size(recipe) of {objective.label}"

    def size(recipe: Mapping[str, Any]) -> Size:
        try:
            found = own({**filled, **recipe})
        except Exception as error:  # the user's code
            raise UserError(f"{label} raised {type(error).__name__}: {error}") from error
        if not isinstance(found, Mapping) or "parameters" not in found:
            raise UserError(
                f'{label} must return {{"parameters": N, "tokens": D, "tokens_per_step": B}}, got {found!r}'
            )
        return Size(**{name: _positive(found[name], name, label) for name in _NAMES if found.get(name) is not None})

    return size


def defaults(objective: Objective) -> dict[str, Any]:
    """Defaults of an objective's knobs, those that its source says."""
    knobs = objective.signature.knobs
    return {name: knob.default for name, knob in knobs.items() if knob.default not in (REQUIRED, UNKNOWN)}


def own_defaults(objective: Objective) -> dict[str, Any]:
    """Defaults of an objective's own parameters, without those of the suite's training."""
    left = training_knobs().knobs.keys() if objective.trained_by_suite else ()
    return {name: value for name, value in defaults(objective).items() if name not in left}


_NAMES = ("parameters", "tokens", "tokens_per_step")


def _positive(value: object, name: str, label: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise UserError(f"{name} from {label} must be a number above 0, got {value!r}")
    return float(value)
