"""Serve optuna-dashboard over the store, on this machine only and read-only."""

from __future__ import annotations

import argparse

from hpo.search.commands.common import arguments as options
from hpo.search.report.out import say
from hpo.search.terms.errors import UserError


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    options.add_store(parser)
    parser.add_argument(
        "--port", type=int, default=8080, metavar="N", help="port (default: 8080; 0 takes any free one)"
    )
    parser.add_argument("--write", action="store_true", help="let the page change and delete studies")


def main(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    from hpo.search.dashboard.server import serve

    store = options.store_of(arguments)
    if store.missing:
        raise UserError(f"there is no store {store.display} yet; start a study with: hpo run --study lr-batch")
    mode = "read and write" if arguments.write else "read-only"

    def ready(url: str) -> None:
        say(f"dashboard of {store.display}: {url}  ({mode}; Ctrl-C to stop)", flush=True)

    serve(store, port=arguments.port, write=arguments.write, ready=ready)
    return 0
