"""PostgreSQL URLs: read strictly, and shown without anything that may be secret.

What a URL means to the database's own library is known only where it can be read in one way. A password with an
unwritten ``@``, ``/`` or ``%`` makes a URL whose parts are not what their places say, so such a URL is refused and no
part of it is repeated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from hpo.search.terms.errors import UserError

_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[\w.~%-]*)(?::(\d{1,5}))?", re.ASCII)
_ESCAPES = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")
_OPEN = ("host", "port", "user", "dbname")  # what may be shown; any other parameter may hold a secret


@dataclass(frozen=True)
class Server:
    """Where a database is.

    Attributes:
        display: user, host, port and database, as messages may show them.
        parameters: what libpq is given, by its own names.
    """

    display: str
    parameters: dict[str, str] = field(repr=False)

    def without_secrets(self, told: str) -> str:
        """What the library says, unless it repeats something that may be secret."""
        hidden = [value for key, value in self.parameters.items() if key not in _OPEN]
        words = " ".join(told.split())
        return "it cannot be reached that way" if any(value and value in words for value in hidden) else words


def parse_server(rest: str) -> Server:
    """Read what follows ``postgresql://``.

    >>> parse_server("me:s%40cret@db.example:5432/hpo?sslmode=require").display
    'postgresql://me@db.example:5432/hpo'

    Raises:
        UserError: it cannot be read in one way only; the message repeats none of it.
    """
    before, mark, query = rest.partition("?")
    authority, _, database = before.partition("/")
    login, _, hosts = authority.rpartition("@")
    user, colon, password = login.partition(":")
    found = [_HOST.fullmatch(place) for place in hosts.split(",")]
    parameters = _query(query) if mark else {}
    if (
        parameters is None
        or "@" in login
        or re.search("[@:/]", database)
        or _ESCAPES.search(before)
        or not before.isprintable()
        or (colon and not user)
        or not all(match and int(match[2] or 1) < 2**16 for match in found)
    ):
        raise UserError(
            "storage postgresql://...: not a URL; write postgresql://user:password@host:5432/name,"
            " in user and password %40 for @, %2F for /, %3A for :, %3F for ?, %23 for #, %25 for %"
        )
    parts = {
        "user": unquote(user),
        "password": unquote(password) if colon else "",
        "host": ",".join(unquote(match[1]).strip("[]") for match in found if match),
        "port": ",".join(match[2] or "" for match in found if match) if any(m and m[2] for m in found) else "",
        "dbname": unquote(database),
    }
    parameters = {**{key: value for key, value in parts.items() if value}, **parameters}
    return Server(_display(parameters), parameters)


def _query(text: str) -> dict[str, str] | None:
    """The parameters of a query; None where it has parts that are none."""
    found = {}
    for part in text.split("&") if text else ():
        key, equals, value = part.partition("=")
        if not equals or not re.fullmatch("[a-z_]+", key) or re.search(r"[@=\s]", value) or _ESCAPES.search(value):
            return None
        if not value.isprintable():
            return None
        found[key] = unquote(value)
    return found


def _display(parameters: dict[str, str]) -> str:
    user, host, port, name = (_visible(parameters.get(key, "")) for key in ("user", "host", "port", "dbname"))
    login = f"{user}@" if user else ""
    return f"postgresql://{login}{host}{f':{port}' if port else ''}{f'/{name}' if name else ''}"


def _visible(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]
