"""Whether two revisions search alike: every shipped study run by both, and all their trials compared bit for bit.

Each revision is checked out into a temporary folder and runs its own ``studies/*.yaml`` without their limit of minutes,
then the short definitions below, the same text for both, so that every sampler, pruner, policy and executor occurs. A
case is a process of this interpreter with one thread and an SQLite store of its own. The stores are read with plain
Optuna, so nothing here depends on either revision. Compared are all attributes but those that name what was measured
on the clock, installed, or where: states, parameters, curves, values, seeds, reasons, fresh runs, winner, test scores;
floats exactly.

    python benchmarks/same_trials.py REV [REV2] [--trials N] [--only CASE] [--output FILE.json]

REV2 is the working tree unless given. The exit status is 1 where anything differs, a study ran in neither, or a plug-in
occurs in none.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
STUDY_FACTS = ("definition", "evidence", "winner", "question")
"""Attributes of a study that are compared; the others are times, the machine's folders, or words for the dashboard."""
MEASURED = ("train_seconds", "attempts", "traceback")
"""Attributes of a trial that are not compared: seconds, how often it was begun, and line numbers."""
KINDS = ("samplers", "pruners", "executors", "objectives")

FILES = {
    "own.py": """
        import math, random

        def train(*, x: float = 0.5, rate: float = 1e-2, kind: str = "a", epochs: int = 9, seed: int = 0):
            noise = random.Random(seed)
            for epoch in range(1, epochs + 1):
                if kind == "bad" and epoch == 2 or kind == "luck" and noise.random() < 0.2:
                    raise ValueError("no luck")
                loss = (x - 0.3) ** 2 + 0.1 * abs(math.log10(rate) + 2) + 1 / epoch + noise.gauss(0, 0.05)
                yield {"loss": loss, "size": x * epoch + noise.random()}
        """
}
"""What the definitions below train beside the built-in objectives."""

NETWORK = """
    objective: mlp
    data: digits
    goal: minimize val_loss
    search: {learning_rate: {float: [1e-3, 1.0], log: true}, width: {choice: [8, 16, 32]}}
    fixed: {epochs: 8}
    confirm: {top: 2, seeds: 2}
    """
OWN = """
    objective: ./own.py
    goal: minimize loss
    search:
      x: {float: [0, 1]}
      rate: {float: [1e-4, 1e-1], log: true}
      kind: {choice: [a, bad, luck]}
    confirm: {top: 2, seeds: 2}
    """
