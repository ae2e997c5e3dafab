"""Everything the suite raises on purpose.

::

    HpoError                  has a message for the user and an exit code; never a bug
    |-- StudyFileError        2  mistakes in a study file or an override, each with its place
    |-- UserError             2  a name, path, flag or environment that cannot be used
    |   `-- Busy              2  a study that another process runs
    |-- DataError             2  a data set that cannot be trained on
    |   `-- NoTestPart        2  one that keeps no test part, as it says
    |-- EverythingFailed      3  a study in which no trial succeeded
    |-- StoreError            4  the store cannot be read or written
    |   `-- Unreachable       4  its server does not answer, or has ended the connection
    |-- OutputError           4  a disk is full or fails under what is written
    `-- Interrupted         130  Ctrl-C, SIGTERM or SIGHUP stopped the search
    SpaceExhausted               internal: a sampler has no untried recipe left
    OutOfTime                    internal: the time of a step is up; no Exception, so that objectives let it pass

Anything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Iterable
from dataclasses import dataclass

_URL = re.compile(r"[A-Za-z][\w+.-]*://|(postgres|mysql|mariadb)[\w+]*(:|//)", re.IGNORECASE)
_OPEN_URL = re.compile(  # one in which nothing stands where a password could: user, host, port, path
    r"(user:password@|[^\s:@/?#]*@)?(\[[\w:.%]*\]|[^\s:@/?#\[\]]*)(,[^\s:@/?#]*)*(:\d{1,5})?(/[^\s@?#:]*)?[:;,.')\"]*(?=\s|$)"
)
_STORAGE = re.compile(r"storage[\"']?\s*[:=][\s\"']*")
_FILE = re.compile(r"[\w./~+ -]*([\"',}#]|$)")
_LINE_END = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")


DISK_FAILS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Numbers of an OSError by which a disk says that it is full, or broken."""

_LONG, _FEW = 6, 3
"""Letters from which on a word is taken for the beginning of a name, and how many such names are offered."""

_ELSEWHERE = {
    "params": "search", "parameters": "search", "hyperparameters": "search", "space": "search",
    "search_space": "search",
    "metric": "goal", "direction": "goal", "model": "objective", "script": "objective", "function": "objective",
    "n_jobs": "workers", "jobs": "workers", "parallel": "workers", "scheduler": "pruner", "early_stopping": "pruner",
    "algorithm": "sampler", "database": "storage", "db": "storage", "n_trials": "trials", "timeout": "minutes",
    "asha": "successive-halving", "sha": "successive-halving", "bayesian": "tpe", "bayes": "tpe", "bohb": "tpe",
    "sobol": "qmc", "nsga-ii": "nsga2", "nsgaii": "nsga2", "cma-es": "cmaes", "gaussian-process": "gp",
    "lr": "learning_rate", "bs": "batch_size", "hidden": "width", "layers": "depth",
}  # fmt: skip
"""What other tools call the same thing."""


def spelt(value: object) -> str:
    """A value as a study file spells it.

    >>> spelt(True), spelt(None), spelt("a"), spelt(1.5)
    ('true', 'null', "'a'", '1.5')
    """
    return (
        {True: "true", False: "false"}[value] if isinstance(value, bool) else "null" if value is None else repr(value)
    )


class HpoError(Exception):
    """A foreseeable failure; ``str(error)`` is the complete message, without what may be a password in it."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__(without_secrets(message))

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows in the place of a traceback: the message is all that there is to know."""
        return [f"hpo: {self}"]


class UserError(HpoError):
    """A name, path, flag or environment that cannot be used."""


class Busy(UserError):
    """A study that another process runs."""


class DataError(HpoError):
    """A data set that cannot be trained on."""


class NoTestPart(DataError):
    """The data keeps no test part, as its options may say: there is nothing to measure a winner on."""


class EverythingFailed(HpoError):
    """No trial of the study succeeded."""

    exit_code = 3


class StoreError(HpoError):
    """The store cannot be read or written."""

    exit_code = 4


class Unreachable(StoreError):
    """The store's server does not answer, or has ended the connection."""


class OutputError(HpoError):
    """A disk is full or fails under what is written: a result, a cache, an objective's own files."""

    exit_code = 4


class Interrupted(HpoError):
    """A signal stopped the search; everything finished is recorded."""

    exit_code = 130


class SpaceExhausted(Exception):
    """Raised by a sampler when every recipe of a finite space has been tried."""


class OutOfTime(BaseException):
    """Raised inside a step whose time is up; objectives that catch ``Exception`` let it pass."""


