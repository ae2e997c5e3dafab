"""Which rooms four trips through the code enter: the files of a run in the order in which they are first called.

    PYTHONPATH=CHECKOUT/src python benchmarks/trips.py

Any checkout that has `hpo run` and `hpo export` can be walked. A room is a folder, or a module that lies beside the
folders of search/; a return is entering a room again. Counted too without the words that all trips look up. A file is
counted where it is called first, so a module that is a room of its own is never returned to. See docs/decisions/0003.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any

import hpo
from hpo.search.cli import main

ROOT = Path(hpo.__file__).resolve().parents[2]
WORDS = {"space", "study", "budget", "recipe", "distributions", "knobs", "errors", "registry", "threads", "job"}
TRIPS = ("study file to loop", "recipe to lane to store", "pruner option to decision", "export of a winner")

paths: dict[str, list[str]] = {trip: [] for trip in TRIPS}
stages: dict[str, FrameType | None] = dict.fromkeys(TRIPS)
passed: set[str] = set()


def begins(trip: str, frame: FrameType, name: str, file: str) -> bool:
    """Whether this call opens a stage of the trip."""
    kind = frame.f_locals.get("kind")
    if trip == "study file to loop":
        return name == "main" and file.endswith("commands/run.py")
    if trip == "export of a winner":
        return name == "main" and file.endswith("commands/export.py")
    if trip == "pruner option to decision":
        stage = (name in ("read_plugin", "build") and kind == "pruner") or name in ("pruner_of", "Loop._verdict")
        return stage and "pruned" not in passed
    once = name in ("Loop._admit", "CohortExecutor.advance", "Loop._handle") and name not in passed
    return once or (name == "Loop._commit" and "Loop._handle" in passed and name not in passed)


def importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported."""
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def watch(frame: FrameType, event: str, value: Any) -> None:
    """Follow the calls."""
    name = frame.f_code.co_qualname
    if event == "return":
        for trip in TRIPS:
            if stages[trip] is frame:
                stages[trip] = None
                passed.add(name)
                passed.update({"pruned"} if type(value).__name__ == "Prune" else ())
    if event != "call" or frame.f_code.co_filename.startswith("<"):
        return
    real = os.path.realpath(frame.f_code.co_filename)
    file = os.path.relpath(real, ROOT)
    if file.partition("/")[0] not in ("search", "objectives"):
        return
    for trip in TRIPS:
        if stages[trip] is None and begins(trip, frame, name, file):
            stages[trip] = frame
        going = stages[trip] is not None and not (trip == TRIPS[0] and "looping" in passed)
        if going and file not in paths[trip] and not importing(frame):
            paths[trip].append(file)
    if name == "Loop.run":
        passed.add("looping")


def rooms(files: list[str]) -> tuple[int, int]:
    """Rooms entered, and returns."""
    entered: list[str] = []
    for file in files:
        folder = os.path.dirname(file)
        room = file if folder == "search" else folder
        if entered[-1:] != [room]:
            entered.append(room)
    return len(set(entered)), len(entered) - len(set(entered))


def is_word(file: str) -> bool:
    """Whether a file is of the words that all share, before or after they had a room."""
    folder, name = os.path.split(file)
    return name.removesuffix(".py") in WORDS and folder in ("search", "search/terms", "search/objective")


if __name__ == "__main__":
    os.chdir(tempfile.mkdtemp())
    sys.setprofile(watch)
    run = ["run", "--study", "lr-batch", "--trials", "12", "--set", "epochs=4", "--quiet", "--storage", "s.db"]
    main([*run, "--pruner", "{successive-halving: {reduction_factor: 3}}"])
    main(["export", "--study", "lr-batch", "--storage", "s.db", "--output", "best.yaml"])
    sys.setprofile(None)
    for trip, files in paths.items():
        less = [file for file in files if not is_word(file)]
        print(f"\n{trip}: rooms and returns {rooms(files)}, without the words {rooms(less)}\n{' > '.join(files)}")
