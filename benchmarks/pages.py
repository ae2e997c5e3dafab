"""How long a newcomer needs with each page of the docs: its files and commands, as they stand there, in a new folder.

    python benchmarks/pages.py --output benchmarks/results/pages.json

The suite is installed already; reading and typing are not counted. The table of ``from-a-table`` has 160 made-up rows.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
PAGES = ("from-optuna", "from-wandb", "from-a-script", "notebook", "from-a-table")
BLOCK = re.compile(r"^```(\w+)(?: fragment)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
VERSIONS = ("optuna", "scikit-learn", "torch", "numpy")


def played(page: str, folder: Path) -> dict[str, Any]:
    """The commands of a page, with what each took in seconds and how it ended."""
    blocks = BLOCK.findall((DOCS / f"{page}.md").read_text(encoding="utf-8"))
    rows = [f"{i},{i % 7},{'ab'[i % 2]},{int(i % 5 > 2)}" for i in range(160)]
    for name in ("customers.csv", "new.csv"):
        (folder / name).write_text("\n".join(["id,age,plan,churned", *rows]) + "\n", encoding="utf-8")
    files = [(named[1], text) for _, text in blocks if (named := re.match(r"# (\S+\.(?:py|yaml))\b", text))]
    for name, text in files:
        if not (folder / name).exists():
            (folder / name).write_text(text, encoding="utf-8")
    lines = [line for kind, text in blocks if kind == "sh" for line in commands_of(text)]
    if not lines:  # of a notebook the first cell
        (folder / "cell.py").write_text(next(text for kind, text in blocks if kind == "python"), encoding="utf-8")
        lines = [["python", "cell.py"]]
    found = []
    for words in lines:
        began = time.monotonic()
        run = [sys.executable, *(["-m", "hpo", *words[1:]] if words[0] == "hpo" else words[1:])]
        done = subprocess.run(run, cwd=folder, capture_output=True, text=True, check=False)
        took = round(time.monotonic() - began, 1)
        found.append({"command": shlex.join(words), "seconds": took, "exit": done.returncode})
        print(page, found[-1], done.stderr[-300:] if done.returncode else "", flush=True)
    minutes = round(sum(each["seconds"] for each in found) / 60, 1)
    return {"page": page, "commands": len(found), "minutes": minutes, "each": found}


def commands_of(text: str) -> list[list[str]]:
    """Words of each command of a block, without comments; a line with FILE or COLUMN is no command yet."""
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    return [words for words in lines if words and not {"FILE", "COLUMN"} & set(words)]


def main() -> None:
    """Play all pages, and write what each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--pages", nargs="*", default=PAGES)
    options = parser.parse_args()
    pages = []
    for page in options.pages:
        with tempfile.TemporaryDirectory() as folder:
            pages.append(played(page, Path(folder)))
    about = {
        "command": f"python benchmarks/pages.py --output {options.output.name}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in VERSIONS},
        "cores": os.cpu_count(),
        "pages": pages,
    }
    options.output.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
