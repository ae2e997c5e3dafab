"""What language models cost, for language.py: processor time, padding, memory."""

from __future__ import annotations

import csv
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import plain_gpt
import torch
from language_runs import peak_mib, problem, steps_alone, text, train
from numpy.typing import NDArray
from torch.nn import functional

from hpo.objectives.text.packing import Rows
from hpo.objectives.trainer.lane import Lane
from hpo.objectives.trainer.problem import Problem
from hpo.objectives.trainer.setup import Setup
from hpo.objectives.trainer.together import Cohort

Row = dict[str, Any]

BATCHES, CONTEXTS = (4, 12, 16, 64), (64, 256, 512)
_TURN_TOKENS = 12_288  # of a side in a turn, at least: a second of work
_DOCUMENT_CONTEXT = 256
_COMPARED = 400  # packed rows whose documents are compared one by one
_STEPS = 6  # of a side in a turn


def speed(data: Path, turns: int, batches: Sequence[int] = BATCHES) -> Iterator[Row]:
    """Processor seconds of training per token, against the plain loop; sides in turn, ratios within each turn."""
    found = problem(text(data))
    for context in CONTEXTS:
        for batch in batches:
            steps = max(2, -(-_TURN_TOKENS // (batch * context)))
            knobs = {"tokenizer": "char", "batch_size": batch, "context": context}
            setup = found.setup({**knobs, "max_steps": steps, "eval_every": steps, "score_bytes": 100})
            tokenized = setup.data.splits.tokenized
            ids = torch.from_numpy(np.array(tokenized.train.ids, dtype=np.int64))
            plain = plain_gpt.trainer(ids, tokenized.symbols, batch, context)
            pairs = in_turns(lambda s=setup: steps_alone(s), lambda p=plain, n=steps: timed(lambda: p(n)), turns)
            yield {
                "context": context,
                "batch": batch,
                "microseconds_per_token": 1e6 * statistics.median(own for own, _ in pairs) / (steps * batch * context),
                **ratios(pairs),
            }


def scoring_share(data: Path, turns: int) -> Row:
    """What 20 points of 32 kB cost beside 2,000 steps of 12 windows of 64, as the objective's default is."""
    found, steps = problem(text(data)), 32
    setup = found.setup({"tokenizer": "char", "max_steps": steps, "eval_every": steps})
    lane, cohort = Lane(0, setup), Cohort()
    cohort._gather([lane])
    pairs = in_turns(lambda: timed(lambda: cohort._score([lane])), lambda: steps_alone(setup), turns)
    scored, trained = (statistics.median(side) for side in zip(*pairs, strict=True))
    return {
        "seconds_of_20_points": 20 * scored,
        "seconds_of_2000_steps": 2000 / steps * trained,
        "share_of_run": 20 * scored / (20 * scored + 2000 / steps * trained),
    }


def in_turns(own: Callable[[], float], other: Callable[[], float], turns: int) -> list[tuple[float, float]]:
    """Seconds of both sides, after one turn that does not count; who comes first changes."""
    pairs = []
    for turn in range(turns + 1):
        if turn % 2:
            first, second = own(), other()
        else:
            second, first = other(), own()
        pairs.append((first, second))
    return pairs[1:]


def ratios(pairs: list[tuple[float, float]]) -> Row:
    """Median and range of the ratios within turns, and the ratio of the sums."""
    each = sorted(own / other for own, other in pairs)
    whole = sum(own for own, _ in pairs) / sum(other for _, other in pairs)
    return {"ratio": statistics.median(each), "range": [each[0], each[-1]], "ratio_of_sums": whole}


def timed(work: Callable[[], Any]) -> float:
    """Processor seconds."""
    start = time.process_time()
    work()
    return time.process_time() - start


@contextmanager
def scratch() -> Iterator[Path]:
    """A working directory for what is made of a text, deleted in the end."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


def packing(messages: Path, turns: int) -> Row:
    """Whole messages packed into rows, against one a row: the loss of each, and useful tokens a second."""
    with scratch() as folder:
        lines = folder / "messages.jsonl"
        with gzip.open(messages, "rt", encoding="utf-8", newline="") as file, lines.open("w", encoding="utf-8") as out:
            for row in csv.DictReader(file):
                out.write(json.dumps({"text": row["text"]}) + "\n")
        found = problem(text(lines, documents="line", field="text"))
        packed, padded = (_of_messages(found, pack, _STEPS) for pack in ("documents", "pad"))
        weights = train(_of_messages(found, "documents", 40)).lane.scored
        rows = [setup.data.train._rows for setup in (packed, padded)]
        losses = _loss_of_documents(packed, weights, np.arange(_COMPARED))
        alone = np.flatnonzero(np.isin(rows[1].starts, list(losses)))
        others = _loss_of_documents(padded, weights, alone)
        assert losses.keys() == others.keys()
        furthest = max(abs(loss - others[start]) for start, loss in losses.items())
        plain = _plain_padded(padded)
        seconds = [(steps_alone(packed), steps_alone(padded), timed(lambda: plain(_STEPS))) for _ in range(turns + 1)]
        del seconds[0]  # the kernels' first calls
        useful = [float(part.useful) for part in rows]
        gains = sorted(useful[0] / turn[0] / (useful[1] / turn[1]) for turn in seconds)
        against_plain = sorted(useful[0] / turn[0] / (useful[1] / turn[2]) for turn in seconds)
        per_turn = _STEPS * 12 * _DOCUMENT_CONTEXT
        return {
            "documents_compared": len(losses),
            "context": _DOCUMENT_CONTEXT,
            "largest_difference_of_a_documents_loss": furthest,
            "useful_share": {"packed": useful[0], "padded": useful[1]},
            "useful_tokens_per_second": {
                "packed": per_turn * useful[0] / statistics.median(turn[0] for turn in seconds),
                "padded": per_turn * useful[1] / statistics.median(turn[1] for turn in seconds),
                "plain loop, padded": per_turn * useful[1] / statistics.median(turn[2] for turn in seconds),
            },
            "gain": statistics.median(gains),
            "range": [gains[0], gains[-1]],
            "gain_over_the_plain_loop": statistics.median(against_plain),
            "range_over_the_plain_loop": [against_plain[0], against_plain[-1]],
        }


def _of_messages(found: Problem, pack: str, steps: int) -> Setup:
    return found.setup(
        {"pack": pack, "context": _DOCUMENT_CONTEXT, "max_steps": steps, "eval_every": steps, "score_bytes": 100}
    )


@torch.no_grad()
def _loss_of_documents(setup: Setup, weights: torch.Tensor, wanted: NDArray[np.int64]) -> dict[int, float]:
    """Mean loss of each document in some rows, or piece of one, by its place in the tokens."""
    rows, views = setup.data.train._rows, setup.network.views(weights.unsqueeze(0))
    assert isinstance(rows, Rows)
    setup.network.mode(training=False)
    found = {}
    for at in np.split(wanted, range(32, len(wanted), 32)):
        batch = rows.gather(at)
        inputs, targets = setup.data.tensors(batch)
        outputs = setup.network.forward(views, inputs.unsqueeze(0), None)[0]
        each = functional.cross_entropy(outputs.flatten(0, 1), targets.flatten(), ignore_index=-1, reduction="none")
        for row, losses in zip(at, each.view(targets.shape).double(), strict=True):
            low, high = rows.first[row], rows.first[row + 1]
            pieces = losses[: int(rows.lengths[low:high].sum())].split(rows.lengths[low:high].tolist())
            for place, piece in zip(rows.starts[low:high].tolist(), pieces, strict=True):
                found[place] = float(piece.mean())
    return found


def _plain_padded(setup: Setup) -> Callable[[int], None]:
    """The plain loop on padded rows: causal attention hides what stands behind, so that it needs no mask."""
    model = plain_gpt.GPT(setup.data.symbols, _DOCUMENT_CONTEXT)
    rule, rows = plain_gpt.optimizer(model), setup.data.train._rows

    def steps(count: int) -> None:
        for _ in range(count):
            batch = rows.gather(torch.randint(len(rows), (12,)).numpy())
            plain_gpt.update(model, rule, torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets))

    return steps


def scoring_memory(script: Path, data: Path) -> Row:
    """Peak of three steps and their scores with 4,096 symbols, width 32, one block; each in a process of its own."""
    peaks = {str(lanes): _in_process(script, "--peak-of-lanes", str(lanes), "--data", str(data)) for lanes in (1, 4)}
    return {"symbols": 4096, "peak_mib_by_lanes": {lanes: found["peak_mib"] for lanes, found in peaks.items()}}


def peak_of_lanes(data: Path, lanes: int) -> Row:
    """What that process does."""
    found = problem(text(data))
    knobs = {"tokenizer": "bpe", "vocabulary": 4096, "width": 32, "depth": 1, "max_steps": 3, "eval_every": 3}
    several = [Lane(number, found.setup({**knobs, "score_bytes": 0, "seed": number})) for number in range(lanes)]
    Cohort().advance(several)
    assert several[0].setup.data.symbols == 4096, several[0].setup.data.symbols
    return {"peak_mib": peak_mib()}


def large(script: Path, gigabytes: float) -> Row:
    """A generated text of that size, numbered and trained on for 20 steps in a process of its own."""
    with scratch() as folder:
        path = folder / "large.txt"
        size = _write(path, int(gigabytes * 1e9))
        found = _in_process(script, "--train-large", str(path))
    return {"bytes": size, **found}


def _write(path: Path, size: int) -> int:
    """Lines of random words, about 500 characters each: 16 MB of them, each time begun at another place."""
    random = np.random.default_rng(0)
    letters = random.choice(np.frombuffer(b"etaoinshrdlucmfwypvbgk" + 4 * b" ", np.uint8), 16_000_000)
    letters[random.integers(0, len(letters), len(letters) // 500)] = ord("\n")
    block = letters.tobytes()
    with path.open("wb") as file:
        while file.tell() < size:
            cut = int(random.integers(len(block)))
            file.write(block[cut:])
            file.write(block[:cut])
        return file.tell()


def train_large(path: Path) -> Row:
    """What that process does."""
    import resource

    start, cpu = time.monotonic(), time.process_time()
    setup = problem(text(path, documents="line")).setup({"width": 32, "max_steps": 20, "eval_every": 10})
    tokenized = time.monotonic() - start
    setup_peak = peak_mib()
    run = train(setup)
    return {
        "documents": setup.data.splits.tokenized.train.documents,
        "peak_mib": peak_mib(),
        "peak_mib_of_tokenizing": setup_peak,
        "peak_mib_of_its_largest_worker": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        "seconds_of_tokenizing": tokenized,
        "processor_seconds": time.process_time() - cpu,
        "seconds_of_20_steps_and_2_points": run.seconds,
        "val_bpb": run.last["val_bpb"],
    }


def _in_process(script: Path, *options: str) -> Row:
    found = subprocess.check_output([sys.executable, str(script), *options], text=True)
    return dict(json.loads(found.splitlines()[-1]))
