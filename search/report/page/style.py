"""How a study's page looks, light or dark as the reader's system is, on a phone, on paper; parts of it elsewhere."""

from __future__ import annotations

import re

_LIGHT = """--back:#fff;--text:#1c2430;--faint:#5c6675;--rule:#dfe3e8;--soft:#f4f6f8;
--winner:#c2410c;--complete:#1d4ed8;--pruned:#94a3b8;--failed:#b91c1c;--cell:#0f766e"""
_DARK = """--back:#12161c;--text:#e6eaf0;--faint:#9aa5b4;--rule:#2c343f;--soft:#1a2028;
--winner:#fb923c;--complete:#7aa2ff;--pruned:#566273;--failed:#f87171;--cell:#2dd4bf"""
_PAGE = """
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:820px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:1.7rem;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:36px 0 8px;padding-bottom:4px;border-bottom:1px solid var(--rule)}
.question{font-size:1.1rem;color:var(--faint);margin:0 0 16px}
"""
_PARTS = """
dl{display:grid;grid-template-columns:minmax(120px,max-content) 1fr;gap:2px 16px;margin:8px 0}
dt{color:var(--faint)}dd{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
dl.answer{background:var(--soft);border-radius:8px;padding:12px 16px}
figure{margin:8px 0}figcaption,.note{color:var(--faint);font-size:.86rem}
svg{display:block;width:100%;height:auto;max-width:calc(1.15*var(--wide))}
.grid2{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:8px}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums}
th,td{padding:3px 10px;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
pre{background:var(--soft);padding:12px;border-radius:8px;overflow-x:auto;font-size:.82rem}
summary{cursor:pointer;color:var(--faint)}
ul{padding-left:20px}
"""
_MARKS = """
text{fill:var(--faint);font-size:11px}.title{font-size:12px;fill:var(--text)}.on{fill:var(--text)}
.mid{text-anchor:middle}.end{text-anchor:end}
path{fill:none}.axis{stroke:var(--faint)}.grid{stroke:var(--rule);stroke-width:.6}
.curve{stroke-width:1;stroke-linejoin:round}.curve.pruned{stroke:var(--pruned);opacity:.45}
.curve.complete{stroke:var(--complete);opacity:.5}.curve.best3{stroke:var(--complete);stroke-width:1.6}
.curve.failed{stroke:var(--failed);opacity:.5}.curve.winner{stroke:var(--winner);stroke-width:2.4}
.curve:hover{stroke-width:3;opacity:1}
.best{stroke:var(--winner);stroke-width:1.8}.interval{stroke:var(--complete);stroke-width:2}
.ideal{stroke:var(--faint);stroke-dasharray:4 4}
.searched{stroke:var(--faint);stroke-width:1.6}
.dot{stroke-linecap:round;stroke-width:6}.dot.complete{stroke:var(--complete)}
.dot.pruned{stroke:var(--pruned);stroke-width:4.5;opacity:.8}.dot.winner{stroke:var(--winner);stroke-width:9}
.dot.run{stroke:var(--complete);opacity:.5;stroke-width:4.5}
.bar{fill:var(--complete)}.ink{fill:var(--text)}.interval.pruned{stroke:var(--pruned)}.cell{fill:var(--cell)}.cell.wrong{fill:var(--failed)}
"""
_IN_A_CELL = """
h2{font-size:1em;margin:12px 0 4px}
p{margin:4px 0}
table{border:0;margin:8px 0;color:inherit}
.track{height:8px;border-radius:4px;background:var(--rule);overflow:hidden;max-width:420px}
.done{height:100%;background:var(--complete)}
"""
_NARROW_AND_PAPER = """
@media (max-width:560px){dl{grid-template-columns:1fr;gap:0}dt{margin-top:6px}
figure>svg text{font-size:14px}.grid2 svg text{font-size:11px}
.grid2{grid-template-columns:1fr}}
@media print{:root{--back:#fff;--text:#000;--faint:#444;--rule:#ccc;--soft:#f4f4f4}
main{max-width:none;padding:0}h2{break-after:avoid}figure,svg,tr,dl{break-inside:avoid}details{display:block}
.wide,pre,figure{overflow:visible}pre{white-space:pre-wrap}table{font-size:.7rem}
th,td{padding:2px 6px;white-space:normal}}
"""

STYLE = (
    f":root{{color-scheme:light dark;{_LIGHT}}}\n@media (prefers-color-scheme:dark){{:root{{{_DARK}}}}}"
    f"{_PAGE}{_PARTS.lstrip()}{_MARKS.lstrip()}{_NARROW_AND_PAPER.lstrip()}"
)


def within(place: str) -> str:
    """The looks of parts and figures in an element of somebody else's page, light or dark as that is.

    Args:
        place: the element's class. JupyterLab and VS Code say on the body which theme they have; elsewhere it is the
            system's.
    """
    dark = f'[data-jp-theme-light="false"] .{place},.vscode-dark .{place}'
    bright = f'[data-jp-theme-light="true"] .{place},.vscode-light .{place}'
    own = "background:var(--back);color:var(--text);padding:8px;font:14px/1.5 system-ui,sans-serif"
    return (
        f".{place}{{{_LIGHT};{own}}}@media (prefers-color-scheme:dark){{.{place}{{{_DARK}}}}}"
        f"{bright}{{{_LIGHT}}}{dark}{{{_DARK}}}{_scoped(_IN_A_CELL + _PARTS + _MARKS, place)}"
    )


def alone(place: str) -> str:
    """The looks of a figure that is a file by itself, for viewers that know no variables too.

    Args:
        place: the figure's class: where a page takes the file in, its rules are for it alone.
    """
    return f"{_coloured(_LIGHT, place)}@media (prefers-color-scheme:dark){{{_coloured(_DARK, place)}}}"


def _scoped(rules: str, place: str) -> str:
    """The same rules for what lies within an element."""

    def under(found: re.Match[str]) -> str:
        return ",".join(f".{place} {one}" for one in found[1].split(",")) + "{"

    return re.sub(r"([^{}]+)\{", under, rules.replace("\n", ""))


def _coloured(variables: str, place: str) -> str:
    """The rules of a figure's marks, with these colours in the place of the variables."""
    rules = f".{place}{{background:var(--back);font-family:system-ui,sans-serif}}{_scoped(_MARKS, place)}"
    for name, colour in (pair.strip().split(":") for pair in variables.replace("\n", "").split(";")):
        rules = rules.replace(f"var({name})", colour)
    return rules
