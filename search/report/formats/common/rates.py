"""The learning rate's course as Python source, for tools that take any function of the step; the suite's own formulas.

What the source computes is bit for bit what ``schedules`` of the trainer does; the tests compare them.
"""

from __future__ import annotations

from hpo.search.report.formats.common.run import Run

_AFTER_WARMUP = {
    "constant": "1.0",
    "step": "{decay!r} ** math.floor(u * ({drops!r} + 1) + 1e-9)",
    "exponential": "{decay!r} ** u",
    "linear": "1.0 - (1.0 - {floor!r}) * u",
    "cosine": "{floor!r} + (1.0 - {floor!r}) * 0.5 * (1.0 + math.cos(math.pi * u))",
    "polynomial": "{floor!r} + (1.0 - {floor!r}) * (1.0 - u) ** {power!r}",
    "wsd": "1.0 - (1.0 - {floor!r}) * max(0.0, (u - 1 + {cooldown!r}) / {cooldown!r})",
}

_PLAIN = '''
def factor(step, total):
    """Learning rate of optimizer step `step` (from 0) of `total`, relative to the highest: {schedule}."""
    rising = round({warmup!r} * total)
    if step < rising:
        return min(1.0, (step + 1) / rising)
    u = (step - rising) / max(1, total - rising)
    return max({floor!r}, {formula})
'''

_ONE_CYCLE = '''
def factor(step, total):
    """Learning rate of optimizer step `step` (from 0) of `total`, relative to the highest: one-cycle."""
    top = max({rise!r} * total - 1, 1e-9)
    if step <= top:
        return 1 - (1 - 1 / 25) * 0.5 * (1 + math.cos(math.pi * step / top))
    share = (step - top) / max(total - 1 - top, 1e-9)
    return max({floor!r}, 1 / 250000 + (1 - 1 / 250000) * 0.5 * (1 + math.cos(math.pi * share)))
'''

KNOBS = ("schedule", "warmup", "floor", "decay", "drops", "power", "cooldown")
"""Every knob that the source may hold."""


def source(run: Run) -> str:
    """A function ``factor(step, total)`` with this recipe's numbers in it; it needs ``math``."""
    recipe = run.training
    if recipe.schedule == "one-cycle":
        return _ONE_CYCLE.format(rise=recipe.warmup or 0.3, floor=recipe.floor).strip()
    values = {name: getattr(recipe, name) for name in KNOBS}
    flat = recipe.schedule == "wsd" and not recipe.cooldown
    formula = _AFTER_WARMUP["constant" if flat else recipe.schedule].format(**values)
    return _PLAIN.format(formula=formula, **values).strip()
