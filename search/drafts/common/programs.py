"""The program of another tool's configuration: a script where its text tells the options, else a command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hpo.search.contracts.draft import Draft, Given
from hpo.search.describe.objective import describe
from hpo.search.describe.program import SCRIPT
from hpo.search.studyfile.scriptstudy import is_script
from hpo.search.terms.errors import UserError


def script_knobs(path: Path, names: Iterable[str]) -> dict[str, str] | None:
    """The script's own name of each knob; None where it is no script that takes them all."""
    if path.suffix != ".py" or not path.is_file() or not is_script(path):
        return None
    try:
        signature = describe(SCRIPT + str(path.resolve()), Path()).signature
    except UserError:
        return None
    known = {name: name if name in signature.knobs else name.replace("-", "_") for name in names}
    return known if signature.open or all(own in signature.knobs for own in known.values()) else None


def command(words: Sequence[str]) -> dict[str, Any]:
    """A command line as an objective."""
    return {"command": " ".join(_quoted(word) for word in words)}


def placeholder(name: str) -> str:
    """Where a command takes a knob, which is called by letters that a placeholder may have.

    >>> placeholder("batch-size"), placeholder("+model.lr")
    ('{batch_size}', '{model.lr}')
    """
    return f"{{{_plain(name)}}}"


def _plain(name: str) -> str:
    return re.sub(r"[^\w.]", "_", name.lstrip("+-"))


def _quoted(word: str) -> str:
    return word if "{" in word and not set(word) & set(" '\"$&|;<>()*?!#`\\") else shlex.quote(word)


def _rename(draft: Draft, names: Mapping[str, str]) -> None:
    for section in ("search", "fixed"):
        if section in draft.study:
            draft.study[section] = {names[knob]: value for knob, value in draft.study[section].items()}
        for knob, name in names.items():
            if (why := draft.why.pop(f"{section}.{knob}", None)) is not None:
                draft.why[f"{section}.{name}"] = why


def set_program(draft: Draft, given: Given, program: Path, words: Sequence[str] | None) -> None:
    """Let the draft train a script, or where ``words`` are given the command line that they are.

    The knobs of a script are called as the script calls them.
    """
    searched, fixed = draft.study.get("search", {}), draft.study.get("fixed", {})
    names = script_knobs(program, [*searched, *fixed]) if words is None else None
    if words is None and names is not None:
        draft.study["objective"] = {"script": given.path(program)}
        _rename(draft, names)
        return
    plain = ["python", given.path(program), *(f"--{name}={placeholder(name)}" for name in (*searched, *fixed))]
    _rename(draft, {name: _plain(name) for name in (*searched, *fixed)})
    draft.study["objective"] = command(words if words is not None else plain)
    if words is None and not program.is_file():
        draft.asks.append(f"there is no file {given.path(program)} beside it: name the program under objective")
