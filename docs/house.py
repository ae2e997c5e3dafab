"""Draw the house: the floors of ``floors.py`` with the imports between their rooms, as ``docs/house.svg``.

::

    python docs/house.py            draw docs/house.svg and write the table of floors in CONTRIBUTING.md
    python docs/house.py --check    exit 1 where either is out of date

Arrows are read from the imports, so the picture cannot say what the code does not do. Standard library only.
"""

from __future__ import annotations

import sys
from html import escape
from itertools import pairwise

from floors import FLOOR_OF, FLOORS, ROOT, arrows, lines_of, reduced

PICTURE = ROOT / "docs" / "house.svg"
PAGE = ROOT / "CONTRIBUTING.md"

WIDTH, HEIGHT, ROW, GAP = 124, 58, 104, 14
LANE = 12  # between arrows that pass a floor
STYLE = """
svg { font: 12px system-ui, "DejaVu Sans", sans-serif; }
.paper { fill: #ffffff; } .floor { fill: #f4f5f7; } text { fill: #1f2328; }
.search { fill: #dbe9fb; stroke: #5b87c5; } .objectives { fill: #fbe6cf; stroke: #c58a45; }
.arrow { fill: none; stroke: #6b7280; stroke-width: 1.1; } .head { fill: #6b7280; }
.small { font-size: 10px; opacity: .75; } .name { font-size: 13px; font-weight: 600; }
@media (prefers-color-scheme: dark) {
  .paper { fill: #0d1117; } .floor { fill: #161b22; } text { fill: #e6edf3; }
  .search { fill: #1b3354; stroke: #5b8fd6; } .objectives { fill: #4a3216; stroke: #d19a55; }
  .arrow { stroke: #8b949e; } .head { fill: #8b949e; }
}
""".strip()

Spot = tuple[int, str]  # floor, room; or floor, "from>to" where an arrow passes


def _paths(graph: dict[str, set[str]]) -> list[list[Spot]]:
    """Each arrow as the spots it goes through, one a floor."""
    found = []
    for start in FLOOR_OF:
        for end in sorted(graph.get(start, ()), key=list(FLOOR_OF).index):
            high, low = FLOOR_OF[start], FLOOR_OF[end]
            passed = [(level, f"{start}>{end}") for level in range(high + 1, low)]
            found.append([(high, start), *passed, (low, end)])
    return found


def _places(paths: list[list[Spot]]) -> dict[Spot, float]:
    """Horizontal middle of each spot: rows put in order by their neighbours, then drawn towards them."""
    rows: list[list[Spot]] = [[(level, room) for room in floor] for level, floor in enumerate(FLOORS)]
    beside: dict[Spot, list[Spot]] = {spot: [] for row in rows for spot in row}
    for path in paths:
        for spot in path[1:-1]:
            rows[spot[0]].append(spot)
            beside[spot] = []
        for one, other in pairwise(path):
            beside[one].append(other)
            beside[other].append(one)
    place = {spot: float(i) / max(1, len(row) - 1) for row in rows for i, spot in enumerate(row)}
    for turn in range(24):
        step = 1 if turn % 2 == 0 else -1
        for row in rows[::step]:
            wanted = {}
            for spot in row:
                near = [place[other] for other in beside[spot] if (other[0] < spot[0]) == (step == 1)]
                wanted[spot] = sum(near) / len(near) if near else place[spot]
            row.sort(key=lambda spot: wanted[spot])
            place |= {spot: (i + 0.5) / len(row) for i, spot in enumerate(row)}
    place = {spot: x * 7 * (WIDTH + GAP) for spot, x in place.items()}
    for turn in range(60):
        for row in rows[:: 1 if turn % 2 == 0 else -1]:
            wanted = {spot: sum(map(place.get, beside[spot])) / len(beside[spot]) for spot in row}  # type: ignore[arg-type]
            place |= _apart(row, wanted)
    left = min(x - _half(spot) for spot, x in place.items())
    return {spot: x - left for spot, x in place.items()}


def _half(spot: Spot) -> float:
    return 0.0 if ">" in spot[1] else WIDTH / 2


def _apart(row: list[Spot], wanted: dict[Spot, float]) -> dict[Spot, float]:
    """Places nearest to the wanted ones, in this order and with room for each (isotonic regression)."""
    offset, offsets = 0.0, []
    for i, spot in enumerate(row):
        if i:
            before = row[i - 1]
            offset += _half(before) + _half(spot) + (GAP if _half(before) or _half(spot) else LANE)
        offsets.append(offset)
    blocks: list[tuple[float, int]] = []
    for spot, shift in zip(row, offsets, strict=True):
        total, count = wanted[spot] - shift, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
            more, members = blocks.pop()
            total, count = total + more, count + members
        blocks.append((total, count))
    level = [total / count for total, count in blocks for _ in range(count)]
    return {spot: at + shift for spot, at, shift in zip(row, level, offsets, strict=True)}


