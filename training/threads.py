"""How many threads numerical libraries may use."""

from contextlib import AbstractContextManager
from typing import Any

from threadpoolctl import threadpool_limits


def one_thread() -> AbstractContextManager[Any]:
    """For jobs of seconds: OpenMP's threads wait for each other, on a busy machine longer than the job takes."""
    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="openmp")
    return limits


def one_blas_thread() -> AbstractContextManager[Any]:
    """The same for dense algebra: with two threads on two busy cores an inversion took ten times as long."""
    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return limits
