"""Stands in for ``wandb`` and ``mlflow`` in a program that is trained: what it logs is read, and sent nowhere.

A copy of this file lies under each of these names on the program's path, and imports nothing but the standard library.
Whatever else of them a program asks for is there, and does nothing. ``wandb.config`` holds the trial's recipe over what
the program puts there, as in a sweep.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import json
import os
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

_LONGEST = 4000  # bytes that a pipe takes at once, whoever else writes to it
_PLACE = os.environ.get("HPO_RECORD", "")
_recipe: dict[str, Any] = {}


class _Anything:
    """Has every attribute, can be called and entered, and does nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything()

    def __call__(self, *given: Any, **named: Any) -> Any:
        return _Anything()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __setitem__(self, name: Any, value: Any) -> None:
        return None


class _Config(dict[str, Any]):
    """Values by key and by attribute; the recipe's stand over those that a program gives."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def update(self, given: Any = None, **named: Any) -> None:  # type: ignore[override] # as wandb.config takes it
        """Take what a mapping or a parsed command line holds, and the recipe over it."""
        plain = dict(given) if isinstance(given, Mapping) else vars(given) if hasattr(given, "__dict__") else {}
        super().update({**plain, **named, **_nested(_recipe)})

    setdefaults = update


def _nested(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe, with ``optim.lr`` inside of ``optim`` too."""
    found: dict[str, Any] = dict(recipe)
    for name, value in recipe.items():
        *above, last = name.split(".")
        inner = found
        for word in above:
            inner = inner.setdefault(word, _Config())
        inner[last] = value
    return found


class Run(_Anything):
    """A run of either library."""

    id = name = "trial"

    def __init__(self) -> None:
        self.config, self.summary = config, dict[str, Any]()
        self.info = self

    def log(self, data: Any = None, *_: Any, **__: Any) -> None:
        """Log numbers by name."""
        log(data)

    def finish(self, *_: Any, **__: Any) -> None:
        """Nothing is open."""


config = _Config()
run: Run | None = None


def init(*_: Any, config: Any = None, **__: Any) -> Run:
    """Begin a run of wandb's."""
    globals()["config"].update(config)
    globals()["run"] = Run()
    assert run is not None
    return run


def start_run(*_: Any, **__: Any) -> Run:
    """Begin a run of MLflow's."""
    return Run()


def log(data: Any = None, *_: Any, **__: Any) -> None:
    """Log numbers by name: wandb's."""
    if isinstance(data, Mapping):
        _tell({str(name): value for name, value in data.items()})


def log_metric(key: str, value: Any, *_: Any, **__: Any) -> None:
    """Log one number: MLflow's."""
    _tell({key: value})


def log_metrics(metrics: Mapping[str, Any], *_: Any, **__: Any) -> None:
    """Log numbers by name: MLflow's."""
    _tell(dict(metrics))


def login(*_: Any, **__: Any) -> bool:
    """No account is needed."""
    return True


def agent(*_: Any, function: Any = None, **__: Any) -> None:
    """Run a sweep's function once, for this trial."""
    if function is not None:
        function()


def __getattr__(name: str) -> Any:
    if name.startswith("__") or not _PLACE:
        raise AttributeError(name)
    return _Anything()


def _tell(metrics: Mapping[str, Any]) -> None:
    """Write numbers to whoever reads this run."""
    numbers = {name: number for name, value in _flat(metrics) if (number := _number(value)) is not None}
    line, size = dict[str, float](), 2
    for name, number in numbers.items():
        size += len(json.dumps({name: number}))
        if line and size > _LONGEST:
            _write(line)
            line, size = {}, 2 + len(json.dumps({name: number}))
        line[name] = number
    if line or not metrics:
        _write(line)


def _flat(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values, those of mappings within it by names with dots, as W&B has them."""
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _number(value: Any) -> float | None:
    if isinstance(value, (bool, str, bytes)):
        return None
    with contextlib.suppress(TypeError, ValueError, RuntimeError, OverflowError):
        return float(value)
    return None


def _write(line: Mapping[str, float]) -> None:
    with contextlib.suppress(OSError):  # nobody reads it
        pipe = os.open(_PLACE, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.set_blocking(pipe, True)
            os.write(pipe, json.dumps(line).encode() + b"\n")
        finally:
            os.close(pipe)


class _Inside(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds ``wandb.anything``, which has every name."""

    def find_spec(self, fullname: str, *_: Any) -> importlib.machinery.ModuleSpec | None:
        """The module of a name that begins with this file's."""
        inside = fullname.startswith(f"{__name__}.")
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True) if inside else None

    def exec_module(self, module: ModuleType) -> None:
        """Give it every name."""
        module.__dict__["__getattr__"] = __getattr__


if _PLACE and __name__ in ("wandb", "mlflow"):
    __path__: list[str] = []
    sys.meta_path.append(_Inside())
    with open(os.path.join(os.path.dirname(_PLACE), "recipe.json"), encoding="utf-8") as file:
        _recipe = json.load(file)
    config.update()
    _tell({})