def picture() -> str:
    """The house as SVG."""
    paths = _paths(reduced(arrows()))
    place = _places(paths)
    margin = 20
    x = {spot: margin + at for spot, at in place.items()}
    wide = round(max(at + _half(spot) for spot, at in x.items())) + margin
    top = [margin + level * ROW for level in range(len(FLOORS))]
    tall = top[-1] + HEIGHT + 56
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {tall}" width="{wide}" height="{tall}" '
        'role="img">',
        "<title>The floors of the house: rooms import from the floors below their own only</title>",
        f"<style>\n{STYLE}\n</style>",
        f'<rect class="paper" width="{wide}" height="{tall}"/>',
    ]
    drawn += [f'<rect class="floor" x="6" y="{y - 9}" width="{wide - 12}" height="{HEIGHT + 18}" rx="6"/>' for y in top]
    drawn += [f'<text class="small" x="12" y="{y + HEIGHT + 4}">{level}</text>' for level, y in enumerate(top)]
    drawn += _arrows(paths, x, top)
    for (level, room), at in x.items():
        if ">" not in room:
            drawn += _room(room, at, top[level])
    caption = (
        "Arrows are imports, lazy and typed ones too; one that follows from others is left out. Plug-ins and "
        "objectives are reached by name, through terms/registry.py."
    )
    drawn += [f'<text class="small" x="{margin}" y="{tall - 14}">{caption}</text>', "</svg>"]
    return "\n".join(drawn) + "\n"


def _room(room: str, x: float, y: int) -> list[str]:
    above, _, name = room.rpartition("/")
    kind = room.partition("/")[0]
    sentence = escape(next(floor[room] for floor in FLOORS if room in floor))
    return [
        f'<g><title>{room}: {sentence}</title><rect class="{kind}" x="{x - WIDTH / 2:.1f}" y="{y}" width="{WIDTH}" '
        f'height="{HEIGHT}" rx="5"/>',
        f'<text class="small" x="{x:.1f}" y="{y + 15}" text-anchor="middle">{above + "/" if above else ""}</text>',
        f'<text class="name" x="{x:.1f}" y="{y + 31}" text-anchor="middle">{name}</text>',
        f'<text class="small" x="{x:.1f}" y="{y + 48}" text-anchor="middle">{lines_of(room):,} lines</text></g>',
    ]


def _arrows(paths: list[list[Spot]], x: dict[Spot, float], top: list[int]) -> list[str]:
    """Curves between floors, straight where an arrow passes one; ends are spread along the rooms' edges."""
    leaving: dict[int, float] = {}
    coming: dict[int, float] = {}
    for room in FLOOR_OF:
        spot = (FLOOR_OF[room], room)
        out = sorted((path for path in paths if path[0] == spot), key=lambda path: x[path[1]])
        into = sorted((path for path in paths if path[-1] == spot), key=lambda path: x[path[-2]])
        for ends, group in ((leaving, out), (coming, into)):
            share = min(18.0, (WIDTH - 16) / max(1, len(group)))
            for i, path in enumerate(group):
                ends[id(path)] = x[spot] + (i - (len(group) - 1) / 2) * share
    drawn = []
    for path in paths:
        at = [leaving[id(path)], *(x[spot] for spot in path[1:-1]), coming[id(path)]]
        here = top[path[0][0]] + HEIGHT
        line = f"M{at[0]:.1f} {here}"
        for i, spot in enumerate(path[1:], start=1):
            last = i == len(path) - 1
            there = top[spot[0]] - (6 if last else 0)
            bend = (there - here) * 0.55
            line += f" C{at[i - 1]:.1f} {here + bend:.1f} {at[i]:.1f} {there - bend:.1f} {at[i]:.1f} {there}"
            here = there
            if not last:
                here += HEIGHT
                line += f" V{here}"
        drawn.append(f'<path class="arrow" d="{line}"/>')
        drawn.append(f'<path class="head" d="M{at[-1] - 3.5:.1f} {here} h7 l-3.5 6 z"/>')
    return drawn


# --- the table -----------------------------------------------------------------------------------------------------

OPEN, CLOSE = "<!-- floors: written by docs/house.py -->", "<!-- /floors -->"


def table() -> str:
    """The floors as a table, from the roof to the ground."""
    rows = [f"| {level} | `{room}/` | {what} |" for level, floor in enumerate(FLOORS) for room, what in floor.items()]
    return "\n".join(["| floor | room | what is in it |", "|---|---|---|", *rows])


def page(text: str) -> str:
    """A page with its table of floors as it is now."""
    before, _, rest = text.partition(OPEN)
    _, _, after = rest.partition(CLOSE)
    return f"{before}{OPEN}\n{table()}\n{CLOSE}{after}"


def main(words: list[str]) -> int:
    """Draw, or with ``--check`` say what is out of date."""
    if words not in ([], ["--check"]):
        print(__doc__)
        return 2
    stale = []
    for path, text in ((PICTURE, picture()), (PAGE, page(PAGE.read_text(encoding="utf-8")))):
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(path.relative_to(ROOT).as_posix())
            if not words:
                path.write_text(text, encoding="utf-8")
    if stale and words:
        print(f"{' and '.join(stale)}: out of date; draw again with: python docs/house.py")
    return 1 if stale and words else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
