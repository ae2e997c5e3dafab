"""The examples of docs/add-your-own.md: each is one file, is picked up by the tests of its kind, and works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from floors import ROOT

DOCUMENT = ROOT / "docs" / "add-your-own.md"
BLOCKS = re.findall(r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
EXAMPLES = {Path(file): text for file, text in BLOCKS}
CONTRACTS = {
    "search/samplers": ["tests/samplers/test_samplers.py"],
    "search/pruners": ["tests/pruners/test_pruners.py"],
    "search/policies": ["tests/policies/test_contract.py"],
    "search/executors": ["tests/executors/test_contract.py", "tests/executors/test_executors_together.py"],
    "search/commands": ["tests/commands/test_contract.py"],
    "objectives": ["tests/objectives/test_contract.py"],
    "studies": ["tests/objectives/test_studies.py"],
    "search/report/formats": ["tests/report/formats/test_contract.py"],
}
"""The tests of each kind beside those of tests/house, where its files have any that need no heavy training."""

USES = {
    "search/samplers/antithetic.py": "run --study bowl --sampler {antithetic: {jitter: 0.1}} --trials 6 --quiet",
    "search/pruners/hindmost.py": "run --study bowl --pruner hindmost --trials 20 --quiet",
    "search/policies/abreast.py": "run --study bowl --sampler {abreast: {width: 3}} --trials 6 --quiet",
    "search/executors/turns.py": "run --study bowl --executor {turns: {lanes: 3}} --trials 6 --quiet",
    "objectives/bowl.py": "run --study bowl --set x=1 --trials 4 --quiet",
    "studies/bowl.yaml": "check bowl",
    "search/commands/names.py": "names --storage studies.db",
    "objectives/data/kinds/blobs.py": "run --study svc --data {blobs: {rows: 60}} --trials 2 --quiet --confirm none",
    "search/report/formats/settings.py": "list formats",
}
"""A command for each example."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite with all examples in it, as it lies in a wheel."""
    top = tmp_path_factory.mktemp("copy")
    for file in ("__init__.py", "__main__.py"):
        (top / "hpo").mkdir(exist_ok=True)
        shutil.copy(ROOT / "src" / "hpo" / file, top / "hpo")
    for folder in ("search", "objectives", "studies"):
        shutil.copytree(ROOT / folder, top / "hpo" / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file, text in EXAMPLES.items():
        assert not (top / "hpo" / file).exists(), f"{file} is taken"
        (top / "hpo" / file).write_text(text)
    return top


def python(copy: Path, *words: str, cwd: Path) -> str:
    settings = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run([sys.executable, *words], cwd=cwd, env=settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_there_is_an_example_of_every_kind_and_a_use_of_every_example() -> None:
    assert list(USES) == list(map(str, EXAMPLES))
    assert len({file.parent for file in EXAMPLES}) == len(EXAMPLES) == 9


def test_each_is_listed(copy: Path, tmp_path: Path) -> None:
    listed = python(copy, "-m", "hpo", "list", cwd=tmp_path) + python(copy, "-m", "hpo", "--help", cwd=tmp_path)
    for file in EXAMPLES:
        if file.parent.name != "kinds":
            assert re.search(rf"^  {file.stem} +\w", listed, re.MULTILINE), f"{file.stem} is not listed"


@pytest.mark.parametrize("file", USES)
def test_each_works(file: str, copy: Path, tmp_path: Path) -> None:
    words = re.findall(r"(?:\{.*?\}(?= --|$)|\S)+", USES[file])
    if words[0] == "run":
        words += ["--storage", "studies.db", "--name", "tried"]
    shown = python(copy, "-m", "hpo", *words, cwd=tmp_path)
    if words[0] == "run":
        assert "complete" in shown
        assert "tried" in python(copy, "-m", "hpo", "names", "--storage", "studies.db", cwd=tmp_path)


@pytest.mark.parametrize("file", USES)
def test_the_tests_of_its_kind_run_on_each_and_pass(file: str, copy: Path, tmp_path: Path) -> None:
    tests = ["tests/house/test_registry_contracts.py", *CONTRACTS.get(str(Path(file).parent), [])]
    paths = f"pythonpath={ROOT / 'tests'} {ROOT / 'docs'}"
    chosen = ["-k", Path(file).stem, "-q", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "tests")]
    shown = python(copy, "-m", "pytest", "-o", paths, *chosen, *(str(ROOT / test) for test in tests), cwd=ROOT)
    assert re.search(r"^\d+ passed", shown, re.MULTILINE), shown


def test_each_is_written_as_the_suite_is(copy: Path) -> None:
    code = [str(copy / "hpo" / file) for file in EXAMPLES if file.suffix == ".py"]
    python(copy, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), "--ignore", "I001", *code, cwd=ROOT)
    python(copy, "-m", "ruff", "format", "--config", str(ROOT / "pyproject.toml"), "--check", *code, cwd=ROOT)