EXTRA: Mapping[str, Sequence[str]] = {
    "cmaes, median": [
        """
        objective: mlp
        data: digits
        goal: minimize val_loss
        search: {learning_rate: {float: [1e-3, 1.0], log: true}, dropout: {float: [0, 0.5]}}
        fixed: {epochs: 8}
        budget: {trials: 24}
        sampler: cmaes
        pruner: median
        executor: inline
        """
    ],
    "gp, percentile": [NETWORK + "budget: {trials: 16}\nsampler: gp\npruner: {percentile: {percentile: 40.0}}"],
    "qmc, hyperband": [NETWORK + "budget: {trials: 20}\nsampler: qmc\npruner: hyperband"],
    "warmup, patient": [
        NETWORK + "budget: {trials: 20}\nsampler: {warmup: {first: qmc, then: tpe, trials: 8}}\n"
        "pruner: {patient: {of: median, patience: 1}}\nexecutor: cohort\nworkers: 2"
    ],
    "tpe, learning-curve": [
        NETWORK + "budget: {trials: 24}\nsampler: tpe\npruner: learning-curve\nprior: {learning_rate: 0.05}"
    ],
    "random, threshold": [OWN + "budget: {trials: 24}\nsampler: random\npruner: {threshold: {upper: 1.4}}"],
    "nsga2, two goals": [
        OWN.replace("goal: minimize loss", "goal: [minimize loss, maximize size]")
        + "budget: {trials: 60}\nsampler: nsga2"
    ],
    "grid, failures": [
        """
        objective: ./own.py
        goal: minimize loss
        search: {x: {float: [0, 0.8], step: 0.2}, kind: {choice: [a, bad, luck]}}
        budget: {trials: 15}
        sampler: grid
        pruner: none
        """
    ],
    "freeze-thaw": [NETWORK + "budget: {steps: 150}\nsampler: freeze-thaw"],
    "freeze-thaw, processes": [
        OWN + "budget: {trials: 16}\nsampler: {freeze-thaw: {of: tpe}}\nexecutor: {processes: {workers: 1}}"
    ],
    "two processes": [OWN + "budget: {trials: 16}\nsampler: random\npruner: none\nexecutor: processes\nworkers: 2"],
    "successive halving, steps": [NETWORK + "budget: {steps: 150}\npruner: successive-halving"],
    "continued": [NETWORK + "budget: {trials: 7}", NETWORK + "budget: {trials: 18}"],
    "continued freeze-thaw": [
        NETWORK + "sampler: freeze-thaw\nbudget: {steps: 60}",
        NETWORK + "sampler: freeze-thaw\nbudget: {steps: 110}",
    ],
    "warm start": [
        OWN + "name: first\nbudget: {trials: 15}",
        OWN + "name: second\nbudget: {trials: 15}\nwarm_start: first",
        OWN + "name: third\nbudget: {steps: 90}\nsampler: freeze-thaw\nwarm_start: [first, second]\nprior: {x: 0.4}",
    ],
    "cnn": [
        """
        objective: cnn
        goal: maximize val_accuracy
        search: {learning_rate: {float: [1e-3, 1e-1], log: true}, channels: {choice: [4, 8]}}
        fixed: {epochs: 4}
        budget: {trials: 6}
        """
    ],
    "command": [
        """
        objective: {command: "sh -c 'echo {x}'"}
        goal: maximize value
        search: {x: {float: [0, 1]}, y: {int: [1, 9]}}
        budget: {trials: 8}
        """
    ],
}
"""Cases beyond the shipped studies: study files that run one after the other on one store; those without a name
continue each other. Two worker processes race, so no revision repeats itself there where a decision depends on who is
first: such cases have one worker, or decide by the trial's number alone."""


@dataclass(frozen=True)
class Case:
    """Study files that one store sees, in order.

    Attributes:
        files: relative to the folder in which they run.
        shipped: whether it is a study of the revision, which must run in both.
    """

    name: str
    files: tuple[str, ...]
    shipped: bool


@dataclass(frozen=True)
class Outcome:
    """What a run left: all facts by where they stand, floats as ``float.hex``, and how its last process ended."""

    facts: Mapping[str, str]
    trials: int
    points: int
    status: int
    message: str
    text: str


def dedent(text: str) -> str:
    """A text without the indentation of its lines; those that were appended have none."""
    depth = min((len(line) - len(line.lstrip()) for line in text.splitlines()[:2] if line.strip()), default=0)
    return "\n".join(line[depth:] if line.startswith(" " * depth) else line for line in text.strip("\n").splitlines())


def prepare(folder: Path, source: Path) -> list[Case]:
    """Lay the revision's studies and the definitions above into a folder."""
    shutil.copytree(source / "studies", folder)
    cases = []
    for path in sorted(folder.glob("*.yaml")):
        path.write_text(re.sub(r",?\s*\bminutes:\s*[^,}\n]+", "", path.read_text()))
        cases.append(Case(path.stem, (path.name,), True))
    for name, text in FILES.items():
        (folder / name).write_text(dedent(text))
    for name, texts in EXTRA.items():
        files = []
        for number, text in enumerate(texts):
            own = dedent(text) if "name:" in text else f"{dedent(text)}\nname: {json.dumps(name)}"
            files.append(f"extra-{re.sub(r'[^a-z0-9]+', '-', name)}-{number}.yaml")
            (folder / files[-1]).write_text(own + "\n")
        cases.append(Case(name, tuple(files), False))
    return cases


