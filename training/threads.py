"""How many threads scikit-learn may use."""

from contextlib import AbstractContextManager
from typing import Any

from threadpoolctl import threadpool_limits


def one_thread() -> AbstractContextManager[Any]:
    """For jobs of seconds: OpenMP's threads wait for each other, on a busy machine longer than the job takes."""
    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="openmp")
    return limits
