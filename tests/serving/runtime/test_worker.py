"""The thread that computes, with real libraries."""

from threadpoolctl import threadpool_info, threadpool_limits

from serving.runtime.worker import new_worker


def numpy_threads() -> set[int]:
    """Of NumPy's own OpenBLAS; FAISS brings another, which keeps to the number of OpenMP's threads."""
    return {pool["num_threads"] for pool in threadpool_info() if pool.get("threading_layer") == "pthreads"}


def test_a_worker_multiplies_with_one_thread() -> None:
    with threadpool_limits(2, user_api="blas"):
        assert numpy_threads() == {2}
        with new_worker() as worker:
            assert worker.submit(numpy_threads).result() == {1}
