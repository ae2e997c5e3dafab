"""Splits into train, validation and test, and cross-validation folds: fixed by a seed, on numpy alone.

Classes are stratified: every part gets its share of each class, by largest remainders. Groups go whole to the part
that lacks most rows. With a time, the last rows are test, those before them validation; rows of one moment stay
together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpo.search.terms.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]

TRAIN, VALIDATION, TEST = 0, 1, 2


def split(
    y: NDArray[Any],
    *,
    stratify: bool,
    validation: float,
    test: float,
    seed: int,
    groups: NDArray[Any] | None = None,
    time: NDArray[Any] | None = None,
    parts: NDArray[Any] | None = None,
) -> tuple[Rows, Rows, Rows]:
    """Rows of train, validation and test; ascending, or in order of time.

    Args:
        y: encoded targets [rows].
        stratify: keep the shares of the classes.
        validation, test: shares of all rows.
        seed: of the split.
        groups: group of each row; not together with ``time``.
        time: sortable time of each row.
        parts: part number of each row where the data come split; a part without rows is cut from the training rows.

    Raises:
        DataError: groups and time at once, or fewer than three groups.
    """
    import numpy as np

    if groups is not None and time is not None:
        raise DataError("a split is by groups or by time, not both: name one of them")
    codes = np.zeros(len(y), dtype=np.int8) if parts is None else parts.astype(np.int8).copy()
    wanted = {part: share for part, share in ((VALIDATION, validation), (TEST, test)) if not (codes == part).any()}
    if wanted:
        rows = np.flatnonzero(codes == TRAIN)
        sizes = {part: share * len(y) for part, share in wanted.items()}
        sizes[TRAIN] = max(0.0, len(rows) - sum(sizes.values()))
        if time is not None:
            codes[rows] = _by_time(time[rows], sizes)
        elif groups is not None:
            codes[rows] = _by_group(groups[rows], sizes, seed)
        else:
            codes[rows] = _by_class(y[rows] if stratify else np.zeros(len(rows)), sizes, seed)
    chosen = [np.flatnonzero(codes == part) for part in (TRAIN, VALIDATION, TEST)]
    if time is not None:
        chosen = [rows[np.argsort(time[rows], kind="stable")] for rows in chosen]
    return chosen[0], chosen[1], chosen[2]


def folds(
    y: NDArray[Any], count: int, seed: int, *, stratify: bool, groups: NDArray[Any] | None = None, ordered: bool = False
) -> list[tuple[Rows, Rows]]:
    """Training and validation rows of each cross-validation fold.

    Every row is validated exactly once; with ``ordered`` rows (by time) each fold instead trains on everything before
    its validation block, and the first block is never validated.

    Raises:
        DataError: more folds than rows of the rarest class, than groups, or than rows.
    """
    import numpy as np

    if ordered:
        blocks = np.array_split(np.arange(len(y)), count + 1)
        if len(blocks[-1]) == 0:
            raise DataError(f"{count} folds need at least {count + 1} rows, there are {len(y)}")
        return [(np.concatenate(blocks[:i]), blocks[i]) for i in range(1, count + 1)]
    if groups is not None:
        present = len(np.unique(groups))
        if present < count:
            raise DataError(f"{count} folds need at least {count} groups, there are {present}")
        place = _by_group(groups, dict.fromkeys(range(count), len(y) / count), seed)
    else:
        fewest = int(np.unique(y, return_counts=True)[1].min()) if stratify else len(y)
        if fewest < 2 or len(y) < count:
            raise DataError(f"{count} folds cannot be made: the rarest class has {fewest} rows")
        order = np.random.default_rng([seed, count]).permutation(len(y))
        if stratify:
            order = order[np.argsort(y[order], kind="stable")]
        place = np.empty(len(y), dtype=np.int64)
        place[order] = np.arange(len(y)) % count
    return [(np.flatnonzero(place != fold), np.flatnonzero(place == fold)) for fold in range(count)]


def _by_class(labels: NDArray[Any], sizes: dict[int, float], seed: int) -> NDArray[np.int8]:
    import numpy as np

    rng = np.random.default_rng(seed)
    codes = np.zeros(len(labels), dtype=np.int8)
    kept = {part: size / sum(sizes.values()) for part, size in sizes.items()}
    owed = dict.fromkeys(sizes, 0.0)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        exact = {part: share * len(rows) for part, share in kept.items()}
        counts = {part: int(value) for part, value in exact.items()}
        if counts[TRAIN] == 0:
            counts[TRAIN] = 1
        # what rounding took from a part is owed to it, across classes, so that the totals come out right
        for part in sizes:
            owed[part] += exact[part] - counts[part]
        for _ in range(len(rows) - sum(counts.values())):
            part = max(owed, key=lambda name: owed[name])
            counts[part] += 1
            owed[part] -= 1
        edges = np.cumsum([counts[part] for part in sizes])[:-1]
        for part, chosen in zip(sizes, np.split(rows, edges), strict=True):
            codes[chosen] = part
    return codes


def _by_group(groups: NDArray[Any], sizes: dict[int, float], seed: int) -> NDArray[np.int8]:
    import numpy as np

    names, member, counts = np.unique(groups.astype(str), return_inverse=True, return_counts=True)
    if len(names) < len(sizes):
        raise DataError(f"{len(names)} groups cannot fill {len(sizes)} parts: groups stay whole")
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-counts[order], kind="stable")]
    lacking = dict(sizes)
    home = np.zeros(len(names), dtype=np.int8)
    filled: set[int] = set()
    for place, group in enumerate(order):
        # the last groups go to parts that are still empty
        empty = [part for part in sizes if part not in filled]
        open_parts = empty if len(order) - place <= len(empty) else list(sizes)
        part = max(open_parts, key=lambda name: lacking[name])
        home[group] = part
        lacking[part] -= counts[group]
        filled.add(part)
    return home[member]


def _by_time(time: NDArray[Any], sizes: dict[int, float]) -> NDArray[np.int8]:
    import numpy as np

    ordered = np.sort(time)
    codes = np.zeros(len(time), dtype=np.int8)
    for part in (TEST, VALIDATION):
        left = int((codes == TRAIN).sum())
        if part in sizes and left:
            edge = min(max(0, left - round(sizes[part])), left - 1)
            codes[(codes == TRAIN) & (time >= ordered[edge])] = part
    return codes
