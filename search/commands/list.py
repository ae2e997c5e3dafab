"""List the shipped studies, objectives, samplers, pruners, executors, kinds of data and formats of other tools."""

from __future__ import annotations

import argparse
import json

from hpo.search.report.out import say
from hpo.search.terms import registry
from hpo.search.terms.errors import UserError, did_you_mean

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
    parser.add_argument("kind", nargs="?", metavar="KIND", help=f"one of {', '.join(_KINDS)}; all of them by default")
    parser.add_argument("--json", action="store_true", help="as JSON")


def main(arguments: argparse.Namespace) -> int:
    """Print the folders' contents with their summaries."""
    if arguments.kind is not None and arguments.kind not in _KINDS:
        raise UserError(f"there are no {arguments.kind!r} to list: {did_you_mean(arguments.kind, _KINDS)}")
    kinds = [arguments.kind] if arguments.kind else list(_KINDS)
    found = {kind: _entries(_KINDS[kind]) for kind in kinds}
    if arguments.json:
        say(json.dumps(found, indent=2))
        return 0
    for kind, entries in found.items():
        say(kind)
        width = max(map(len, entries), default=0)
        for name, summary in entries.items():
            say(f"  {name:{width}}  {summary}")
    if not arguments.kind:
        say("\nrun a study: hpo run --study NAME; your own: hpo run --study FILE.yaml; stored studies: hpo status")
    return 0


def _entries(kind: str) -> dict[str, str]:
    names = [(name, kind) for name in registry.names(kind)]
    if kind == "sampler":
        names += [(name, "policy") for name in registry.names("policy") if name != "straight"]
    return {name: registry.summary(place, name) for name, place in sorted(names)}
