"""What `hpo scale` prints. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hpo.search.report import text
from hpo.search.report.scaling.cells import counted
from hpo.search.report.scaling.fit import FAR, Group, Prediction, Scaling, SizeFacts, compared_group
from hpo.search.report.scaling.optimum import Place
from hpo.search.report.scaling.powerlaw import Axes, Law, Told, negative

_TITLES = {"rate": "the best rate", "batch": "the best batch", "critical": "the critical batch"}
_UNITS = "N without embeddings, D in tokens, C = 6 N D, batches in tokens a step, L in nats a token"


def lines(found: Scaling) -> Iterator[str]:
    """All of it, a line each."""
    runs = found.runs
    yield f"{', '.join(runs.studies)}: the best {runs.rate} by size, {runs.goal}"
    yield f"N: parameters without embeddings, by {runs.origin}; D: tokens trained on"
    for group in found.groups:
        yield ""
        if group.parametrization is not None:
            yield f"parametrization {group.parametrization}"
        yield from _aligned(_sizes(group, found))
        for line in (*_missing(group), *_laws(group, found)):
            yield f"  {line}"
    yield ""
    left = ", ".join(f"{count} {why}" for why, count in sorted(runs.left_out.items()) if count)
    yield "fit: a surface in logarithms, cubic in the rate, through the better half of a size's complete trials;"
    yield f"the best is its lowest point, not the luckiest trial{f'; left out: {left}' if left else ''}"
    for caveat in found.caveats:
        yield f"note: {caveat}"
    yield from _published(found)
    for group in found.groups:
        if group.prediction is not None:
            yield ""
            yield from _prediction(group, group.prediction, found)
    yield ""
    yield sentence(found)


def sentence(found: Scaling) -> str:
    """What it comes to, in one sentence."""
    rate, parts = found.runs.rate, []
    for group in found.groups:
        under = f"under {group.parametrization} " if group.parametrization is not None else ""
        told = group.prediction.rate if group.prediction is not None else None
        if told is not None and group.prediction is not None:
            where = f"{counted(group.prediction.at.n)} parameters"
            parts.append(f"{under}train {where} at {rate} {told}, {_reach(group.prediction)}")
        elif group.drift is not None and group.drift.low is not None:
            moved = f"moves by a factor of {group.drift} over the sizes measured"
            sure = "" if group.drift.low > 1 else ", which may be none"
            parts.append(f"{under}the best {rate} {moved}{sure}")
        else:
            parts.append(f"{under}the best {rate} is identified at {len(group.identified)} of {len(group.sizes)} sizes")
    joined = "; ".join(parts)
    wanted = any(group.prediction is not None for group in found.groups)
    laws = any(group.rate.draws is not None for group in found.groups)
    ask = "; add --size N for a prediction" if laws and not wanted else ""
    return f"in short: {joined}{ask}."


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows of a table, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _sizes(group: Group, found: Scaling) -> list[list[str]]:
    batches = any(size.batch is not None for size in group.sizes)
    searched = any(size.best.batch is not None for size in group.sizes)
    rows = [["N", "D", *(["batch"] * batches), "used", f"best {found.runs.rate}", *(["best batch"] * searched)]]
    rows[0] += [found.runs.metric, ""]
    for size in group.sizes:
        row = [counted(size.at.n), "-" if size.at.d is None else counted(size.at.d)]
        row += [_span(size.batch)] * batches + [f"{size.best.used} of {size.best.trials}", _place(size.best.rate)]
        rows.append([*row, *([_place(size.best.batch)] * searched), _short(size.value), text.recipe(size.knobs)])
    return rows


def _span(batch: tuple[float, float] | None) -> str:
    if batch is None:
        return "-"
    return counted(batch[0]) if batch[0] == batch[1] else f"{counted(batch[0])} to {counted(batch[1])}"


def _place(place: Place | None) -> str:
    if place is None:
        return "not searched"
    known = place.estimate
    return "not identified" if known is None else f"{known.value:.3g} ({known.low:.3g} to {known.high:.3g})"


def _short(value: Told | None) -> str:
    if value is None or value.low is None or value.high is None:
        return "-"
    return text.interval(value.value, max(value.high - value.value, value.value - value.low))


def _missing(group: Group) -> Iterator[str]:
    """Why a size has no best rate or batch, and what to search."""
    for size in group.sizes:
        for word, place in (("rate", size.best.rate), ("batch", size.best.batch)):
            if place is not None and place.estimate is None:
                yield f"{_named(size)}: best {word} not identified: {place.why}"


def _named(size: SizeFacts) -> str:
    return f"N = {counted(size.at.n)}" + (f", D = {counted(size.at.d)}" if size.at.d else "")


def _laws(group: Group, found: Scaling) -> Iterator[str]:
    laws = {"best rate": group.rate}
    if any(size.best.batch is not None for size in group.sizes):
        laws["best batch"] = group.batch
    for what, law in laws.items():
        yield _law(what, law)
        if law.held_out is not None:
            predicted, measured = law.held_out
            yield f"  checked at the largest size: {predicted:.3g} by a law through the others, {measured:.3g} measured"
    loss = group.loss
    if loss.draws is None:
        yield f"{found.runs.metric} by size: not identified: {loss.why}"
    else:
        yield f"{found.runs.metric} falls to a floor of {loss.floor} by size"
        for name, told in loss.exponents.items():
            yield f"  above the floor ~ {name} ^ {negative(told)}"
    if group.drift is not None:
        count = len(group.identified)
        yield f"largest / smallest best rate over {count} sizes: {group.drift}"


def _law(what: str, law: Law) -> str:
    if law.draws is None:
        return f"{what} ~ N^b: not identified: {law.why}"
    powers = " and ".join(f"{name} ^ {told}" for name, told in law.exponents.items())
    line = f"{what} ~ {powers}{_where(law.axes)}"
    if law.exact:
        unknown = len(law.exponents) + 1
        line += f"; an exact line through {unknown} sizes, so no interval: measure one more"
    return line


def _where(axes: Axes) -> str:
    if axes.path is not None:
        factor, power = axes.path
        return f", where D grew as {counted(factor)} N^{power:.2g}: the powers of N and D cannot be told apart"
    fixed = ", ".join(f"{name} = {counted(value)}" for name, value in axes.fixed.items())
    return f" at {fixed}" if fixed else ""


def _published(found: Scaling) -> Iterator[str]:
    """Published laws beside what was measured at the largest size and what is predicted."""
    group = compared_group(found.groups)
    if group is None or group.largest is None:
        return
    wanted, largest = group.prediction, group.largest.at.n
    heads = [f"at N = {counted(largest)}", *([f"at N = {counted(wanted.at.n)}"] if wanted else [])]
    searched = any(size.best.batch is not None for size in group.sizes)
    told = {"rate": wanted.rate, "batch": wanted.batch} if wanted else {}
    for quantity, title in _TITLES.items():
        rows = [row for row in found.published if row.law.quantity == quantity]
        if (
            not rows
            or (quantity == "batch" and not searched and not wanted)
            or (quantity == "critical" and not searched)
        ):
            continue
        table = [[f"published laws of {title}", "", *heads]]
        if rows[0].measured is not None:
            later = told.get(quantity)
            ours = [_number(rows[0].measured), *([_number(None if later is None else later.value)] if wanted else [])]
            table.append(["  these studies", "", *ours])
        for row in rows:
            there = [_number(row.there)] if wanted else []
            table.append([f"  {row.law.name}", row.law.formula, _number(row.here), *there])
        yield ""
        yield from _aligned(table)
    below = f"; {counted(largest)} is below all of that" if largest < _FROM else ""
    yield f"their units: {_UNITS};"
    yield f"fitted for {counted(_FROM)} to {counted(_TO)} parameters, on data and schedules of their own{below}"


_FROM, _TO = 5e6, 3.3e9


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if value < 1000 else counted(value)


def _prediction(group: Group, wanted: Prediction, found: Scaling) -> Iterator[str]:
    under = f" under {group.parametrization}" if group.parametrization is not None else ""
    tokens = f", D = {counted(wanted.at.d)}" if wanted.at.d is not None else ""
    yield f"prediction for N = {counted(wanted.at.n)}{tokens}{under}"
    yield f"  {found.runs.rate}: {wanted.rate if wanted.rate is not None else f'not identified: {group.rate.why}'}"
    if any(size.best.batch is not None for size in group.sizes):
        told = f"{wanted.batch} {found.runs.unit}" if wanted.batch else f"not identified: {group.batch.why}"
        yield f"  batch: {told}"
    if wanted.loss is not None:
        yield f"  {found.runs.metric}: {wanted.loss}"
    yield f"  {_reach(wanted)}"
    if max(wanted.times.values()) > FAR:
        between = counted(wanted.at.n / wanted.times["N"] * max(wanted.times["N"], 1.0) ** 0.5)
        yield f"  a guess, beyond {FAR:g} x: run the study at a size between, such as N = {between}, and scale again"
    if wanted.off_path:
        known = group.rate.axes.d_of(wanted.at.n)
        near = f" near {counted(known)} at this size" if known is not None else ""
        yield f"  tokens were measured{near} only; what more or fewer do to the best rate is not identified"


def _reach(wanted: Prediction) -> str:
    """How far it extrapolates, in words."""
    words = {"N": "the largest size measured", "D": "the most tokens measured"}
    beyond = [f"{factor:.2g} x {words[name]}" for name, factor in wanted.times.items() if factor > 1.005]
    return " and ".join(beyond) if beyond else "within the sizes measured"
