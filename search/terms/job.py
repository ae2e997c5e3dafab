"""What is trained, and what comes of it: a study's task, a trial's job, an executor's events."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hpo.search.terms.errors import HpoError
from hpo.search.terms.keeping import Keeping

OUTLOOK = "outlook"
"""Metric by which a point may say what its trainer believes the goal's metric is heading for."""


@dataclass(frozen=True)
class Task:
    """What every trial of a study trains: the objective and its data.

    Attributes:
        objective: reference as in the study file, paths absolute: ``mlp``, ``/x/my.py:train``, ``package.module``.
        data: name, or ``{kind: options}`` with absolute paths; None leaves the objective's own default.
        split_seed: seed of the train / validation / test split.
        folder: the study file's folder; relative paths and a command's working directory.
        device: ``cpu``, ``cuda``, ``mps`` or ``auto``; for objectives that the suite trains.
        memory_limit: MiB that a trial under ``batch_size: auto`` may take; None for a share of what the device has.
        processes: that train a trial together, each a part of every batch.
        places: GPUs of each worker process, as CUDA_VISIBLE_DEVICES says it; empty where it sees all of them.
        start_from: safetensors file (absolute) with the weights that training starts from; None for fresh ones.
        metric: the user's own, ``/x/mine.py:profit``, measured of what the models predict; None for none.
        record: what is recorded of training beside its metrics, of ``statistics.RECORDS``.
        silence: seconds without a point after which a command line counts as hung.
        metrics: of the goals; what a program prints is read for them, or for lines of JSON where there are none.
        directions: of the goals, as Optuna spells them, for scripts that ask.
        packed: the objective itself, where it is a function of the coordinating process and trains in others.
    """

    objective: str
    data: Any = None
    split_seed: int = 0
    folder: str = "."
    device: str = "cpu"
    memory_limit: int | None = None
    processes: int = 1
    start_from: str | None = None
    metric: str | None = None
    places: tuple[str, ...] = ()
    silence: float = 600.0
    record: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    directions: tuple[str, ...] = ()
    packed: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Judged:
    """What trials are judged by while they train.

    Attributes:
        metric: the goal's.
        steps: after which somebody decides on a trial; one at least.
    """

    metric: str
    steps: Collection[int]


@dataclass(frozen=True)
class Job:
    """One trial to train.

    Attributes:
        number: the trial's number in the study.
        recipe: every knob value, fixed ones and ``seed`` included.
        done: step of the last point recorded already, 0 when there is none; no point up to it is reported.
        checkpoints: folder or location for the trial's checkpoints, see ``running.places``; None where it has none.
        keeping: how often they are kept, and up to which size.
        log: file that takes what the trial prints; None leaves it on the screen.
        judged: what it is judged by on the way; None where nobody does.
        predict_for: goals as a study file has them, where what its model predicts on the validation part is wanted.
    """

    number: int
    recipe: Mapping[str, Any]
    done: int = 0
    checkpoints: str | None = None
    log: str | None = None
    keeping: Keeping = field(default_factory=Keeping)
    predict_for: tuple[str, ...] = ()
    judged: Judged | None = None


@dataclass(frozen=True)
class Point:
    """A trial yielded its next point: steps grow, from 1 on; ``seconds`` is what this point alone cost this lane."""

    number: int
    step: int
    metrics: Mapping[str, float]
    seconds: float = 0.0


@dataclass(frozen=True)
class Finished:
    """A trial's curve is complete.

    Attributes:
        model: whether it left a model that can be tested, None if unknown.
        predicted: ``contracts.predicted.Predicted`` of the model that its value stands for, on the validation part,
            where the job asked for it and there is any.
    """

    number: int
    model: bool | None = field(default=None, compare=False)
    predicted: Any = field(default=None, compare=False)


@dataclass(frozen=True)
class Failed:
    """A trial raised: one-line reason, and the traceback's frames for ``hpo show``.

    ``fatal`` says that neither this trial is to blame nor could another do better, because data cannot be read or a
    disk is full: the search stops with this error, and its next run takes the trial up.
    """

    number: int
    reason: str
    detail: str = ""
    fatal: type[HpoError] | None = None


@dataclass(frozen=True)
class Lost:
    """A trial's worker died under it; the loop admits it again or gives up.

    ``fault`` says that the trial may have been the cause; where its machine went it was not, and that is no death.
    """

    number: int
    reason: str
    fault: bool = True


Event: TypeAlias = "Point | Finished | Failed | Lost"
