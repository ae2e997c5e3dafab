"""A corpus of any size takes the same memory, measured in processes of their own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import json, resource, sys
import numpy as np
from hpo.objectives.text import packing
from hpo.objectives.text.corpus import open_corpus
from hpo.objectives.text.tokenizers import tokenize

documents, tokenizer, read = sys.argv[1:]
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
corpus = open_corpus({"text": {"path": "large.txt", "documents": documents}}, 0)
made = tokenize(corpus, tokenizer, 300)
tokenized = peak()
rows = packing.stream(made.train, 256)
picked = np.random.default_rng(0).permutation(len(rows))[:int(read)]
total = sum(int(rows.gather(picked[low:low + 64]).targets.sum()) for low in range(0, len(picked), 64))
print(json.dumps({"bytes": made.train.bytes, "before": before, "tokenized": tokenized, "read": peak()}))
"""


def large(size: int) -> None:
    """A text of lines and paragraphs, some of them not ASCII."""
    block = "".join(
        f"line {i * 7919 % 10007} of a text that is {'é' if i % 97 == 0 else 'e'} long{'' if i % 5 else chr(10)}\n"
        for i in range(40_000)
    ).encode()
    with Path("large.txt").open("wb") as file:
        for _ in range(-(-size // len(block))):
            file.write(block)


def measured(documents: str, tokenizer: str, windows: int) -> dict[str, float]:
    command = [sys.executable, "-c", CODE, documents, tokenizer, str(windows)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout)
    return found


def test_some_megabytes_are_read_and_tokenized_in_less_memory_than_they_take() -> None:
    large(100 << 20)
    found = measured("file", "bytes", 20_000)
    assert found["bytes"] > 80 << 20
    assert found["tokenized"] - found["before"] < 80
    assert found["read"] - found["before"] < 200  # 64 MiB of pages at a time, for a file read everywhere


@pytest.mark.slow
@pytest.mark.parametrize(("documents", "tokenizer"), [("file", "bytes"), ("blank", "char")])
def test_two_gigabytes_are_tokenized_and_read_in_less_than_one(documents: str, tokenizer: str, here: Path) -> None:
    if shutil.disk_usage(here).free < 12 << 30:
        pytest.skip("needs 12 GiB of disk")
    large(2 << 30)
    found = measured(documents, tokenizer, 200_000)
    assert found["bytes"] > 1.5 * 2**30
    assert found["read"] < 1024
    shutil.rmtree(".hpo")
    Path("large.txt").unlink()
