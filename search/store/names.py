"""What a study may be called: one rule for every place where a name enters."""

from __future__ import annotations

import re

from hpo.search.terms.errors import UserError

CONFIRM = " (confirm)"
"""What is added to a study's name for the study that holds its fresh runs."""

_LONGEST = 200  # letters, and bytes in UTF-8: a file or folder is named after the study


def problem_with(name: str) -> tuple[str, str] | None:
    """What is wrong with a study's name, and the remedy; None where it can be used.

    Names are words of command lines and parts of file names, so they are visible letters without slashes.

    >>> problem_with("lr-batch")
    >>> problem_with("a/b")
    ("a study cannot be called 'a/b'", 'no slashes, at most 200 letters')
    """
    if not name.strip():
        return "a study's name must not be empty", "give it one, such as: name: my-study"
    if "/" in name or "\\" in name or len(name) > _LONGEST:
        remedy = f"no slashes, at most {_LONGEST} letters"
    elif name.strip() != name:
        remedy = "no spaces around it"
    elif name in (".", ".."):
        remedy = "that is a folder; give it a name of its own"
    elif name.startswith("-"):
        remedy = "no dash at its beginning: a command would take it for an option"
    elif name.endswith((".yaml", ".yml")):
        remedy = "that is a study file; leave its ending out"
    elif not name.isprintable():  # controls, surrogates, line ends, marks that turn the direction of writing
        remedy = "visible letters only"
    elif len(name.encode()) > _LONGEST:
        remedy = f"at most {_LONGEST} bytes as UTF-8 writes it, which are fewer letters where they are not Latin ones"
    else:
        return None
    return f"a study cannot be called {shown(name)}", remedy


def check_name(name: str) -> None:
    """Refuse a name that no new study may have.

    Raises:
        UserError: it cannot be used.
    """
    found = problem_with(name)
    if found is not None:
        raise UserError(f"{found[0]}: {found[1]}")


def storable(name: str) -> bool:
    """Whether any store can hold a study of this name: it is text that UTF-8 can write."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(name: str) -> str:
    """A name as a message may show it: quoted, on one line, not too long.

    >>> shown("a\\n" + "b" * 200)[:20]
    "'a\\\\nbbbbbbbbbbbbbbbb"
    """
    quoted = repr(name if len(name) <= 80 else name[:80] + "…")
    return quoted if quoted.isprintable() else ascii(name[:80])


def safe_name(name: str) -> str:
    """A file's name made from a study's, which names a place in the working directory and nowhere else.

    >>> safe_name("../../my study"), safe_name("..")
    ('my-study', 'hpo')
    """
    shown = re.sub(r"[^\w.+=,@()\[\]-]", "-", name).strip("-.")
    return shown.encode()[:150].decode(errors="ignore") or "hpo"


def model_folder(study: str) -> str:
    """Name of the folder that ``hpo train`` writes a study's winner into unless told.

    >>> model_folder("../../my study")
    'my-study-model'
    """
    return f"{safe_name(study)}-model"