@dataclass(frozen=True)
class Mistake:
    """One mistake at one place: what is wrong, the offered repair, and where (line and column count from 1).

    Of several mistakes at one place only the first is shown, for the others follow from it, unless they are
    ``about`` different things.
    """

    message: str
    hint: str = ""
    source: str = "<study>"
    text: str = ""
    line: int = 1
    column: int = 1
    width: int = 1
    about: str = ""

    def __str__(self) -> str:
        shown = f"{self.source}:{self.line}:{self.column}: {self.message}"
        lines = lines_of(self.text)
        if not self.text or not 1 <= self.line <= len(lines):
            return f"{shown} ({self.hint})" if self.hint else shown
        margin = f"{self.line} | "
        line = "".join(letter if letter.isprintable() else " " for letter in _typed(lines[self.line - 1]))
        cut = max(0, self.column - 60)  # a long line is shown around its mistake only
        line, column = line[cut : cut + 110], self.column - cut
        if column > len(line) + 1:  # behind a cut
            return f"{shown} ({self.hint})" if self.hint else shown
        width = max(1, min(self.width, len(line) - column + 1))
        pointer = " " * (len(margin) - 2) + "| " + " " * (column - 1) + "^" * width
        return f"{shown}\n{margin}{line}\n{pointer} {self.hint}".rstrip()


def without_secrets(text: str) -> str:
    """A text as typed by a user, each line cut at a URL that may hold a password.

    Where a password ends is known only of a URL that can be read, and messages are about those that cannot; so nothing
    of one is kept in which anything stands where a password may.

    >>> without_secrets("storage: postgresql://me:s3cr@et@db/x  # ours"), without_secrets("see http://127.0.0.1:80/ ")
    ('storage: postgresql://...', 'see http://127.0.0.1:80/ ')
    """
    return "\n".join(map(_cut, text.split("\n")))


def _typed(line: str) -> str:
    """A line of a study file: cut at a storage that may hold a password too, as it need not be a URL."""
    found = _STORAGE.search(line)
    rest = line[found.end() :] if found else ""
    if found and not _URL.match(rest) and not _FILE.match(rest):
        line = line[: found.end()] + "..."
    return without_secrets(line)


def _cut(line: str) -> str:
    for found in _URL.finditer(line):
        rest = line[found.end() :]
        page = found[0].lower() in ("http://", "https://") and "@" not in rest
        if not page and not _OPEN_URL.match(rest):
            return line[: found.end()] + "..."
    return line


def lines_of(text: str) -> list[str]:
    """Lines as YAML counts them, which ends no line at a form feed as ``str.splitlines`` does."""
    return _LINE_END.split(text)


class StudyFileError(HpoError):
    """All mistakes of one study file, in order of place."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        first: dict[tuple[str, int, int, str], Mistake] = {}
        for mistake in mistakes:
            first.setdefault((mistake.source, mistake.line, mistake.column, mistake.about), mistake)
        self.mistakes = [first[place] for place in sorted(first)]
        super().__init__("\n\n".join(map(str, self.mistakes)))


class Advice(UserWarning):
    """What the user should know about a training that goes on all the same."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a misspelt one is likely to mean, if any.

    >>> nearest("serach", ["search", "seed"]), nearest("lr", ["learning_rate", "l2"])
    ('search', 'learning_rate')
    >>> nearest("hidden", ["hidden_units", "depth"]), nearest("params", ["search", "seed"])
    ('hidden_units', 'search')
    """
    names = sorted(known)
    if (other := _ELSEWHERE.get(word)) in names:
        return other
    for likely in (
        [name for name in names if "_" in name and word == "".join(part[:1] for part in name.split("_"))],
        difflib.get_close_matches(word, names, n=1, cutoff=0.6),
        [name for name in names if word in re.split(r"[_-]", name)],
    ):
        if len(likely) == 1:
            return likely[0]
    return None


def did_you_mean(word: str, known: Iterable[str], *, listed: bool = True) -> str:
    """Offer the nearest known word, or with ``listed`` all of them when they are few.

    >>> did_you_mean("serach", ["search", "seed"])
    "did you mean 'search'?"
    >>> did_you_mean("zzz", ["search", "seed"])
    'one of: search, seed'
    """
    names = sorted(known)
    longer = [name for name in names if len(word) >= _LONG and name.startswith(word)]
    if 1 < len(longer) <= _FEW:
        return f"did you mean {' or '.join(map(repr, longer))}?"
    near = nearest(word, names)
    if near is not None:
        return f"did you mean {near!r}?"
    if listed and 0 < len(names) <= 16:
        return "one of: " + ", ".join(names)
    return ""
