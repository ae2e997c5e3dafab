"""What a step frees is there for the next one."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
import torch
from hpo.objectives.trainer.problem import device

if sys.argv[1] == "kept":
    device("cpu")

def step():
    blocks = [torch.empty(1 << 20).fill_(1.0) for _ in range(10)]  # 4 MiB each

step(); step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc")
def test_pages_that_a_step_has_used_are_not_asked_of_the_system_again() -> None:
    faults = {
        word: int(subprocess.check_output([sys.executable, "-c", SCRIPT, word], text=True)) for word in ("kept", "not")
    }
    assert faults["kept"] < faults["not"] / 10, faults
