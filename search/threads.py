"""Linear algebra in one thread.

Matrices of a few hundred rows lose by threads: on a busy machine these wait for one another, a hundred times as long as
the work takes. And sums in another order have other last bits, on which decisions may turn.
"""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from typing import Any

from threadpoolctl import ThreadpoolController


def one_thread() -> AbstractContextManager[Any]:
    """Within this, numpy and scipy use one thread; costs some microseconds."""
    limited: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limited


@functools.cache
def _controller() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401 - its library is another one than numpy's, and both must be there to be found

    return ThreadpoolController()
