"""How many threads scikit-learn may use."""

from contextlib import AbstractContextManager
from typing import Any

from threadpoolctl import threadpool_limits


def one_thread() -> AbstractContextManager[Any]:
    """OpenMP's threads wait for each other by spinning: on a busy machine two take minutes where one takes seconds."""
    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="openmp")
    return limits
