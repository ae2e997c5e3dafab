"""The examples of docs/add-your-own.md: each is one file, is picked up by the tests of its kind, and works."""

from __future__ import annotations

import json
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
HOUSE = "tests/house/test_registry_contracts.py"
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
    "search/drafts/space.py": "new --from lr.json --output made.yaml",
}
"""A command for each example."""

GIVEN = {"search/drafts/space.py": ("lr.json", '{"lr": {"_type": "loguniform", "_value": [0.001, 0.1]}}')}
"""A file that the command of an example reads."""


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


def python(copy: Path, *words: str, cwd: Path, told: str = "") -> str:
    settings = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run([sys.executable, *words], cwd=cwd, env=settings, input=told, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_there_is_an_example_of_every_kind_and_a_use_of_every_example() -> None:
    assert list(USES) == list(map(str, EXAMPLES))
    assert len({file.parent for file in EXAMPLES}) == len(EXAMPLES) == 10


IN_TURN = """
import contextlib, io, json, os, sys
from hpo.search.cli import main

for folder, words in json.load(sys.stdin):
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        try:
            code = main(words)
        except SystemExit as end:  # of --help
            code = end.code
    print(json.dumps([code, shown.getvalue()]))
"""
LISTS = (["list"], ["--help"])
STORED = ["--storage", "studies.db", "--name", "tried"]
NAMES = ["names", "--storage", "studies.db"]


@pytest.fixture(scope="module")
def shown(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the command of each example says, and then the names of what is stored; and the command's own lists."""
    top = tmp_path_factory.mktemp("uses")
    commands: list[tuple[str, list[str]]] = [("", words) for words in LISTS]
    for file, use in USES.items():
        words = re.findall(r"(?:\{.*?\}(?= --|$)|\S+)+", use)
        runs = words[0] == "run"
        commands += [(file, [*words, *STORED]), (file, NAMES)] if runs else [(file, words)]
    for example, (name, text) in GIVEN.items():
        (top / example).mkdir(parents=True)
        (top / example / name).write_text(text)
    asked = json.dumps([(str(top / (file or "lists")), words) for file, words in commands])
    said = python(copy, "-c", IN_TURN, cwd=top, told=asked)
    found: dict[str, str] = dict.fromkeys(["", *USES], "")
    for (file, words), line in zip(commands, said.splitlines(), strict=True):
        code, text = json.loads(line)
        assert code == 0, f"hpo {words}: {text}"
        found[file] += text
    return found


def test_each_is_listed(shown: dict[str, str]) -> None:
    for file in EXAMPLES:
        if file.parent.name not in ("kinds", "drafts"):
            assert re.search(rf"^  {file.stem} +\w", shown[""], re.MULTILINE), f"{file.stem} is not listed"


@pytest.mark.parametrize("file", USES)
def test_each_works(file: str, shown: dict[str, str]) -> None:
    if file in GIVEN:
        assert "lr searched" in shown[file]
    if USES[file].startswith("run"):
        assert "complete" in shown[file]
        assert shown[file].rstrip().endswith("tried")


CHOOSE = """
import re

def pytest_collection_modifyitems(config, items):
    chosen = [item for item in items if re.search(r"(?<![a-z])({stems})(?![a-z])", item.name.partition("[")[2])]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen
"""


@pytest.fixture(scope="module")
def passed(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The tests of all kinds that name an example and passed, as all of them have to."""
    tests = {HOUSE, *(file for files in CONTRACTS.values() for file in files)}
    paths = f"pythonpath={ROOT / 'tests'} {ROOT / 'docs'}"
    (copy / "choose_examples.py").write_text(CHOOSE.replace("{stems}", "|".join(file.stem for file in EXAMPLES)))
    options = ["-n", "0", "-v", "-p", "no:cacheprovider", "--basetemp", str(tmp_path_factory.mktemp("tests") / "base")]
    files = [str(ROOT / test) for test in sorted(tests)]
    told = python(copy, "-m", "pytest", "-p", "choose_examples", "-o", paths, *options, *files, cwd=ROOT)
    return re.findall(r"^(tests/\S+::.+) PASSED", told, re.MULTILINE)


@pytest.mark.parametrize("file", USES)
def test_the_tests_of_its_kind_run_on_each_and_pass(file: str, passed: list[str]) -> None:
    for tests in (HOUSE, *CONTRACTS.get(str(Path(file).parent), [])):
        assert [test for test in passed if test.startswith(f"{tests}::") and Path(file).stem in test], tests


def test_each_is_written_as_the_suite_is(copy: Path) -> None:
    code = [str(copy / "hpo" / file) for file in EXAMPLES if file.suffix == ".py"]
    python(copy, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), "--ignore", "I001", *code, cwd=ROOT)
    python(copy, "-m", "ruff", "format", "--config", str(ROOT / "pyproject.toml"), "--check", *code, cwd=ROOT)
