"""One thread, and the same bits: what numerical libraries are told before, and while, they compute.

Matrices of a few hundred rows lose by threads: on a busy machine these wait for one another, a hundred times as long as
the work takes. And sums in another order have other last bits, on which decisions may turn.
"""

from __future__ import annotations

import functools
import os
from contextlib import AbstractContextManager
from typing import Any

REPRODUCIBLE = {"MKL_CBWR": "AUTO"}
"""Without it MKL, which torch computes with, picks its kernel by how many matrices come together, on AMD processors at
least; a trial would then depend on its company in a cohort. It costs nothing that was measured."""

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **REPRODUCIBLE}
"""Read by numpy, scipy, scikit-learn and torch when they are first used."""


def set_environment(settings: dict[str, str] = ENVIRONMENT) -> None:
    """Set what the user has not set, for this process and its children."""
    for name, value in settings.items():
        os.environ.setdefault(name, value)


def one_thread() -> AbstractContextManager[Any]:
    """Within this, numpy and scipy use one thread; costs some microseconds."""
    limited: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limited


@functools.cache
def _controller() -> Any:
    import scipy.linalg  # noqa: F401 - its library is another one than numpy's, and both must be there to be found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
