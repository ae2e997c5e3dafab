"""Search the training recipe of a model: one study file, one command, an honest winner.

``hpo.run`` runs a study, ``hpo.trials`` reads one back as a table, ``hpo.from_callback`` turns a loop that calls
back into an objective, ``hpo.load`` opens a trained model's folder. Names are imported on first use, because
``hpo --help`` must not pay for optuna.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpo.search.api import Result, run, trials
    from hpo.search.report.modelfolder import load
    from hpo.search.running.callback import from_callback

__all__ = ["Result", "from_callback", "load", "run", "trials"]


def __getattr__(name: str) -> object:
    if name == "from_callback":
        from hpo.search.running.callback import from_callback

        return from_callback
    if name == "load":
        from hpo.search.report.modelfolder import load

        return load
    if name in __all__:
        from hpo.search import api

        return getattr(api, name)
    raise AttributeError(f"module 'hpo' has no attribute {name!r}")
