"""Arrays in an .npz file, split or not: features ``x`` and targets ``y``, or ``x_train``, ``y_train``, ``x_val``, ...

Options: ``path``; ``x`` and ``y``, names of the arrays (default: ``x``/``y`` in either case, ``data``/``target``, ...);
``groups``, name of an array with a group per row; ``task``; ``validation`` and ``test``, shares of all rows to cut
where the file has no such part. A part is recognised by the suffix ``_train``, ``_val``, ``_valid``, ``_validation``,
``_dev`` or ``_test``. Features of shape [n, h, w], [n, h, w, c] or [n, c, h, w] are images; 8-bit pixels are
divided by 255. An array ``class_names`` names the classes. Nothing pickled is read.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.objectives.data.dataset import Piece, Source
from hpo.objectives.data.options import BROKEN, SPLIT, file_digest, missing_file, mistakes
from hpo.objectives.data.schema import Schema, flatten
from hpo.search.terms.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPTIONS = {"path": "text", "x": "text", "y": "text", "groups": "text", **SPLIT}

PARTS = (("train",), ("val", "valid", "validation", "dev"), ("test",))
_FEATURES, _TARGETS = ("x", "X", "data", "images", "features"), ("y", "Y", "target", "labels", "targets")

DENSEST = 1100
"""Bytes that one compressed byte can stand for, a little more than deflate's most."""


def check(options: Mapping[str, Any], base: Path) -> list[str]:
    """Mistakes in the options, a missing file, and arrays that the file does not hold."""
    found = mistakes("npz", options, OPTIONS, ("path",))
    if found:
        return found
    path = base / Path(options["path"]).expanduser()
    try:
        with _archive(path) as archive:
            arrays = _names(archive)
    except DataError as error:
        return [f"data npz: {error}"]
    try:
        for option, usual in (("x", _FEATURES), ("y", _TARGETS)):
            _part_names(path.name, arrays, option, options.get(option), usual)
    except DataError as error:
        found.append(str(error))
    groups = options.get("groups")
    if groups and groups not in arrays:
        found.append(f"data npz: {path.name} has no array {groups!r}: {did_you_mean(groups, arrays)}")
    return found


def digest(options: Mapping[str, Any]) -> str:
    """Digest of the file."""
    return file_digest(Path(options["path"]).expanduser())


def read(options: Mapping[str, Any]) -> Source:
    """Read the arrays.

    Raises:
        DataError: not an .npz file, pickled objects, arrays that do not fit together.
    """
    import numpy as np

    path = Path(options["path"]).expanduser()
    with _archive(path) as archive:
        names = _names(archive)
        features = _part_names(path.name, names, "x", options.get("x"), _FEATURES)
        targets = _part_names(path.name, names, "y", options.get("y"), _TARGETS)
        xs = {part: _array(archive, path.name, name) for part, name in features.items()}
        ys = {part: _array(archive, path.name, name) for part, name in targets.items()}
        named = _list(archive, path.name, "class_names") if "class_names" in names else ()
        groups = _list(archive, path.name, options["groups"]) if options.get("groups") else None
    if set(xs) != set(ys):
        raise DataError(f"{path.name} has features {sorted(features.values())} but targets {sorted(targets.values())}")
    for part in xs:
        _fit_together(path.name, features[part], xs[part], targets[part], ys[part], xs[next(iter(xs))])
    x = np.concatenate([xs[part] for part in sorted(xs)])
    y = np.concatenate([ys[part].reshape(len(ys[part])) for part in sorted(xs)])
    if groups is not None and len(groups) != len(x):
        raise DataError(f"{path.name}: {len(x)} rows but {len(groups)} groups")
    codes = np.concatenate([np.full(len(xs[part]), part, dtype=np.int8) for part in sorted(xs)])
    image, flat = flatten(x)
    return Source(
        name=path.stem,
        X=flat,
        y=y,
        target=targets[min(targets)],
        features=tuple(f"x{i}" for i in range(flat.shape[1])),
        task=options.get("task"),
        classes=tuple(str(name) for name in named),
        image=image,
        groups=groups,
        parts=codes if len(xs) > 1 else None,
        eight_bits=image is not None and x.dtype == np.uint8,
    )


