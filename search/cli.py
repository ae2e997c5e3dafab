"""The `hpo` command: finds the sub-command, runs it, turns foreseeable failures into one message and an exit code.

Exit codes: 0 done, 1 the objective brought the command down or a replayed trial differs, 2 the user's mistake, 3 every
trial failed, 4 the store or the disk failed, 130 interrupted; a bug keeps its traceback.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from hpo.search.report.out import say
from hpo.search.running import leaving, log
from hpo.search.terms import registry
from hpo.search.terms.errors import (
    DISK_FAILS,
    HpoError,
    OutputError,
    StudyFileError,
    UserError,
    did_you_mean,
    without_secrets,
)
from hpo.search.terms.warned import once

_ORDER = (
    "new",
    "run",
    "check",
    "data",
    "list",
    "status",
    "stop",
    "show",
    "dashboard",
    "report",
    "export",
    "train",
    "predict",
    "explain",
    "replay",
    "compare",
    "scale",
    "copy",
    "delete",
    "schema",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. Without ``argv`` this process is the command's own."""
    if argv is not None:
        return _main(list(argv))
    with leaving.own_process():
        return leaving.ends_with(_main(sys.argv[1:]))


def _main(words: list[str]) -> int:
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    if debug:
        log.debug()
    for stream in (sys.stdout, sys.stderr):  # a terminal that has no letters for a curve gets their names
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        with once(lambda told: say(told, file=sys.stderr)):  # which a live view may have taken over by then
            code = _dispatch(words)
            sys.stdout.flush()
            return code
    except HpoError as error:
        if debug:
            raise
        # A study file's mistakes begin with their place, which editors and terminals make clickable.
        say(error if isinstance(error, StudyFileError) else f"hpo: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        _drop_output()
        return 0
    except OSError as error:
        if error.errno not in DISK_FAILS or error.filename is not None:
            raise
        _drop_output()
        say(f"hpo: the output cannot be written: {os.strerror(error.errno).lower()}", file=sys.stderr)
        return OutputError.exit_code
    except Exception as error:  # a library that is being imported makes something else of Ctrl-C
        if not _began_as_interrupt(error):
            raise
        return _interrupted()


def _interrupted() -> int:
    say(f"hpo: {leaving.told('stopped now')}", file=sys.stderr)
    return 130


def _began_as_interrupt(error: BaseException | None) -> bool:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def _drop_output() -> None:
    """Let what is still buffered for standard output go, so that the interpreter's end does not fail on it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def commands() -> list[str]:
    """Name of each command, in the order of a first session with the tool."""
    known = registry.names("command")
    ordered = [name for name in _ORDER if name in known]
    return [*ordered, *sorted(set(known) - set(ordered))]


def _dispatch(words: list[str]) -> int:
    known = commands()
    if words and words[0] in ("--version", "-V"):
        from importlib.metadata import version

        say(f"hpo {version('hpo-suite')}")
        return 0
    if not words or words[0] in ("-h", "--help", "help"):
        say(_help(known))
        return 0
    name, *rest = words
    if name not in known:
        raise UserError(f"there is no command {name!r}: {did_you_mean(name, known)}")
    module = registry.load("command", name)
    parser = _Parser(
        prog=f"hpo {name}", description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    module.configure(parser)
    code: int = module.main(parser.parse_intermixed_args(rest))  # words may stand behind options
    return code


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the words of a command without repeating a password among them."""

    def error(self, message: str) -> NoReturn:
        unknown = message.partition("unrecognized arguments: ")[2].split()
        flags = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
        hint = did_you_mean(unknown[0].partition("=")[0], flags) if unknown and unknown[0].startswith("--") else ""
        super().error(without_secrets(message) + (f"; {hint}" if hint else ""))


def _help(known: Sequence[str]) -> str:
    width = max(map(len, known))
    lines = [f"  {name:{width}}  {registry.summary('command', name)}" for name in known]
    return "\n".join(
        [
            "usage: hpo COMMAND [options]        hpo COMMAND --help",
            "",
            "Search the training recipe of a model; one study file, one command, an honest winner.",
            "",
            *lines,
            "",
            "start here:  hpo run --study lr-batch",
        ]
    )
