"""List what there is: studies, objectives, samplers, ...; or everything that one of them takes: hpo list mlp.

Of an objective that is each knob with its type, range and default, the value under which it does nothing, and a range
that is worth searching; `hpo list sklearn HistGradientBoostingClassifier` names an estimator, `hpo list ./mine.py` a
file of yours. Of a sampler, pruner, executor, kind of data or format it is what it does and its options, of a study the
file.
"""

from __future__ import annotations

import argparse
import ast
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo.search.report.out import say
from hpo.search.terms import registry
from hpo.search.terms.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from hpo.search.describe.objective import Objective
    from hpo.search.terms.knobs import Knob

_KINDS = {
    "studies": "study",
    "objectives": "objective",
    "samplers": "sampler",
    "pruners": "pruner",
    "executors": "executor",
    "data": "data",
    "formats": "format",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "what", nargs="?", metavar="WHAT", help=f"one of {', '.join(_KINDS)}; or a name of one of them, or ./file.py"
    )
    parser.add_argument("estimator", nargs="?", metavar="ESTIMATOR", help="of sklearn: whose parameters")
    parser.add_argument("--json", action="store_true", help="as JSON")


def main(arguments: argparse.Namespace) -> int:
    """Print the folders' contents with their summaries, or what one of them takes."""
    what = arguments.what
    if what is not None and what not in _KINDS:
        return _one(what, arguments.estimator, as_json=arguments.json)
    if arguments.estimator is not None:
        raise UserError(
            f"{arguments.estimator!r} belongs behind a name, such as: hpo list sklearn {arguments.estimator}"
        )
    found = {kind: _entries(_KINDS[kind]) for kind in ([what] if what else _KINDS)}
    if arguments.json:
        say(json.dumps(found, indent=2))
        return 0
    for kind, entries in found.items():
        say(kind)
        width = max(map(len, entries), default=0)
        for name, summary in entries.items():
            say(f"  {name:{width}}  {summary}")
    if what is None:
        say("\nwhat one of them takes: hpo list NAME, such as: hpo list mlp")
        say("run a study: hpo run --study NAME; your own: hpo run --study FILE.yaml; stored studies: hpo status")
    return 0


def _entries(kind: str) -> dict[str, str]:
    names = [(name, kind) for name in registry.names(kind)]
    if kind == "sampler":
        names += [(name, "policy") for name in registry.names("policy") if name != "straight"]
    return {name: registry.summary(place, name) for name, place in sorted(names)}


def _one(name: str, estimator: str | None, *, as_json: bool) -> int:
    """Print what everything of this name takes."""
    kinds = [kind for kind in _KINDS.values() if name in _entries(kind)]
    mine = "/" in name or name.endswith(".py")
    if not kinds and not mine:
        known = [*_KINDS, *(entry for kind in _KINDS.values() for entry in _entries(kind))]
        raise UserError(f"there is no {name!r} to list: {did_you_mean(name, known, listed=False) or 'see: hpo list'}")
    if estimator is not None and "objective" not in kinds:
        raise UserError(f"{name} takes no estimator: leave {estimator!r} out")
    told = [_objective(name, estimator)] if mine else [_told(kind, name, estimator) for kind in kinds]
    if as_json:
        say(json.dumps(told[0] if len(told) == 1 else told, indent=2))
        return 0
    say("\n\n".join("\n".join(_lines(one)) for one in told))
    return 0


def _told(kind: str, name: str, estimator: str | None) -> dict[str, Any]:
    from hpo.search.studyfile.plugins import file_kind, options_of

    if kind == "objective":
        return _objective(name, estimator)
    place = registry.path(file_kind(kind, name), name)
    if kind == "study":
        return {"kind": kind, "name": name, "text": place.read_text(encoding="utf-8")}
    doc = ast.get_docstring(ast.parse(place.read_text(encoding="utf-8"))) or ""
    options = options_of(kind, name).knobs.values() if kind in ("sampler", "pruner", "executor") else ()
    return {"kind": kind, "name": name, "text": doc, "options": [_plain(knob) for knob in options]}


def _objective(name: str, estimator: str | None) -> dict[str, Any]:
    from hpo.search.describe.objective import describe

    found = describe(name, Path())
    fixed = {} if estimator is None else {"estimator": estimator}
    known = found.estimators()
    if estimator is not None and estimator not in known and "." not in estimator:
        raise UserError(f"{name} knows no estimator {estimator!r}: {did_you_mean(estimator, known, listed=False)}")
    opened = found.open_knobs(fixed) if estimator is not None else {}
    knobs = {n: knob for n, knob in found.signature.knobs.items() if n not in found.filled and n not in fixed} | (
        opened or {}
    )
    told = {
        "kind": "objective", "name": " ".join(filter(None, [name, estimator])), "text": found.doc,
        "knobs": [_plain(knob) | _worth(knob, found, fixed) for knob in knobs.values()],
    }  # fmt: skip
    return told | ({"estimators": known} if known and estimator is None else {})


def _worth(knob: Knob, objective: Objective, fixed: Mapping[str, Any]) -> dict[str, Any]:
    from hpo.search.studyfile.ranges import neutral, sensible

    return {"neutral": neutral(knob), "search": sensible(knob, objective.reference, fixed)}


def _plain(knob: Knob) -> dict[str, Any]:
    from hpo.search.terms.knobs import REQUIRED, UNKNOWN

    default = {} if knob.default in (REQUIRED, UNKNOWN, ...) else {"default": knob.default}
    limits = "" if knob.limits is None else str(knob.limits)
    takes = knob.expects if knob.kinds or knob.options else ""
    return {"name": knob.name, "takes": takes, "range": limits, **default, "doc": knob.doc}


def _lines(told: Mapping[str, Any]) -> Iterable[str]:
    from hpo.search.report import text

    yield f"{told['kind']} {told['name']}"
    yield from (f"  {line}".rstrip() for line in told["text"].rstrip().splitlines())
    for word in ("knobs", "options"):
        if told.get(word):
            yield f"\n{word}"
        for knob in told.get(word, ()):
            default = (
                f"default {text.number(knob['default'])}" if "default" in knob else "no default that is a constant"
            )
            neutral = f"does nothing at {knob['neutral']}" if knob.get("neutral") else ""
            takes = ", ".join(filter(None, [" ".join(filter(None, (knob["takes"], knob["range"]))), default, neutral]))
            yield f"  {knob['name']}: {takes}"
            if knob["doc"]:
                yield f"      {knob['doc']}"
            if knob.get("search"):
                yield f"      search: {{{knob['name']}: {knob['search']}}}"
    if told.get("estimators"):
        yield f"\nestimators, with parameters of their own (hpo list {told['name']} {told['estimators'][0]})"
        yield f"  {', '.join(told['estimators'])}"
