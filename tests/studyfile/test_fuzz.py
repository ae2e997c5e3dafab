"""Broken study files: each is read, or refused with a message that has a line number; nothing else happens."""

from __future__ import annotations

import contextlib
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

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

TOKENS = (
    "", "null", "~", "true", "no", "-1", "0", "1e-4", "1e999", "-.inf", ".nan", "99999999999999999999", "0x1F", "007",
    "12:30", "'", '"', '"\\0"', '"\\ud800"', '"\\x"', "[", "]", "{", "}", "[]", "{}", "[[[[[[", "{a: {b: {c: 1}}}", ":",
    ": :", "- - -", "&a 1", "*a", "!!python/object:os.system x", "!tag x", "? x", "<<: x", "---", "...", "%YAML 9.9",
    "%TAG ! x", "|", ">", "#", "\t", "\x00", "\x1b[31m", "\ufeff", "\u2028", "é", "日本語", "\U0001f600", "x" * 5000,
    "a" * 300 + ".py", "./nosuch.py", "../../etc", "/", "~nobody/x.py", "mlp:train", "os.path:join", "a..b", "C:\\x",
    "grid", "cmaes", "nsga2", "gp", "median", "none", "wilcoxon", "freeze-thaw", "minimize", "maximize val_loss",
    "minimize best val_loss", "{float: [0, 1]}", "{int: [1, 2, 3]}", "{choice: []}", "{choice: [a, a]}", "[0, 1]",
    "{when: {depth: 1}}", "{table: {path: x}}", "{command: ''}", "{command: \"sh 'x\"}", "when", "float", "step: 0",
    "log: 1", "{tpe: {}}", "{hyperband: 3}", "{patient: {of: {patient: {of: {patient: {}}}}}}", "0.1.2", "1_000", "+1",
)  # fmt: skip


def sources() -> list[str]:
    """Studies to break: the shipped ones, and one of each kind that uses every key."""
    return [*INLINE, *(registry.path("study", name).read_text() for name in registry.names("study"))]


def mutate(text: str, draw: random.Random) -> str:
    """One to four accidents."""
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        text = draw.choice(ACCIDENTS)(text, draw)
    return text


def _lines(change: Callable[[list[str], int, int], None]) -> Callable[[str, random.Random], str]:
    def accident(text: str, draw: random.Random) -> str:
        lines = text.split("\n")
        change(lines, draw.randrange(len(lines)), draw.randrange(len(lines)))
        return "\n".join(lines)

    return accident


def _drop(lines: list[str], i: int, j: int) -> None:
    del lines[i]
    if not lines:
        lines.append("")


def _swap(lines: list[str], i: int, j: int) -> None:
    lines[i], lines[j] = lines[j], lines[i]


def _indent(lines: list[str], i: int, j: int) -> None:
    lines[i] = ("  ", "\t", " ", "    ", "- ")[j % 5] + lines[i]


def _characters(text: str, draw: random.Random) -> str:
    i = draw.randrange(len(text) + 1)
    j = min(len(text), i + draw.choice((0, 1, 1, 3)))
    return text[:i] + draw.choice(("", "", chr(draw.randrange(32, 127)), draw.choice(TOKENS)[:20])) + text[j:]


def _token(text: str, draw: random.Random) -> str:
    words = list(re.finditer(r"[^\s{}\[\],:]+", text))
    if not words:
        return text
    word = draw.choice(words)
    other = draw.choice((draw.choice(TOKENS), draw.choice(words)[0]))
    return text[: word.start()] + other + text[word.end() :]


def _value(text: str, draw: random.Random) -> str:
    """Replace a whole value somewhere in the tree; the file stays YAML."""
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    places = list(_places(tree))
    if not places:
        return text
    holder, key = draw.choice(places)
    odd = (
        None,
        True,
        -1,
        0,
        1.5,
        10**25,
        1e300,
        float("inf"),
        "",
        "x",
        [],
        {},
        [1],
        [0, 1],
        {"a": 1},
        {"float": [0, 1]},
    )
    if draw.random() < 0.3:
        del holder[key]
    else:
        holder[key] = draw.choice(odd)
    return str(yaml.safe_dump(tree, default_flow_style=draw.random() < 0.5))


def _places(tree: object) -> list[tuple[dict[object, object], object]]:
    found: list[tuple[dict[object, object], object]] = []
    if isinstance(tree, dict):
        for key, value in tree.items():
            found += [(tree, key), *_places(value)]
    return found


def _truncate(text: str, draw: random.Random) -> str:
    return text[: draw.randrange(len(text) + 1)]


ACCIDENTS: tuple[Callable[[str, random.Random], str], ...] = (
    _lines(_drop), _lines(lambda lines, i, j: lines.insert(i, lines[j])), _lines(_swap), _lines(_indent),
    _characters, _characters, _token, _token, _token, _value, _value, _truncate,
)  # fmt: skip


def judged(path: Path) -> bool:
    """Whether the file is a study; raises whatever is neither that nor a proper refusal."""
    try:
        study = read(path)
    except HpoError as error:
        refused = error
    else:
        assert isinstance(study, Study)
        return True
    assert refused.exit_code == 2
    assert WHERE.search(str(refused)), str(refused)
    assert len(str(refused)) < 60_000
    return False


@pytest.mark.parametrize("files", [1000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_a_broken_study_is_refused_with_its_lines_or_read_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    path, draw, texts = tmp_path / "study.yaml", random.Random(files), sources()
    (tmp_path / "data.csv").write_text("a,y\n1,2\n3,4\n")
    good = 0
    for _ in range(files):
        text = mutate(draw.choice(texts), draw)
        path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
        try:
            good += judged(path)
        except Exception as error:
            error.add_note(f"--- the study file:\n{text}")
            raise
    assert list(folder.iterdir()) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cwd", "data.csv", "study.yaml"]
    assert 0 < good < files


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
