"""Language models: what they cost, what their parts bring, and how far a search gets in nanoGPT's small setting.

Each part is measured by itself and its result laid into benchmarks/results/language.json beside the others'; processor
seconds of one thread, sides taken in turn.

    python benchmarks/language.py speed --data input.txt         against a plain loop with the same model
    python benchmarks/language.py packing --messages FILE.csv.gz whole documents in a row, or one
    python benchmarks/language.py memory --data input.txt        four lanes scored with 4,096 symbols
    python benchmarks/language.py large                          2 GB of text, which it writes and deletes
    python benchmarks/language.py tokenizers --data input.txt    bytes, char and three sizes of bpe
    python benchmarks/language.py masking --data input.txt       dynamic or static masks
    python benchmarks/language.py widths --data input.txt        the best rate by width, standard and muP
    python benchmarks/language.py nanogpt --data input.txt       as written, searched, and three seeds of the winner;
                                                                 about 90 minutes of one core, goes on where it stopped

``--data`` is a text such as tiny Shakespeare (1.1 MB), ``--messages`` a table with a column ``text``.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import language_costs
import language_recipes
import torch

HERE = Path(__file__).resolve().parent


def speed(chosen: argparse.Namespace) -> Any:
    """A row for each batch and context, and what scoring costs."""
    rows = []
    for row in language_costs.speed(chosen.data, chosen.turns, chosen.batches):
        print(json.dumps(row), flush=True)
        rows.append(row)
    return {"against_plain": rows, "scoring": language_costs.scoring_share(chosen.data, chosen.turns)}


PARTS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "speed": speed,
    "packing": lambda chosen: language_costs.packing(chosen.messages, chosen.turns),
    "memory": lambda chosen: language_costs.scoring_memory(Path(__file__), chosen.data),
    "large": lambda chosen: language_costs.large(Path(__file__), chosen.gigabytes),
    "tokenizers": lambda chosen: language_recipes.tokenizers(chosen.data),
    "masking": lambda chosen: language_recipes.masking(chosen.data),
    "widths": lambda chosen: language_recipes.widths(chosen.data),
    "nanogpt": lambda chosen: language_recipes.nanogpt(chosen.data, chosen.workers),
}


def main() -> None:
    """Measure one part, print it, lay it into the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=PARTS)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--messages", type=Path)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--batches", type=int, nargs="+", default=language_costs.BATCHES)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "language.json")
    parser.add_argument("--peak-of-lanes", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--train-large", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    for name in ("data", "messages"):
        path = getattr(chosen, name)
        setattr(chosen, name, path and path.resolve())
    if chosen.peak_of_lanes:
        print(json.dumps(language_costs.peak_of_lanes(chosen.data, chosen.peak_of_lanes)))
    elif chosen.train_large:
        print(json.dumps(language_costs.train_large(chosen.train_large)))
    elif not chosen.part:
        parser.error(f"name a part: {', '.join(PARTS)}")
    else:
        found = rounded(PARTS[chosen.part](chosen))
        print(json.dumps(found, indent=1))
        merge(chosen.output, chosen.part, {**about(), "result": found})


def about() -> dict[str, Any]:
    """How the part can be measured again: names of files, not where they lie."""
    words = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
    if "--output" in words:
        at = words.index("--output")
        words = words[:at] + words[at + 2 :]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False
    )
    return {
        "command": " ".join(["python benchmarks/language.py", *words]),
        "commit": commit.stdout.strip(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "machine": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, one thread",
    }


def merge(path: Path, part: str, found: dict[str, Any]) -> None:
    """Lay a part beside those measured before."""
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    every = {**before, part: found}
    ordered = {name: every[name] for name in PARTS if name in every}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")


def rounded(value: Any) -> Any:
    """Floats to five significant digits."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, (list, tuple)) else value


if __name__ == "__main__":
    main()
