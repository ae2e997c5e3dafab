"""What parts of a recipe bring, for language.py: tokenizers, masks, rates by width, nanoGPT's setting."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from language_costs import scratch
from language_runs import disjoint_loss, lowest, parameters, problem, steps_alone, text, train

import hpo
from hpo.objectives.trainer.problem import Problem

Row = dict[str, Any]

HERE = Path(__file__).resolve().parent
SMALL: Row = {"width": 64, "depth": 4, "context": 64, "batch_size": 12, "learning_rate": 3e-3}
TOKENS = 204_800  # of each tokenizer at equal tokens; as many bytes, and as much time as bytes take for these

MUON: Row = {"optimizer": "muon", "learning_rate": 0.02, "adam_rate": 3e-3, "momentum": 0.95, "clip_norm": 0.0}
SEEDS = range(5)
PASSES, KILOBYTES = 20, 50

WIDTHS = (32, 64, 128, 256)
STEPS = 250

AS_WRITTEN: Row = {"tokenizer": "char", "tied": True, "init": "gpt2"}  # the rest is the objective's own default
FRESH = (101, 102, 103)


def tokenizers(data: Path) -> Row:
    """Bits per byte of the same text, at equal tokens, at equal bytes and at equal processor time."""
    with scratch():
        sizes = {"choice": [512, 1024, 4096], "when": {"tokenizer": "bpe"}}
        fixed = {**SMALL, "max_tokens": TOKENS, "eval_every": 100, "score_bytes": 0}
        study = {
            "name": "tokenizers", "objective": "gpt", "data": text(data), "goal": "minimize last val_bpb",
            "search": {"tokenizer": {"choice": ["bytes", "char", "bpe"]}, "vocabulary": sizes},
            "fixed": {**fixed, "max_steps": 0}, "budget": {"trials": 5}, "sampler": "grid", "pruner": "none",
            "confirm": "none", "storage": "study.db",
        }  # fmt: skip
        table = hpo.run(study).trials
        found = problem(text(data))
        rows = []
        for _, trial in table.iterrows():
            kind = {"tokenizer": trial["params_tokenizer"]}
            if kind["tokenizer"] == "bpe":
                kind["vocabulary"] = int(trial["params_vocabulary"])
            rows.append({**kind, "equal_tokens": float(trial["val_bpb"])})
        recipe = {**SMALL, "max_steps": 0, "score_bytes": 0}
        every = [_cost(found, row) for row in rows]
        base = next(cost for cost in every if cost["tokenizer"] == "bytes")
        for row, cost in zip(rows, every, strict=True):
            row["bytes_per_token"] = cost["bytes_per_token"]
            row["time_per_token"] = cost["seconds"] / base["seconds"]
            for name, share in (("bytes", 1 / row["bytes_per_token"]), ("time", 1 / row["time_per_token"])):
                kind = _kind(row)
                tokens = round(TOKENS * share)
                setup = found.setup({**recipe, **kind, "max_tokens": tokens, "eval_every": 10**6, "seed": 0})
                row[f"equal_{name}"] = train(setup).last["val_bpb"]
                row[f"tokens_at_equal_{name}"] = tokens
            print(json.dumps(row), flush=True)
        lowest_by = {}
        for name in ("tokens", "bytes", "time"):
            best = min(rows, key=lambda row, measure=f"equal_{name}": row[measure])
            lowest_by[f"equal_{name}"] = " ".join(str(part) for part in _kind(best).values())
        return {"recipe": {**SMALL, "tokens": TOKENS}, "bits_per_byte": rows, "lowest": lowest_by}


def _kind(row: Row) -> Row:
    return {key: row[key] for key in ("tokenizer", "vocabulary") if key in row}


def _cost(found: Problem, row: Row) -> Row:
    """Processor seconds of some steps, and bytes of text behind a token."""
    kind = _kind(row)
    setup = found.setup({**SMALL, **kind, "max_steps": 30, "eval_every": 30, "score_bytes": 100})
    train_part = setup.data.splits.tokenized.train
    seconds = sorted(steps_alone(setup) for _ in range(3))[1]
    return {**kind, "seconds": seconds, "bytes_per_token": train_part.bytes / (len(train_part.ids) - 1)}


def masking(data: Path) -> Row:
    """Nats of a hidden character after 20 passes over a small text, hidden anew in each pass or the same in all."""
    with scratch() as folder:
        small = folder / "small.txt"
        small.write_bytes(data.read_bytes()[: KILOBYTES * 1000])
        found = problem(text(small, validation=0.2), "masked")
        recipe = {
            **MUON, "width": 64, "depth": 2, "context": 64, "batch_size": 12, "tokenizer": "char",
            "epochs": PASSES, "score_bytes": 0, "warmup": 0.05, "schedule": "linear", "floor": 0.0,
        }  # fmt: skip
        losses: dict[str, list[list[float]]] = {"dynamic": [], "static": []}
        for seed in SEEDS:
            for kind, curves in losses.items():
                run = train(found.setup({**recipe, "masking": kind, "seed": seed}))
                curves.append([point["val_loss"] for point in run.curve])
                print(kind, seed, curves[-1][-1], min(curves[-1]), flush=True)
        gains = [static[-1] - dynamic[-1] for dynamic, static in zip(losses["dynamic"], losses["static"], strict=True)]
        mean = sum(gains) / len(gains)
        error = math.sqrt(sum((gain - mean) ** 2 for gain in gains) / (len(gains) - 1) / len(gains))
        return {
            "recipe": recipe,
            "kilobytes": KILOBYTES,
            "val_loss_by_seed": {kind: [curve[-1] for curve in curves] for kind, curves in losses.items()},
            "lowest_of_each_curve": {kind: [min(curve) for curve in curves] for kind, curves in losses.items()},
            "static_less_dynamic": {"mean": mean, "standard_error": error, "each": gains},
        }


def widths(data: Path) -> Row:
    """The best rate by width, from rates a factor of the root of two apart and a parabola through the lowest."""
    found, rows = problem(text(data)), []
    for kind in ("standard", "mup"):
        guess = 8e-3
        for width in WIDTHS:
            losses = dict(_bracketed(found, {"width": width, "parametrization": kind}, guess))
            rates = sorted(losses)
            best = lowest(rates, [losses[rate] for rate in rates])
            guess = min(losses, key=lambda rate: losses[rate])  # where the next width begins to look
            rows.append({"parametrization": kind, "width": width, "best_rate": best, "losses": losses})
            print(json.dumps(rows[-1]), flush=True)
    spread = {}
    for kind in ("standard", "mup"):
        best = [row["best_rate"] for row in rows if row["parametrization"] == kind]
        spread[kind] = {"highest_over_lowest": max(best) / min(best), "at_32_over_at_256": best[0] / best[-1]}
    return {"steps": STEPS, "depth": 2, "context": 64, "batch_size": 12, "rates": rows, "spread": spread}


def _bracketed(found: Problem, knobs: Row, guess: float) -> Iterator[tuple[float, float]]:
    """Rates and losses, with two rates on either side of the lowest."""
    losses: dict[int, float] = {}
    fixed = {"depth": 2, "tokenizer": "char", "max_steps": STEPS, "eval_every": STEPS, "seed": 0}
    start = round(2 * math.log2(guess))
    wanted = [start + step for step in range(-2, 3)]
    while wanted:
        for power in wanted:
            run = train(found.setup({**fixed, **knobs, "learning_rate": 2 ** (power / 2)}))
            losses[power] = run.last["val_loss"] if not run.lane.failure else 10.0
            yield 2 ** (power / 2), losses[power]
        at = min(losses, key=lambda power: losses[power])
        wanted = [power for power in range(at - 2, at + 3) if power not in losses]


def nanogpt(data: Path, workers: int) -> Row:
    """The published setting as written; a search at its tokens and parameters; three fresh seeds of the winner."""
    found = problem(text(data))
    at_end = {"eval_every": 2000, "score_bytes": 0}
    written = _scored(found, {**AS_WRITTEN, **at_end, "seed": 0})
    print(json.dumps(written), flush=True)
    result = hpo.run(str(HERE / "language_gpt.yaml"), data=text(data), workers=workers, storage="language_gpt.db")
    recipe = {name: value for name, value in result.recipe.items() if name != "seed"}
    fresh = [_scored(found, {**recipe, **at_end, "seed": seed}) for seed in FRESH]
    return {
        "as_written": written,
        "search": {
            "points": int(result.trials["steps"].sum()),
            "trials": len(result.trials),
            "best_of_the_search": result.value,
            "recipe": recipe,
        },
        "winner": {
            "mean": sum(row["val_loss"] for row in fresh) / len(fresh),
            "mean_of_disjoint_windows": sum(row["val_loss_of_disjoint_windows"] for row in fresh) / len(fresh),
            "seeds": fresh,
        },
    }


def _scored(found: Problem, knobs: Row) -> Row:
    setup = found.setup(knobs)
    run = train(setup)
    return {
        "seed": knobs["seed"],
        "parameters": parameters(setup),
        "val_loss": run.last["val_loss"],
        "val_bpb": run.last["val_bpb"],
        "val_loss_of_disjoint_windows": disjoint_loss(run.lane),
        "processor_seconds": run.seconds,
    }
