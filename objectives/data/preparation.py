"""A fitted preparation as plain data: what turns a raw table into what a model was trained on, without pickle.

``Preparation.of`` reads it out of scikit-learn's fitted transformers; ``plain`` and ``from_plain`` write and read it as
JSON has it. It computes on numpy alone and gives the very bits that training saw::

    preparation = Preparation.from_plain(json.loads(text)["preparation"])
    X = preparation.rows(pandas.read_csv("new.csv"))     # float array [rows, prepared features]
"""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hpo.objectives.data.columns import Column
from hpo.objectives.data.schema import rows
from hpo.objectives.data.words import TextEncoding, Words
from hpo.search.terms.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEXT = "text "
"""Prefix of a fitted transformer's parts that are of texts; the column's name follows."""

LARGEST = 1e6
"""Prepared values in single precision are clipped here, in standard deviations: a slip of the pen must not overflow."""


@dataclass(frozen=True)
class Encoding:
    """0/1 columns of a category column: one for each that is ``kept``, in this order, then one that the ``rare`` share.

    A category that is neither is 0 in all.
    """

    name: str
    kept: tuple[str, ...]
    rare: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Preparation:
    """How raw rows become prepared ones.

    Numbers come first: missing ones are filled, then a 0/1 column follows for each of ``flagged``, and all of these are
    scaled; the encodings follow, then the texts.

    Attributes:
        columns: how each source column is read; empty where rows are arrays already.
        features: names of the rows' columns once read, derived ones such as ``seen.month`` included; or of the
            array's features.
        numbers: those of the features that are numbers, in order.
        fills: what takes a missing number's place, for each of ``numbers``.
        flagged: places in ``numbers`` of those for which a 0/1 column says that they were missing.
        scaling: ``deviation`` (minus ``shift``, divided by ``scale``), ``range`` (times ``scale``, plus ``shift``, cut
            to 0 and 1), ``channel`` (deviation by channel of an image) or ``none``.
        shift, scale: for each number and flag, or for each channel.
        encodings: of the category columns.
        texts: of the columns of free text.
        image: shape (channels, height, width) of a row, None when it is no image.
        single: whether the prepared rows are float32, clipped to ``LARGEST``; else float64.
    """

    columns: tuple[Column, ...] = ()
    features: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    fills: tuple[float, ...] = ()
    flagged: tuple[int, ...] = ()
    scaling: str = "none"
    shift: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    encodings: tuple[Encoding, ...] = ()
    texts: tuple[TextEncoding, ...] = ()
    image: tuple[int, int, int] | None = None
    single: bool = False

    @classmethod
    def of(
        cls,
        fitted: Any,
        columns: tuple[Column, ...],
        features: tuple[str, ...],
        words: Words = Words(),  # noqa: B008 - it is frozen
        *,
        single: bool = False,
    ) -> Preparation:
        """Read a fitted transformer of ``prepare.preprocessor``; one for images changes nothing."""
        parts = dict(getattr(fitted, "named_transformers_", {"numbers": fitted}))
        named = [column.name for column in columns if column.kind == "category"]
        texts = [column.name for column in columns if column.kind == "text"]
        numbers = tuple(name for name in features if name not in (*named, *texts))
        found: dict[str, Any] = {}
        steps = getattr(parts.get("numbers"), "named_steps", None)
        if steps is not None and numbers:
            impute, scaler = steps["impute"], steps["scale"]
            ranged = hasattr(scaler, "data_range_")
            found = {
                "numbers": numbers,
                "fills": tuple(map(float, impute.statistics_)),
                "flagged": tuple(map(int, impute.indicator_.features_)),
                "scaling": "range" if ranged else "deviation",
                "shift": tuple(map(float, scaler.min_ if ranged else scaler.mean_)),
                "scale": tuple(map(float, scaler.scale_)),
            }
        if named:
            encoder = parts["categories"]
            encodings = []
            for name, known, rare in zip(named, encoder.categories_, encoder.infrequent_categories_, strict=True):
                few = () if rare is None else tuple(map(str, rare))
                encodings.append(Encoding(name, tuple(str(each) for each in known if each not in set(few)), few))
            found["encodings"] = tuple(encodings)
        found["texts"] = tuple(TextEncoding.of(name, words, parts[f"{TEXT}{name}"]) for name in texts)
        return cls(columns=columns, features=features, single=single, **found)

    def rows(self, raw: Any) -> NDArray[Any]:
        """Prepare raw rows: a frame with the columns that were trained on, or an array [rows, features].

        Raises:
            DataError: columns are missing, or rows have another shape.
        """
        return self.transform(rows(raw, self.columns, self.features, self.image))

    def transform(self, X: Any) -> NDArray[Any]:
        """Prepare rows that are read already: ``Dataset.train.X`` and the like."""
        import numpy as np

        made = self._by_channel(X) if self.scaling == "channel" else self._table(X)
        if not self.single:
            return made
        return np.ascontiguousarray(np.clip(made, -LARGEST, LARGEST), dtype=np.float32)

    @property
    def sources(self) -> tuple[str, ...]:
        """Of each prepared column of a table the feature that it comes of."""
        if self._unchanged:
            return self.features
        flags = [self.numbers[place] for place in self.flagged]
        kept = [each.name for each in self.encodings for _ in range(len(each.kept) + bool(each.rare))]
        return (*self.numbers, *flags, *kept, *(each.name for each in self.texts for _ in range(each.width)))

    @property
    def _unchanged(self) -> bool:
        return self.scaling == "none" and not self.encodings and not self.texts

    def plain(self) -> dict[str, Any]:
        """As JSON has it; ``from_plain`` reads it."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Any) -> Preparation:
        """Read what ``plain`` wrote, JSON in between.

        Raises:
            DataError: it is something else.
        """
        try:
            values = {**plain}
            values["columns"] = tuple(Column(**column) for column in values["columns"])
            values["encodings"] = tuple(
                Encoding(str(each["name"]), tuple(map(str, each["kept"])), tuple(map(str, each["rare"])))
                for each in values["encodings"]
            )
            values["texts"] = tuple(map(TextEncoding.from_plain, values.get("texts", ())))
            for name, kind in (("fills", float), ("shift", float), ("scale", float), ("flagged", int)):
                values[name] = tuple(map(kind, values[name]))
            for name in ("features", "numbers"):
                values[name] = tuple(map(str, values[name]))
            values["image"] = None if values["image"] is None else tuple(map(int, values["image"]))
            made = cls(**values)
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise DataError(f"this is no preparation of data: {error}") from None
        problem = made._inconsistent()
        if problem:
            raise DataError(f"this is no preparation of data: {problem}")
        return made

    def _inconsistent(self) -> str:
        """What contradicts what, or nothing."""
        if self.scaling not in ("deviation", "range", "channel", "none"):
            return f"there is no scaling {self.scaling!r}"
        if self.image is not None and (len(self.image) != 3 or min(self.image) < 1):
            return "an image has channels, height and width"
        if self.scaling == "channel":
            whole = self.image is not None and len(self.shift) == len(self.scale) == self.image[0]
            return "" if whole else "shift and scale are not one for each channel"
        if len(self.fills) != len(self.numbers) or not all(0 <= place < len(self.numbers) for place in self.flagged):
            return "fills and flags are not those of its numbers"
        if any(each.contradictory for each in self.texts):
            return "a text has not one weight for each n-gram"
        width = len(self.numbers) + len(self.flagged) if self.scaling != "none" else 0
        return "" if len(self.shift) == len(self.scale) == width else "shift and scale are not one for each number"

    def _table(self, X: Any) -> NDArray[Any]:
        import numpy as np

        if self._unchanged:
            return np.asarray(X)
        blocks: list[NDArray[Any]] = []
        if self.numbers:
            values = X[list(self.numbers)].to_numpy(dtype=np.float64) if self.columns else np.asarray(X, np.float64)
            gaps = np.isnan(values)
            filled = np.where(gaps, np.asarray(self.fills), values)
            scaled = np.concatenate([filled, gaps[:, list(self.flagged)].astype(np.float64)], axis=1)
            shift, scale = np.asarray(self.shift), np.asarray(self.scale)
            if self.scaling == "range":
                blocks.append(np.clip(scaled * scale + shift, 0.0, 1.0))
            else:
                blocks.append((scaled - shift) / scale)
        for encoding, place in zip(self.encodings, self._places, strict=True):
            block = np.zeros((len(X), len(encoding.kept) + bool(encoding.rare)))
            codes = np.asarray([place.get(category, -1) for category in X[encoding.name]], dtype=np.int64)
            known = np.flatnonzero(codes >= 0)
            block[known, codes[known]] = 1.0
            blocks.append(block)
        blocks += [each.transform(list(X[each.name])) for each in self.texts]
        return np.concatenate(blocks, axis=1)

    @cached_property
    def _places(self) -> list[dict[str, int]]:
        """Column of each known category, for each encoding."""
        return [
            {**{name: i for i, name in enumerate(each.kept)}, **dict.fromkeys(each.rare, len(each.kept))}
            for each in self.encodings
        ]

    def _by_channel(self, X: Any) -> NDArray[Any]:
        import numpy as np

        assert self.image is not None
        shift, scale = (np.asarray(each, dtype=np.float32).reshape(1, -1, 1, 1) for each in (self.shift, self.scale))
        # a missing pixel becomes the channel's mean
        made: NDArray[Any] = np.nan_to_num((X.reshape(len(X), *self.image) - shift) / scale)
        return made


def by_channel(X: NDArray[Any], features: tuple[str, ...], image: tuple[int, int, int]) -> Preparation:
    """Fit mean and deviation of each channel on images [rows, pixels]."""
    import numpy as np

    pixels = X.reshape(len(X), *image)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # of a channel without any pixel
        mean = np.asarray(np.nanmean(pixels, axis=(0, 2, 3), keepdims=True, dtype=np.float64), dtype=np.float32)
        scale = np.asarray(np.nanstd(pixels, axis=(0, 2, 3), keepdims=True, dtype=np.float64), dtype=np.float32)
    scale[(scale == 0) | ~np.isfinite(scale)] = 1
    mean[~np.isfinite(mean)] = 0
    shift, divisor = tuple(float(each) for each in mean.flat), tuple(float(each) for each in scale.flat)
    return Preparation(features=features, scaling="channel", shift=shift, scale=divisor, image=image, single=True)
