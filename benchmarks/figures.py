"""Draw the figures of docs/search.md and docs/language-models.md as SVG.

python benchmarks/figures.py tokenizers benchmarks/results/language.json docs/tokenizers.svg
python benchmarks/figures.py regret benchmarks/results/recorded_lcbench.json docs/recorded-lcbench.svg
python benchmarks/figures.py study lcbench.npz docs/freeze-thaw-study.svg
python benchmarks/figures.py hedged flat crossing docs/hedged-study.svg
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import kinds
from replay import Replay
from tables import load

import hpo

Line: TypeAlias = "Sequence[tuple[float, float]]"

_COLOURS = ("#c0392b", "#2c3e50", "#2980b9", "#27ae60", "#8e44ad", "#d35400", "#7f8c8d", "#16a085", "#b8860b")
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 720, 420, 60, 46, 24, 16


@dataclass
class Plot:
    """A plane with lines on logarithmic axes."""

    x_label: str
    y_label: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    parts: list[str] = field(default_factory=list)

    def line(self, points: Line, colour: str, *, width: float = 2.0, opacity: float = 1.0) -> None:
        """Draw a line."""
        path = " ".join(f"{self._x(x):.1f},{self._y(y):.1f}" for x, y in points)
        style = f'fill="none" stroke="{colour}" stroke-width="{width}" stroke-opacity="{opacity}"'
        self.parts.append(f'<polyline points="{path}" {style}/>')

    def dot(self, x: float, y: float, colour: str, *, filled: bool) -> None:
        """Draw a dot."""
        fill = colour if filled else "white"
        at = f'cx="{self._x(x):.1f}" cy="{self._y(y):.1f}"'
        self.parts.append(f'<circle {at} r="3" fill="{fill}" stroke="{colour}"/>')

    def text(self, x: float, y: float, words: str, colour: str = "#333", anchor: str = "start") -> None:
        """Write at a place in pixels."""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{words}</text>')

    def legend(self, names: Mapping[str, str]) -> None:
        """Name the lines by their colours, at the lower left."""
        for i, (name, colour) in enumerate(names.items()):
            self.text(_LEFT + 14, _HEIGHT - _BOTTOM - 14 - 16 * (len(names) - 1 - i), name, colour)

    def svg(self, x_ticks: Sequence[float], y_ticks: Sequence[float]) -> str:
        """The picture."""
        right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
        axes = [f'<path d="M{_LEFT},{_TOP}V{bottom}H{right}" fill="none" stroke="#333"/>']
        frame = Plot(self.x_label, self.y_label, self.x_range, self.y_range, axes)
        for tick in x_ticks:
            frame.text(self._x(tick), bottom + 18, f"{tick:g}", anchor="middle")
        for tick in y_ticks:
            frame.text(_LEFT - 6, self._y(tick) + 4, f"{tick:g}", anchor="end")
        frame.text((_LEFT + right) / 2, _HEIGHT - 8, self.x_label, anchor="middle")
        frame.text(_LEFT, _TOP - 4, self.y_label)
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif"'
        ground = '<rect width="100%" height="100%" fill="white"/>'
        return "\n".join([f'{head} font-size="12">', ground, *frame.parts, *self.parts, "</svg>", ""])

    def _x(self, value: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * _share(value, self.x_range)

    def _y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * _share(value, self.y_range)


def _share(value: float, limits: tuple[float, float]) -> float:
    low, high = limits
    return math.log(min(max(value, low), high) / low) / math.log(high / low)


def regret(results: Path) -> str:
    """Mean regret over the epochs: a colour for each package, its best method named, the others faint."""
    result = json.loads(results.read_text())
    best_first = [row["method"] for row in result["rows"]]
    packages = list(dict.fromkeys(name.split()[0] for name in best_first))
    named = [next(name for name in best_first if name.split()[0] == package) for package in packages]
    colours = dict(zip(sorted(packages, key=lambda package: (package != "hpo", package)), _COLOURS, strict=False))
    plot = Plot("epochs trained", "mean normalized regret", (10, 1000), (0.003, 1))
    for name in sorted(best_first, key=named.__contains__):
        curve = [(10.0 * (i + 1), value) for i, value in enumerate(result["mean regret, every 10 epochs"][name])]
        strong = {"width": 3.0 if name.startswith("hpo") else 1.8} if name in named else {"width": 1.0, "opacity": 0.3}
        plot.line(curve, colours[name.split()[0]], **strong)
    plot.legend({name: colours[name.split()[0]] for name in named})
    return plot.svg((10, 30, 100, 300, 1000), (0.003, 0.01, 0.03, 0.1, 0.3, 1))


def study(data: Path, index: int = 9, steps: int = 300) -> str:
    """The curves of one freeze-thaw study: how far each trial was trained."""
    table = load(data)[index]
    replay = Replay(table)
    result = hpo.run(**replay.study(), sampler="freeze-thaw", steps=steps, seed=0)
    curves = [trial.curve for trial in result.report.trials if trial.curve]
    values = [value for curve in curves for _, value in curve]
    plot = Plot("epoch of the trial", f"loss ({table.name})", (1, table.horizon), (min(values) * 0.95, max(values)))
    best = min(curves, key=lambda curve: min(value for _, value in curve))
    for curve in curves:
        colour = _COLOURS[0] if curve is best else _COLOURS[2]
        plot.line(curve, colour, width=2.5 if curve is best else 1.0, opacity=1.0 if curve is best else 0.5)
        plot.dot(*curve[-1], colour, filled=curve[-1][0] >= table.horizon)
    low, high = plot.y_range
    ticks = [float(f"{low * (high / low) ** share:.2g}") for share in (0.05, 0.35, 0.65, 0.95)]
    return plot.svg([t for t in (1, 2, 5, 10, 20, 50) if t <= table.horizon], ticks)


def hedged(names: Sequence[str], instance: int = 1, trials: int = 40) -> str:
    """Of default studies of made curves, the share of the steps that held trials have as the study goes on."""
    plot = Plot("trial", "share of the steps for trials that no early point stops", (1, 300), (0.2, 0.95))
    colours = dict(zip(names, (_COLOURS[2], _COLOURS[0]), strict=False))
    for kind, colour in colours.items():
        table = kinds.table(kind, instance)
        result = hpo.run(**Replay(table).study(), steps=trials * table.horizon, seed=0)
        told = [(trial.number, trial.evidence) for trial in result.report.trials if "held" in trial.evidence]
        plot.line([(number, facts["held"]) for number, facts in told if number], colour)
    plot.legend(colours)
    return plot.svg((1, 3, 10, 30, 100, 300), (0.25, 0.5, 0.75, 0.9))


def tokenizers(results: Path) -> str:
    """Bits per byte against the bytes of a token: at equal tokens, equal time and equal bytes."""
    rows = json.loads(results.read_text())["tokenizers"]["result"]["bits_per_byte"]
    rows = sorted(rows, key=lambda row: (row["bytes_per_token"], row["tokenizer"]))
    plot = Plot("bytes of text in a token", "validation, bits per byte", (0.9, 3.7), (2.6, 3.7))
    colours = dict(zip(("equal bytes of text", "equal time", "equal tokens"), _COLOURS, strict=False))
    for name, colour in colours.items():
        points = [(row["bytes_per_token"], row[name.replace(" of text", "").replace(" ", "_")]) for row in rows]
        plot.line(points, colour)
        for point in points:
            plot.dot(*point, colour, filled=True)
    for row in rows:
        x, low = plot._x(row["bytes_per_token"]), plot._y(row["equal_tokens"]) + 18
        if row["tokenizer"] == "bpe":
            plot.text(x, low, f"bpe {row['vocabulary']}", anchor="end")
        elif row["tokenizer"] == "bytes":
            plot.text(x, plot._y(row["equal_tokens"]) - 10, "bytes, char", anchor="start")
    plot.legend(colours)
    return plot.svg((1, 1.5, 2, 3), (2.75, 3, 3.25, 3.5))


def main() -> None:
    """Draw one figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figure", choices=("regret", "study", "hedged", "tokenizers"))
    parser.add_argument("source", nargs="+", help="a file, or kinds of benchmarks/kinds.py")
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    drawn = {"regret": regret, "study": study, "tokenizers": tokenizers}
    options.target.write_text(
        hedged(options.source) if options.figure == "hedged" else drawn[options.figure](Path(options.source[0]))
    )


if __name__ == "__main__":
    main()
