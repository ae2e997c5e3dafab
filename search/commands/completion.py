"""Print what lets a shell complete commands, options, and the names of studies: bash, zsh or fish.

For good: add eval "$(hpo completion bash)" to ~/.bashrc, the same with zsh to ~/.zshrc behind compinit, or write hpo
completion fish to ~/.config/fish/completions/hpo.fish.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from hpo.search.report.out import say
from hpo.search.terms import registry
from hpo.search.terms.errors import HpoError, UserError, did_you_mean

_SHELLS = {
    "bash": """\
_hpo() {
    local IFS=$'\\n'
    COMPREPLY=($(hpo completion --words "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o bashdefault -o default -F _hpo hpo
""",
    "zsh": """\
_hpo() {
    local -a found
    found=(${(f)"$(hpo completion --words "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( $#found )); then compadd -a found; else _files; fi
}
compdef _hpo hpo
""",
    "fish": """\
complete -c hpo -a '(hpo completion --words (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
""",
}
_PLUGINS = {"sampler": "sampler", "pruner": "pruner", "executor": "executor", "format": "format"}
_FILES = ("*.yaml", "*.yml", "*.py")


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("shell", nargs="?", metavar="SHELL", help=f"one of {', '.join(_SHELLS)}")
    parser.add_argument("--words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)  # for the shell's own use


def main(arguments: argparse.Namespace) -> int:
    """Print the shell's code; for the shell itself what may stand in the place of the last of the words."""
    if arguments.words is not None:
        for word in candidates(arguments.words):
            say(word)
        return 0
    if arguments.shell not in _SHELLS:
        given = arguments.shell or ""
        raise UserError(f"completion is for a shell: hpo completion bash ({did_you_mean(given, _SHELLS)})")
    say(_SHELLS[arguments.shell].rstrip())
    return 0


def candidates(words: Sequence[str]) -> list[str]:
    """What may stand in the place of the last word, whose beginning it may be; sorted.

    >>> candidates(["stat"]), candidates(["status", "--wa"])
    (['status'], ['--watch'])
    """
    *before, begun = words or [""]
    if not before:
        return sorted(name for name in registry.names("command") if name.startswith(begun))
    if before[0] not in registry.names("command"):
        return []
    parser = argparse.ArgumentParser(prog=before[0])
    module = registry.load("command", before[0])
    module.configure(parser)
    takes = {flag: action for action in parser._actions for flag in action.option_strings if action.nargs != 0}
    found: Iterable[str]
    if before[-1] in takes:
        found = _values(takes[before[-1]].dest, parser, before)
    elif begun.startswith("-"):
        shown = [action for action in parser._actions if action.help != argparse.SUPPRESS]
        found = [flag for action in shown for flag in action.option_strings if flag.startswith("--")]
    else:
        found = _places(before, parser)
    return sorted({word for word in found if word.startswith(begun)})


def _values(option: str, parser: argparse.ArgumentParser, before: Sequence[str]) -> Iterable[str]:
    """Values of an option; none where the shell's own files are the better offer."""
    if option in _PLUGINS:
        from hpo.search.studyfile.plugins import known_names

        return registry.names("format") if option == "format" else known_names(_PLUGINS[option])
    return _studies(parser, before) if option == "study" else ()


def _places(before: Sequence[str], parser: argparse.ArgumentParser) -> Iterable[str]:
    """What a word that belongs to no option may be."""
    if before[0] == "completion":
        return _SHELLS
    if before[0] == "list":
        kinds = ("study", "objective", "sampler", "pruner", "executor", "data", "format")
        return [name for kind in kinds for name in registry.names(kind)]
    return _studies(parser, before)


def _studies(parser: argparse.ArgumentParser, before: Sequence[str]) -> list[str]:
    """Names of studies: stored ones, or those that can be run."""
    stored = parser.get_default("_stored")
    if stored is None:
        return []
    if not stored:
        files = [path.name for pattern in _FILES for path in Path().glob(pattern)]
        return [*registry.names("study"), *files]
    from hpo.search.store import open_store
    from hpo.search.store.names import CONFIRM

    place = before[before.index("--storage") + 1] if "--storage" in before[:-1] else None
    with contextlib.suppress(HpoError):  # there is nobody to tell
        return [name for name in open_store(place).names() if not name.endswith(CONFIRM)]
    return []
