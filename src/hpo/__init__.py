"""Search the training recipe of a model: one study file, one command, an honest winner.

``hpo.run`` runs a study, ``hpo.result`` opens a stored one, ``hpo.trials`` reads it back as a table,
``hpo.from_callback`` turns a loop that calls back into an objective, ``hpo.load`` opens a trained model's folder.
Names are imported on first use, because ``hpo --help`` must not pay for optuna.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpo.search.api import Result, Trial, result, run, trials
    from hpo.search.report.modelfolder import load
    from hpo.search.running.callback import from_callback

__all__ = ["Result", "Trial", "from_callback", "load", "result", "run", "trials"]


def __getattr__(name: str) -> object:
    if name == "from_callback":
        from hpo.search.running.callback import from_callback

        return from_callback
    if name == "load":
        from hpo.search.report.modelfolder import load

        return load
    if name in __all__:
        with (
            warnings.catch_warnings()
        ):  # in a notebook Optuna's progress bars ask for widgets, which nothing here needs
            warnings.filterwarnings("ignore", "IProgress not found")
            from hpo.search import api

        return getattr(api, name)
    raise AttributeError(f"module 'hpo' has no attribute {name!r}")
