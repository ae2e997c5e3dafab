"""The dashboard over a store whose studies may be deleted and made anew while it is open."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from optuna.trial import FrozenTrial

    from hpo.search.store import Store

_STUDY = re.compile(r"/(?:api/studies|csv)/(\d+)")


class Live:
    """optuna-dashboard as a WSGI application, built anew when a study that it remembers was replaced.

    SQLite gives the ids of deleted studies and trials out again, and Optuna's cache takes what it has once read under
    an id for final: after ``hpo run --fresh`` the page would show the old trials for ever. A study is taken for
    another one when its first trial did not start at the same moment.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._probe = store.storage()  # reads single trials, which it does not remember
        self._lock = threading.Lock()
        self._build()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        study = _STUDY.match(environ.get("PATH_INFO", ""))
        if study is not None:
            with self._lock:
                if self._replaced(int(study[1])):
                    self._build()
        return self._app(environ, start_response)

    def complete(self, study_id: int) -> Sequence[FrozenTrial]:
        """Complete trials of a study, none when there is no such study."""
        from optuna.trial import TrialState

        try:
            return self._storage.get_all_trials(study_id, deepcopy=False, states=(TrialState.COMPLETE,))
        except KeyError:
            return ()

    def _build(self) -> None:
        from optuna_dashboard import wsgi

        self._storage = self._store.storage()
        self._app: WSGIApplication = wsgi(self._storage)
        self._first: dict[int, FrozenTrial] = {}

    def _replaced(self, study_id: int) -> bool:
        known = self._first.get(study_id)
        try:
            if known is not None:
                return self._probe.get_trial(known._trial_id).datetime_start != known.datetime_start
            trial_id = self._probe.get_trial_id_from_study_id_trial_number(study_id, 0)
            self._first[study_id] = self._probe.get_trial(trial_id)
        except KeyError:
            return known is not None
        return False
