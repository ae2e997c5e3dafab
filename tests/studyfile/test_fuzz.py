"""Broken and made-up study files: each is read, or refused with a message that has a line; nothing else happens."""

from __future__ import annotations

import contextlib
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from generated import MODEL, generate
from mutations import TOKENS, mutate

from hpo.search.commands.check import summary
from hpo.search.studyfile.reader import read
from hpo.search.terms import registry
from hpo.search.terms.errors import HpoError, StudyFileError
from hpo.search.terms.study import Study

WHERE = re.compile(r"^(\S.*):\d+:\d+: \S", re.MULTILINE)

INLINE = (
    """# Everything at once
name: all
objective: mlp
goal: [minimize last val_loss, maximize val_accuracy]
search:
  learning_rate: {float: [1e-4, 1e-1], log: true}
  batch_size: {choice: [16, 32, 64, 128]}
  dropout: {float: [0, 0.5], step: 0.1}
  depth: {int: [1, 4]}
  optimizer: {choice: [sgd, adamw]}
  momentum: {float: [0, 0.95], when: {optimizer: sgd, depth: [1, 2]}}
fixed: {epochs: 30, nesterov: false}
data: digits
budget: {trials: 60, steps: 900, minutes: 10}
sampler: {warmup: {first: qmc, then: {tpe: {n_startup_trials: 5}}, trials: 16}}
pruner: {patient: {of: {percentile: {percentile: 25.0}}, patience: 3, goal: val_loss}}
executor: {processes: {workers: 2}}
workers: 2
confirm: {top: 2, seeds: 3}
repeats: true
seed: 7
device: cpu
storage: studies.db
""",
    """objective: {command: "sh -c 'echo {lr}'"}
goal: minimize value
search:
  lr:
    float:
    - 0.1
    - 1.0
confirm: none
""",
    """objective: sklearn
goal: maximize val_accuracy
search:
  estimator: {choice: [RandomForestClassifier, SVC]}
  max_depth: {int: [1, 9], when: {estimator: RandomForestClassifier}}
  C: {float: [1e-2, 1e2], log: true, when: {estimator: SVC}}
data: {table: {path: data.csv, target: y}}
sampler: random
""",
)


def sources() -> list[str]:
    """Studies to break: the shipped ones, and one of each kind that uses every key."""
    return [*INLINE, *(registry.path("study", name).read_text() for name in registry.names("study"))]


def judged(path: Path) -> bool:
    """Whether the file is a study; raises whatever is neither that nor a proper refusal."""
    try:
        study = read(path)
    except HpoError as error:
        refused = error
    else:
        assert isinstance(study, Study)
        assert summary(study).startswith(study.name)
        return True
    assert refused.exit_code == 2
    assert WHERE.search(str(refused)), str(refused)
    assert len(str(refused)) < 60_000
    return False


def drawn(draw: random.Random, texts: list[str]) -> str:
    """A study file: made up, in one of five with accidents; or a known one with accidents."""
    if draw.random() < 0.5:
        return mutate(draw.choice(texts), draw)
    text = generate(draw)
    return mutate(text, draw) if draw.random() < 0.2 else text


@pytest.mark.parametrize("files", [500, pytest.param(20_000, marks=pytest.mark.slow)])
def test_a_broken_study_is_refused_with_its_lines_or_read_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    path, draw, texts = tmp_path / "study.yaml", random.Random(files), sources()
    (tmp_path / "data.csv").write_text("a,y\n1,2\n3,4\n")
    (tmp_path / "model.py").write_text(MODEL)
    good = 0
    for _ in range(files):
        text = drawn(draw, texts)
        path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
        try:
            good += judged(path)
        except Exception as error:
            error.add_note(f"--- the study file:\n{text}")
            raise
    assert list(folder.iterdir()) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cwd", "data.csv", "model.py", "study.yaml"]
    print(f"{good} of {files} study files accepted")
    assert files / 3 < good < files


def test_random_bytes_are_refused_with_a_line(tmp_path: Path) -> None:
    draw, path = random.Random(1), tmp_path / "study.yaml"
    for size in [*range(1, 40), 100, 1000, 10_000] * 2:
        path.write_bytes(draw.randbytes(size))
        assert not judged(path)


def test_random_text_is_refused_with_a_line(tmp_path: Path) -> None:
    draw, path = random.Random(2), tmp_path / "study.yaml"
    for _ in range(150):
        path.write_text("".join(draw.choice((*TOKENS, "\n", " ", "a", ": ")) for _ in range(draw.randrange(1, 30))))
        assert not judged(path)


def test_broken_overrides_are_refused_as_mistakes_of_the_study() -> None:
    draw = random.Random(3)
    study = yaml.safe_load(INLINE[0])
    keys = ("budget.trials", "sampler", "pruner", "seed", "goal", "set", "objective", "name", "data", "x", "search")
    for _ in range(120):
        key, text = draw.choice(keys), draw.choice(TOKENS)
        value = f"{draw.choice(('depth', 'width', '', 'é'))}={text}" if key == "set" else text
        with contextlib.suppress(StudyFileError):
            read(study, [(key, value)])


def test_the_command_itself_ends_with_0_or_2_and_a_message(tmp_path: Path) -> None:
    draw, texts = random.Random(4), sources()
    for number in range(6):
        text = mutate(draw.choice(texts), draw)
        (tmp_path / "study.yaml").write_bytes(text.encode("utf-8", errors="surrogatepass"))
        done = subprocess.run(
            [sys.executable, "-m", "hpo", "check", "study.yaml"], cwd=tmp_path, capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": "ascii" if number % 3 == 0 else "utf-8"},
        )  # fmt: skip
        assert done.returncode in (0, 2), f"{text}\n{done.stderr.decode()}"
        if done.returncode == 2:
            assert re.search(r"^study\.yaml:\d+:\d+: ", done.stderr.decode(errors="replace"), re.MULTILINE)
    assert [p.name for p in tmp_path.iterdir()] == ["study.yaml"]