def pieces(schema: Schema, path: Path, size: int | None, labelled: bool) -> Iterator[Piece]:
    """Another file's rows, those of all its parts, some at a time; see ``another.read_pieces``.

    Raises:
        DataError: not an .npz file, pickled objects, or rows of another shape.
    """
    import numpy as np

    with _archive(path) as archive:
        names, options = _names(archive), schema.options
        features = _part_names(path.name, names, "x", options.get("x"), _FEATURES)
        x = np.concatenate([_array(archive, path.name, features[part]) for part in sorted(features)])
        y, targets = None, {}
        with nullcontext() if labelled else suppress(DataError):
            targets = _part_names(path.name, names, "y", options.get("y"), _TARGETS)
        if set(targets) == set(features):
            y = np.concatenate([_array(archive, path.name, targets[part]).ravel() for part in sorted(targets)])
    if y is not None and len(y) != len(x):
        raise DataError(f"{path.name}: {len(x)} rows but {len(y)} targets")
    for start in range(0, len(x), size or max(1, len(x))):
        chosen = slice(start, start + (size or len(x)))
        yield Piece(schema.rows(x[chosen]) if schema.features else x[chosen], None if y is None else y[chosen])


def _archive(path: Path) -> zipfile.ZipFile:
    problem = missing_file(path)
    if problem:
        raise DataError(problem)
    try:
        return zipfile.ZipFile(path)
    except BROKEN:
        raise DataError(f"{path.name} is not an .npz file: write one with numpy.savez(path, x=..., y=...)") from None


def _names(archive: zipfile.ZipFile) -> list[str]:
    return [name.removesuffix(".npy") for name in archive.namelist()]


def _array(archive: zipfile.ZipFile, file: str, name: str) -> NDArray[Any]:
    """Read a member, once its header agrees with its size: what a header claims is not allocated on its word.

    Raises:
        DataError: it is no array, holds Python objects, or is not as large as it says.
    """
    from numpy.lib import format as npy

    info = archive.getinfo(f"{name}.npy" if f"{name}.npy" in archive.NameToInfo else name)
    try:
        with archive.open(info) as member:
            version = npy.read_magic(member)
            header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, kind = header(member)
            held = info.file_size - member.tell()
        claimed = math.prod(shape) * kind.itemsize
        if kind.hasobject:
            raise DataError(f"{file} cannot be read as arrays: {name}: it holds Python objects")
        if min(shape, default=0) < 0 or claimed != held or held > DENSEST * info.compress_size + kind.itemsize:
            raise DataError(
                f"{file}: {name} says it holds {kind} {list(shape)}, {claimed} bytes, but has {held}: it is damaged"
            )
        with archive.open(info) as member:
            found: NDArray[Any] = npy.read_array(member, allow_pickle=False)
        return found
    except BROKEN as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{file} cannot be read as arrays: {name}: {reason}") from None


def _list(archive: zipfile.ZipFile, file: str, name: str) -> NDArray[Any]:
    found = _array(archive, file, name)
    if found.ndim != 1:
        raise DataError(f"{file}: {name} must be a list, got {found.dtype} {list(found.shape)}")
    return found


def _part_names(file: str, arrays: list[str], option: str, asked: str | None, usual: tuple[str, ...]) -> dict[int, str]:
    """Names of the arrays by part number; ``{0: name}`` when the file is not split."""
    for stem in (asked,) if asked else usual:
        if stem in arrays:
            return {0: stem}
        found = {
            number: f"{stem}_{suffix}"
            for number, suffixes in enumerate(PARTS)
            for suffix in suffixes
            if f"{stem}_{suffix}" in arrays
        }
        if 0 in found:
            return found
    wanted = asked or " or ".join(usual[:2])
    raise DataError(
        f"data npz: {file} has no array {wanted!r} and no '{asked or usual[0]}_train'; it holds "
        f"{', '.join(arrays) or 'nothing'}: name the right one with the option {option!r}"
    )


def _fit_together(file: str, x_name: str, x: NDArray[Any], y_name: str, y: NDArray[Any], first: NDArray[Any]) -> None:
    if x.ndim < 2 or x.ndim > 4 or x.dtype.kind not in "biuf":
        raise DataError(f"{file}: {x_name} must hold numbers [rows, features] or images, got {x.dtype} {list(x.shape)}")
    if not math.prod(x.shape[1:]):
        raise DataError(f"{file}: {x_name} {list(x.shape)} has no features")
    if y.dtype.kind not in "biufUS":
        raise DataError(f"{file}: {y_name} must hold classes or numbers, got {y.dtype}")
    if not y.ndim or len(x) != len(y) or y.size != len(y):
        raise DataError(f"{file}: {x_name} {list(x.shape)} and {y_name} {list(y.shape)} do not have one target per row")
    if x.shape[1:] != first.shape[1:]:
        raise DataError(f"{file}: rows of {x_name} have shape {list(x.shape[1:])}, others {list(first.shape[1:])}")
