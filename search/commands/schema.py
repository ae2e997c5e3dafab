"""Print the JSON schema of study files, for completion in editors."""

from __future__ import annotations

import argparse
import json

from hpo.search.report.out import say


def configure(parser: argparse.ArgumentParser) -> None:
    """The command has no options."""


def main(arguments: argparse.Namespace) -> int:
    """Print the schema."""
    from hpo.search.studyfile.schema import schema

    say(json.dumps(schema(), indent=2))
    return 0
