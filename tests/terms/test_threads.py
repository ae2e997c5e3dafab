from typing import Any

import numpy as np
import scipy.linalg
from threadpoolctl import threadpool_info, threadpool_limits

from hpo.search.contracts.policy import View
from hpo.search.curves.thaw import Settings
from hpo.search.policies.common.thawing import FreezeThaw
from hpo.search.terms.domain import Float
from hpo.search.terms.space import Parameter, Space
from hpo.search.terms.threads import one_thread
from hpo.search.terms.trial import Trial


def threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_numpy_and_scipy_use_one_thread_inside_and_as_many_as_before_outside() -> None:
    scipy.linalg.cholesky(np.eye(3))
    with threadpool_limits(2, user_api="blas"):
        with one_thread():
            assert threads() == {1}
        assert threads() == {2}


def test_freeze_thaw_decides_in_one_thread() -> None:
    seen: list[set[int]] = []

    class Watched(FreezeThaw):
        def _turn(self, *given: Any) -> Any:
            seen.append(threads())
            return super()._turn(*given)

    space = Space((Parameter("x", Float(0.0, 1.0)),))
    trials = [Trial(i, {"x": i / 12}, [(1, float(i))], "paused") for i in range(12)]
    with threadpool_limits(2, user_api="blas"):
        Watched(Settings()).next(View(space, {}, "minimize", 0, 9, trials))
    assert seen == [{1}]
