"""One thread that computes, so that the event loop stays free for probes."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import faiss
from threadpoolctl import threadpool_limits

P = ParamSpec("P")
R = TypeVar("R")


def new_worker() -> Executor:
    """A single thread: models and stores hold one core each, and SQLite wants one thread per connection."""
    # Requests are the parallelism; threads inside one cost 27 ms of CPU where one thread takes 9. OpenMP keeps the
    # number per calling thread, so the thread that searches sets it; NumPy's OpenBLAS takes it from the main thread.
    threadpool_limits(1, user_api="blas")
    return ThreadPoolExecutor(
        max_workers=1, thread_name_prefix="recommender", initializer=faiss.omp_set_num_threads, initargs=(1,)
    )


async def call(worker: Executor, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The function's result, computed in the worker while the event loop goes on."""
    return await asyncio.get_running_loop().run_in_executor(worker, lambda: function(*args, **kwargs))
