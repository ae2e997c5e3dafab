"""The data that objectives train on: loaded once per process, split by a seed, prepared on the training part alone.

A specification is the name of a bundled set (``digits``) or ``{kind: options}``::

    {table: {path: patients.csv, target: outcome, groups: patient}}
    {npz: {path: images.npz}}
    {openml: {name: adult, version: 2}}
    {text: {path: [books/*.txt, mails.jsonl.gz]}}

A kind is one file of ``kinds``, with three functions of the options as the study gives them::

    check(options, base) -> list[str]    mistakes that can be told without pandas and without reading the data
    digest(options) -> str               twelve hex digits that name the content
    read(options) -> Source              the rows in their own order; imports what it needs in its body

A kind with the option ``path`` reads another file of the same form for ``hpo train --data``. The same options and
content give the same rows in any process. A kind that gives something else than rows says so, and its ``read`` raises a
DataError with what to do; the text of language models is opened by ``objectives.text.open_corpus``::

    DISCLAIMS = ("rows",)
    OBJECTIVES = ("compress",)           where it is for these alone

``bundled`` reads the sets known by name; ``target`` encodes, ``split`` splits, ``columns`` decides how columns are
read, ``prepare`` makes arrays, ``scores`` measures. Importing this package imports none of numpy, pandas and
scikit-learn.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hpo.objectives.data import bundled, texts
from hpo.objectives.data.bundled import NAMES
from hpo.objectives.data.class_weights import numbered
from hpo.objectives.data.dataset import Dataset, Part, Source, Task
from hpo.objectives.data.fitted import Fitted
from hpo.objectives.data.options import shares
from hpo.objectives.data.scores import picture
from hpo.objectives.data.words import Words
from hpo.search.terms import registry
from hpo.search.terms.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from hpo.objectives.data.prepare import Arrays
    from hpo.objectives.data.summaries import Summary

__all__ = [
    "KINDS",
    "NAMES",
    "Dataset",
    "Fitted",
    "Part",
    "Task",
    "Words",
    "apply",
    "arrays",
    "check",
    "digest",
    "doubtful",
    "is_text",
    "load",
    "notes",
    "numbered",
    "objectives_of",
    "picture",
    "resolve",
    "summary",
]

KINDS = registry.names("data")
"""Kinds of data beside the bundled sets; each is a file of ``kinds``."""

_loaded: dict[str, Dataset] = {}


def check(spec: Any, base: Path = Path()) -> list[str]:
    """Mistakes that can be told without pandas and without reading the data; empty when there are none.

    Args:
        spec: as in a study file.
        base: folder that relative paths start from.
    """
    if isinstance(spec, str):
        return [] if spec in (*NAMES, *texts.BUNDLED) else [_unknown_name(spec)]
    if not isinstance(spec, Mapping) or len(spec) != 1:
        return [
            f"data must be one of {', '.join((*NAMES, *texts.BUNDLED))}, or one of {', '.join(KINDS)} with its options"
        ]
    ((kind, options),) = spec.items()
    if kind not in KINDS:
        return [f"there is no kind of data called {kind!r}: {did_you_mean(str(kind), KINDS)}"]
    if not isinstance(options, Mapping):
        return [f"data {kind} takes options such as {{path: ...}}, got {options!r}"]
    found: list[str] = _module(kind).check(options, base)
    if not found and options.get("groups") and options.get("time"):
        found.append(f"data {kind}: a split is by groups or by time, not both")
    return found


def doubtful(spec: Any) -> bool:
    """Whether only loading tells if there is something to learn; looks at the first rows of a table, without pandas.

    Args:
        spec: one that ``check`` has no mistakes in, with absolute paths.
    """
    kind, options = _parse(spec)
    module = _module(kind)
    return bool(module.doubtful(options)) if hasattr(module, "doubtful") else False


def resolve(spec: Any, base: Path) -> Any:
    """The same specification with its path, or each of its paths, made absolute, relative to ``base``."""
    if not isinstance(spec, Mapping):
        return spec
    return {
        kind: {**options, "path": _absolute(options["path"], base)}
        if isinstance(options, Mapping) and "path" in options
        else options
        for kind, options in spec.items()
    }


def _absolute(path: Any, base: Path) -> Any:
    if isinstance(path, (list, tuple)):
        return [_absolute(one, base) for one in path]
    return str((base / Path(path).expanduser()).resolve()) if isinstance(path, str) else path


def digest(spec: Any) -> str:
    """Twelve hex digits that name the content: of the file, or of the name and version of a published set.

    Raises:
        DataError: the specification has mistakes.
    """
    kind, options = _parse(spec)
    found: str = _module(kind).digest(options)
    return found


def load(spec: Any, split_seed: int = 0) -> Dataset:
    """Load, encode and split a data set; once per process for the same specification, seed and file.

    Args:
        spec: name or ``{kind: options}``; relative paths start from the working directory.
        split_seed: decides the split and nothing else.

    Raises:
        DataError: a mistake in the specification, or data that cannot be trained on.
    """
    kind, options = _parse(spec)
    if "rows" in getattr(_module(kind), "DISCLAIMS", ()):
        _module(kind).read(options)  # says what to do instead
    try:
        return _load(kind, options, split_seed, spec)
    except OSError as error:
        raise DataError(f"data {kind} cannot be read: {error.strerror or error}") from None


def _load(kind: str, options: Mapping[str, Any], split_seed: int, spec: Any) -> Dataset:
    stamp = Path(options["path"]).expanduser().stat() if "path" in options else None
    key = json.dumps([kind, dict(options), split_seed, stamp and [stamp.st_mtime_ns, stamp.st_size]], sort_keys=True)
    if key not in _loaded:
        module = _module(kind)
        _loaded[key] = _build(module.read(options), options, split_seed, module.digest(options), spec)
    return _loaded[key]


def is_text(spec: Any) -> bool:
    """Whether a specification names text, for language models, instead of rows."""
    return spec in texts.BUNDLED if isinstance(spec, str) else isinstance(spec, Mapping) and "text" in spec


def objectives_of(spec: Any) -> tuple[str, ...]:
    """The only objectives that take data of this kind; none where all that train on rows, or on text, do."""
    kind, _ = _parse(spec)
    return tuple(getattr(_module(kind), "OBJECTIVES", ()))


def notes(spec: Any, split_seed: int = 0, *, text: bool = False) -> tuple[str, ...]:
    """What the user should know of the data, which is opened for it as an objective will.

    Args:
        spec: name or ``{kind: options}``.
        split_seed: decides the split.
        text: whether the objective trains on text instead of rows.

    Raises:
        DataError: a mistake in the specification, data that cannot be trained on, text where rows are needed or rows
            where text is.
    """
    if objectives_of(spec):
        return ()
    if not text:
        return load(spec, split_seed).notes
    found: tuple[str, ...] = registry.load("data", "text").notes(spec, split_seed)
    return found


def summary(spec: Any, split_seed: int = 0) -> Summary:
    """What a data set of rows is, for people; see ``summaries.Summary``.

    Args:
        spec: name or ``{kind: options}``; of a table without ``target`` the columns alone are told.
        split_seed: decides the split.

    Raises:
        DataError: a mistake in the specification, or data that cannot be trained on.
    """
    from hpo.objectives.data.summaries import of_data, of_file

    if isinstance(spec, Mapping) and "target" not in (table := spec.get("table") or {"target": ""}):
        return of_file(Path(table["path"]).expanduser(), table.get("separator"))
    kind, options = _parse(spec)
    return of_data(_module(kind).read(options), load(spec, split_seed))


def arrays(dataset: Dataset, words: Words | None = None) -> Arrays:
    """Prepare a data set as float32 arrays; see ``prepare.Arrays``. Prepared once for a data set and words."""
    from hpo.objectives.data.prepare import prepared

    return prepared(dataset, words or Words())


def apply(dataset: Dataset, path: str | Path) -> Part:
    """Read another file with the same columns: same column types, same classes, every row in one part.

    Args:
        dataset: any.
        path: the other file, a table or an .npz file of arrays.

    Raises:
        DataError: missing columns, another image shape, or unknown classes.
    """
    from hpo.objectives.data.another import read_part

    return read_part(dataset.schema, Path(path).expanduser())


def _parse(spec: Any) -> tuple[str, Mapping[str, Any]]:
    problems = check(spec)
    if problems:
        raise DataError("\n".join(problems))
    if isinstance(spec, str):
        return "bundled", {"name": spec}
    ((kind, options),) = spec.items()
    return kind, {name: value for name, value in options.items() if value is not None}


def _module(kind: str) -> ModuleType:
    return bundled if kind == "bundled" else registry.load("data", kind)


def _unknown_name(name: str) -> str:
    if name.lower().removesuffix(".gz").endswith((".txt", ".md", ".jsonl")):
        return f"data {name!r} is no bundled set; for a file of text write {{text: {{path: {name}}}}}"
    if "." in name or "/" in name:
        kind = "npz: {path: " + name + "}" if name.endswith(".npz") else "table: {path: " + name + ", target: COLUMN}"
        return f"data {name!r} is no bundled set; for a file write {{{kind}}}"
    return f"there is no bundled data set called {name!r}: {did_you_mean(name, (*NAMES, *texts.BUNDLED))}"


def _build(source: Source, options: Mapping[str, Any], split_seed: int, content: str, spec: Any) -> Dataset:
    from hpo.objectives.data import columns, numerals, split, target

    source = _with_target(replace(source, y=target.cleaned(source.y)))
    quantity = source.task == "regression"
    form = target.form_of(source.y, source.asked.decimal, quantity=quantity) if source.task != "classification" else ""
    if form:
        told = numerals.written_note(source.y.dropna().astype(str), form, "task: classification")
        told = f"the target {source.target!r} {told}"
        source = replace(source, y=target.numbered(source.y, form), notes=(*source.notes, told))
    task, y, classes = target.encode(source.y, source.name, source.target, source.task, source.classes)
    notes = source.notes + target.class_notes(source.target, classes)
    validation, test = shares(options)
    rows = split.split(
        y,
        stratify=task == "classification",
        validation=validation,
        test=test,
        seed=split_seed,
        groups=source.groups,
        time=source.time,
        parts=source.parts,
    )
    for part, chosen in zip(("train", "validation", "test"), rows, strict=True):
        target.check_part(part, y[chosen], task, classes, source.name, training=part == "train")
    how: tuple[columns.Column, ...] = ()
    X, features = source.X, source.features
    if hasattr(X, "columns"):
        how, read_notes = columns.infer(X.iloc[rows[0]], source.asked)
        if not how:
            raise DataError(f"{source.name}: no column is left to learn from\n" + "\n".join(read_notes))
        X = columns.convert(X, how)
        features, notes = tuple(map(str, X.columns)), notes + read_notes
    train, valid, held_out = (_part(X, y, chosen, source.groups) for chosen in rows)
    return Dataset(
        name=source.name,
        task=task,
        target=source.target,
        classes=classes,
        features=features,
        train=train,
        validation=valid,
        test=held_out,
        image=source.image,
        digest=content,
        notes=notes,
        columns=how,
        spec=spec,
        ordered=source.time is not None,
        target_mark=form,
        eight_bits=source.eight_bits,
    )


def _with_target(source: Source) -> Source:
    """Leave out the rows without a target, and say how many."""
    import numpy as np

    from hpo.objectives.data import target

    here = target.present(source.y)
    if here.all():
        return source
    if not here.any():
        raise DataError(f"{source.name}: the target {source.target!r} is missing in every row")
    rows = np.flatnonzero(here)

    def kept(values: Any) -> Any:
        return None if values is None else values.iloc[rows] if hasattr(values, "iloc") else values[rows]

    return replace(
        source,
        X=kept(source.X),
        y=kept(source.y),
        groups=kept(source.groups),
        time=kept(source.time),
        parts=kept(source.parts),
        notes=(*source.notes, f"{len(here) - len(rows)} of {len(here)} rows have no target and are left out"),
    )


def _part(X: Any, y: Any, rows: Any, groups: Any) -> Part:
    taken = X.iloc[rows].reset_index(drop=True) if hasattr(X, "iloc") else X[rows]
    return Part(taken, y[rows], rows, None if groups is None else groups[rows])
