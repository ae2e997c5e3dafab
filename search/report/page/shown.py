"""Figures that show themselves where they stand as the last line of a notebook's cell, and can be saved."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape
from pathlib import Path

from hpo.search.report import files
from hpo.search.report.importance import importance
from hpo.search.report.out import clean
from hpo.search.report.page import drawn, figures, png
from hpo.search.report.page.drawn import Drawn, Perhaps
from hpo.search.report.page.style import alone
from hpo.search.report.page.svg import Figure
from hpo.search.report.study import StudyReport
from hpo.search.terms.errors import UserError, did_you_mean

_HEAD, _LINE, _EDGE = 26, 15, 12
_PLACE = "hpo-figure"
"""Class of the element that a figure is."""
_LETTER = 5.6
"""Pixels of a letter of the note, about."""


class Shown:
    """A figure with its title and what to know of it; without anything to see it says why.

    Attributes:
        title: what is seen.
        note: what to know of it, or why there is nothing to see.
    """

    def __init__(self, perhaps: Perhaps, study: str) -> None:
        """``study`` is the name of the study that it is of."""
        self.title, self._figure, self.note = perhaps
        self._study = study

    def __repr__(self) -> str:
        if self._figure is None:
            return f"<no figure {self.title!r} of {self._study}: {self.note}>"
        return f"<figure {self.title!r} of {self._study}; .save('figure.svg') or .png>"

    def _repr_svg_(self) -> str | None:
        """What a notebook draws."""
        return None if self._figure is None else standalone(self.title, self._figure, self.note)

    def save(self, path: str | Path) -> Path:
        """Write the figure as SVG or PNG, by the file's ending; an existing file is replaced.

        Raises:
            UserError: there is nothing to see, the ending is another one, or Pillow is not installed for a PNG.
        """
        path = Path(path)
        if self._figure is None:
            raise UserError(f"there is no figure to save: {self.note}")
        if path.suffix.lower() == ".svg":
            files.write(path, standalone(self.title, self._figure, self.note))
        elif path.suffix.lower() == ".png":
            files.write(path, png.picture([Drawn(self.title, self._figure, self.note)]))
        else:
            raise UserError(f"{path}: a figure is saved as .svg or .png")
        return path


class Plot:
    """The figures of a study, one a method."""

    def __init__(self, found: StudyReport) -> None:
        """``found`` is a finished or running study."""
        self._found = found

    def __repr__(self) -> str:
        names = [name for name in vars(type(self)) if not name.startswith("_")]
        return f"<figures of {self._found.name}: {', '.join(f'.{name}()' for name in names)}>"

    def curves(self) -> Shown:
        """Learning curves of the trials, the winner's on top."""
        return self._shown(drawn.curves(self._found))

    def history(self) -> Shown:
        """The value of each trial in its order, and the best so far."""
        return self._shown(drawn.history(self._found))

    def importance(self) -> Shown:
        """How much each knob matters: the share of the value's variance over the space that it explains."""
        return self._shown(drawn.knobs(importance(self._found)))

    def rate_by_batch(self) -> Shown:
        """Best value by learning rate and batch."""
        return self._shown(drawn.rate_by_batch(self._found))

    def recipes(self) -> Shown:
        """Complete trials as lines over their knobs."""
        return self._shown(drawn.recipes(self._found))

    def finalists(self) -> Shown:
        """Fresh runs of the finalists, their means and intervals."""
        return self._shown(drawn.finalists(self._found))

    def front(self) -> Shown:
        """Two goals against each other."""
        return self._shown(drawn.front(self._found))

    def knob(self, name: str) -> Shown:
        """The value of each trial over one knob.

        Raises:
            UserError: no trial has such a knob.
        """
        searched = {knob for trial in self._found.trials for knob in trial.point}
        if name not in searched:
            raise UserError(f"{self._found.name} searches no knob {name!r}: {did_you_mean(name, searched)}")
        figure = dict(figures.slices(self._found)).get(name)
        note = "Complete trials dark, pruned ones faint" if figure is not None else "it takes two values of the knob"
        return self._shown(Perhaps(name, figure, note))

    def _shown(self, perhaps: Perhaps) -> Shown:
        return Shown(perhaps, self._found.name)


def standalone(title: str, figure: Figure, note: str) -> str:
    """A figure as an SVG file of its own, its title above and what to know of it below."""
    lines = _lines(note, figure.width)
    height = _HEAD + figure.height + _LINE * len(lines) + _EDGE
    head = f'<text class="title" x="{_EDGE}" y="18" style="font-size:14px">{_words(title)}</text>'
    feet = "".join(
        f'<text x="{_EDGE}" y="{_HEAD + figure.height + _LINE * (place + 1)}">{_words(line)}</text>'
        for place, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{figure.width}" height="{height}" '
        f'viewBox="0 0 {figure.width} {height}" role="img" aria-label="{_words(figure.label)}" class="{_PLACE}">'
        f'<style>{alone(_PLACE)}</style>{head}<g transform="translate(0 {_HEAD})">{figure.drawn}</g>{feet}</svg>'
    )


def _lines(note: str, width: int) -> Sequence[str]:
    return textwrap.wrap(note, max(20, int((width - 2 * _EDGE) / _LETTER)))


def _words(text: str) -> str:
    return escape(clean(text))