def run(case: Case, source: Path, studies: Path, trials: int | None) -> Outcome:
    """Run a case with the code of a checkout, and read what it left."""
    environment = {**os.environ, **dict.fromkeys(THREADS, "1"), "PYTHONPATH": str(source / "src")}
    environment.pop("HPO_STORAGE", None)
    shorter = ["--trials", str(trials)] if trials and case.shipped else []
    with tempfile.TemporaryDirectory() as place:
        store = Path(place, "store.db")
        status, message = 0, ""
        for file in case.files:
            command = [sys.executable, "-m", "hpo", "run", str(studies / file), "--storage", str(store), "--quiet"]
            done = subprocess.run([*command, *shorter], cwd=place, env=environment, capture_output=True, text=True)
            status = status or done.returncode
            message = message or (done.stderr.strip() if done.returncode else "")
        text = "\n".join((studies / file).read_text() for file in case.files)
        return read(store, status, message, text)


def read(store: Path, status: int, message: str, text: str) -> Outcome:
    """Everything that a store holds of its studies, but for times and places."""
    import optuna

    if not store.exists():
        return Outcome({}, 0, 0, status, message, text)
    storage = optuna.storages.RDBStorage(f"sqlite:///{store}")
    facts: dict[str, str] = {}
    trials = points = 0
    for study in storage.get_all_studies():
        name, key = study.study_name, study._study_id
        attributes = dict(storage.get_study_user_attrs(key))
        definition = dict(attributes.get("definition") or {})
        definition.pop("versions", None)
        attributes["definition"] = definition
        text += json.dumps(definition)
        kept = {fact: attributes.get(fact) for fact in STUDY_FACTS}
        for trial in storage.get_all_trials(key, deepcopy=False):
            trials += 1
            points += len(trial.intermediate_values)
            facts.update(flat(f"{name}: trial {trial.number}: ", whole(trial)))
        facts.update(flat(f"{name}: ", {"directions": [way.name for way in study.directions], **kept}))
    storage.remove_session()
    storage.engine.dispose()
    return Outcome(facts, trials, points, status, message, text)


def whole(trial: Any) -> dict[str, Any]:
    """All of a trial that a seed fixes."""
    return {
        "state": trial.state.name,
        "params": trial.params,
        "distributions": {name: repr(known) for name, known in trial.distributions.items()},
        "curve": trial.intermediate_values,
        "values": trial.values,
        **{key: value for key, value in trial.user_attrs.items() if key not in MEASURED},
        "system": trial.system_attrs,
    }


def flat(place: str, value: Any) -> Iterator[tuple[str, str]]:
    """The leaves of nested data by their places; floats as hexadecimal digits, so that equal means equal bits.

    >>> dict(flat("a", {"b": [0.5, 1, "x"]}))
    {'ab 0 ': '0x1.0000000000000p-1', 'ab 1 ': '1', 'ab 2 ': "'x'"}
    """
    if isinstance(value, Mapping):
        if not value:
            yield place, "{}"
        for key, item in value.items():
            yield from flat(f"{place}{key} ", item)
    elif isinstance(value, list | tuple):
        if not value:
            yield place, "[]"
        for i, item in enumerate(value):
            yield from flat(f"{place}{i} ", item)
    else:
        yield place, value.hex() if isinstance(value, float) else repr(value)


def difference(before: Outcome, after: Outcome) -> str | None:
    """The first thing in which two outcomes differ, None where they are equal."""
    if before.status != after.status:
        said = (before if before.status else after).message
        return f"exit status {before.status} and {after.status}: {said.splitlines()[-1] if said else ''}"
    for place in [*before.facts, *(place for place in after.facts if place not in before.facts)]:
        one, other = before.facts.get(place, "missing"), after.facts.get(place, "missing")
        if one != other:
            return f"{place.strip()}: {one} and {other}"
    return None


