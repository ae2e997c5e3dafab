"""The options of a training script, whatever declares them: its knobs, and the words that set them.

Read from its text, and from the user's own files that it imports where the script itself declares none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.search.describe import script_argparse, script_functions, script_wandb
from hpo.search.describe.script_option import Option, behind
from hpo.search.describe.source import Source
from hpo.search.terms.knobs import Signature


@dataclass(frozen=True)
class Options:
    """What a script takes.

    Attributes:
        declared: its options, in the order of its text.
        open: whether it may take others.
    """

    declared: tuple[Option, ...] = ()
    open: bool = False

    def signature(self, doc: str) -> Signature:
        """Its knobs."""
        return Signature({option.knob.name: option.knob for option in self.declared}, self.open, doc)

    def words(self, recipe: Mapping[str, Any]) -> list[str]:
        """Words of a command line that set the recipe's knobs; the seed only where the script takes one."""
        known = {option.knob.name: option for option in self.declared}
        found = [word for name, option in known.items() if name in recipe for word in option.words(recipe[name])]
        bare = any(option.form == "config" for option in self.declared)  # a script without a command line
        others = [] if bare else [name for name in recipe if name not in known and name != "seed"]
        return [*found, *(behind(f"--{name}", str(recipe[name])) for name in others if recipe[name] is not None)]


def options_of(source: Source) -> Options:
    """Read a script's options; none, and not open, where its text declares no command line."""
    for one in (source, *_own_modules(source)):
        plain, unclear = script_argparse.declared(one)
        structured, missing = script_functions.declared(one)
        if plain or structured or unclear or missing:
            found = {option.knob.name: option for option in (*structured, *plain)}
            return Options(tuple(found.values()), unclear or missing)
    return Options(tuple(script_wandb.declared(source)))


def _own_modules(source: Source) -> list[Source]:
    """The user's own files that a script imports, those that lie in its folder."""
    folder, found = source.path.resolve().parent, dict[Path, Source]()
    for dotted in script_argparse.imported_files(source):
        path = folder.joinpath(*dotted.split("."))
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file() and file != source.path.resolve():
                try:
                    found[file] = Source(file)
                except (OSError, SyntaxError, ValueError):
                    continue
    return list(found.values())
