"""A data set of openml.org by name, downloaded once and kept by scikit-learn in its data folder.

Options: ``name``, ``version`` (default: the active one), ``target`` (default: the one the data set names), ``drop``,
``categorical``, ``text``, ``task``, ``groups``, ``time``, ``decimal``, ``validation``, ``test`` as for a table.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.objectives.data.dataset import Source
from hpo.objectives.data.frame import COLUMNS, from_frame
from hpo.objectives.data.options import mistakes, text_digest
from hpo.search.terms.errors import DataError

OPTIONS = {"name": "text", "version": "whole", "target": "text", **COLUMNS}


def check(options: Mapping[str, Any], base: Path) -> list[str]:
    """Mistakes in the options; whether the data set exists is known only on the network."""
    return mistakes("openml", options, OPTIONS, ("name",))


def digest(options: Mapping[str, Any]) -> str:
    """Digest of name and version: published versions do not change."""
    return text_digest("openml", options["name"], options.get("version", "active"))


def read(options: Mapping[str, Any]) -> Source:
    """Fetch it, or take it from the data folder.

    Raises:
        DataError: no network, or no such data set, version or target.
    """
    from sklearn.datasets import fetch_openml

    name, version = options["name"], options.get("version")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            bunch = fetch_openml(
                name, version=version or "active", as_frame=True, parser="pandas", n_retries=1, delay=0.5
            )
    except OSError as error:
        raise DataError(
            f"OpenML's data set {name!r} is not in scikit-learn's data folder and openml.org cannot be reached "
            f"({error}): connect to the network, or save it as a CSV and write {{table: {{path: ..., target: ...}}}}"
        ) from None
    except ValueError as error:
        raise DataError(f"OpenML has no data set {name!r}{f' version {version}' if version else ''}: {error}") from None
    target = options.get("target") or ", ".join(bunch.target_names or [])
    if not target or target not in bunch.frame.columns:
        raise DataError(
            f"OpenML's {name!r} names {target or 'no column'} as its target: "
            f"choose one column with target: ... out of {', '.join(map(str, bunch.frame.columns))}"
        )
    return from_frame(bunch.frame, {**options, "target": target}, name)