def judge(case: Case, before: Outcome, after: Outcome) -> dict[str, Any]:
    """A row of the table."""
    found = difference(before, after)
    if found is None and (after.status or not after.trials):
        found = f"ran in neither: {(after.message or 'no trials').splitlines()[-1]}"
    return {"study": case.name, "trials": after.trials, "points": after.points, "result": found or "equal"}


def unused(source: Path, texts: Sequence[str]) -> list[str]:
    """Plug-ins that ``hpo list`` names and no study mentions."""
    environment = {**os.environ, "PYTHONPATH": str(source / "src")}
    command = [sys.executable, "-m", "hpo", "list"]
    listed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    missing, kind = [], ""
    for line in listed.splitlines():
        if not line.startswith(" "):
            kind = line.strip()
        elif kind in KINDS:
            name = line.split()[0]
            if not any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) for text in texts):
                missing.append(f"{kind[:-1]} {name}")
    return missing


def git(*words: str) -> str:
    """What git says about this repository."""
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def checkout(revision: str, stack: ExitStack) -> Path:
    """A worktree of a revision, gone with the stack."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()), "tree")
    git("worktree", "add", "--detach", str(folder), revision)
    stack.callback(git, "worktree", "remove", "--force", str(folder))
    return folder


def versions() -> dict[str, str]:
    """What ran, on what."""
    from importlib.metadata import version

    packages = ("optuna", "numpy", "scikit-learn", "torch")
    return {
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
        "machine": platform.machine(),
    }


def main() -> int:
    """Run all cases with both revisions, print the table, say whether all is equal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", metavar="REV")
    parser.add_argument("after", metavar="REV2", nargs="?", help="default: the working tree")
    parser.add_argument("--trials", type=int, metavar="N", help="of each shipped study, in place of its own budget")
    parser.add_argument("--only", action="append", metavar="CASE", help="this case; may be given several times")
    parser.add_argument("--output", type=Path, metavar="FILE", help="the table as JSON too")
    arguments = parser.parse_args()
    revisions = {  # as they are now, whatever is committed while this runs
        "before": git("rev-parse", "--short", arguments.before),
        "commit": git("rev-parse", "--short", arguments.after or "HEAD"),
        "dirty": str(not arguments.after and bool(git("status", "--porcelain"))),
    }
    rows, texts = [], []
    with ExitStack() as stack:
        before = checkout(revisions["before"], stack)
        sources = [before, checkout(revisions["commit"], stack) if arguments.after else ROOT]
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        prepared = [prepare(place / side, source) for side, source in zip(("before", "after"), sources, strict=True)]
        cases = list(dict.fromkeys([*prepared[0], *prepared[1]]))
        cases = [case for case in cases if not arguments.only or case.name in arguments.only]
        pool = stack.enter_context(ThreadPoolExecutor(2))
        print(f"{'study':<28}{'trials':>7}{'points':>8}  result")
        for case in cases:
            runs = [
                pool.submit(run, case, source, place / side, arguments.trials)
                for side, source in zip(("before", "after"), sources, strict=True)
            ]
            one, other = (each.result() for each in runs)
            rows.append(judge(case, one, other))
            texts.append(other.text)
            row = rows[-1]
            print(f"{row['study']:<28}{row['trials']:>7}{row['points']:>8}  {row['result']}", flush=True)
        missing = [] if arguments.only else unused(sources[1], texts)
    different = [row for row in rows if row["result"] != "equal"]
    print(f"{len(rows) - len(different)} of {len(rows)} equal")
    if missing:
        print(f"no study tries: {', '.join(missing)}")
    if arguments.output:
        shown = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
        command = " ".join(["python benchmarks/same_trials.py", *shown])
        result = {"command": command, **revisions, **versions(), "untried": missing, "rows": rows}
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    return 1 if different or missing else 0


if __name__ == "__main__":
    sys.exit(main())
