"""Runs the parts of an answer that can fail, each under a breaker of its own."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from contracts.api.answers import Reason
from serving.metrics import Metrics
from serving.resilience.breaker import Breaker, BreakerOpen

GUARDED: Final = (Reason.ONLINE_STORE, Reason.QUERY_TOWER, Reason.INDEX, Reason.RANKER)
DEFAULT_FAILURES: Final = 3
DEFAULT_RETRY_SECONDS: Final = 1.0
log = logging.getLogger(__name__)


class PartFailed(Exception):
    """A part of the answer cannot be had now; the answer is made without it."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class CircuitBreakers:
    """Breakers by what they protect from."""

    def __init__(
        self, metrics: Metrics, failures: int = DEFAULT_FAILURES, retry_seconds: float = DEFAULT_RETRY_SECONDS
    ) -> None:
        self._breakers = {
            reason: Breaker(failures, retry_seconds, partial(metrics.breaker, reason)) for reason in GUARDED
        }
        for reason in GUARDED:
            metrics.breaker(reason, False)

    @contextmanager
    def part(self, reason: Reason, subject: str = "") -> Iterator[None]:
        """Runs the block. Raises PartFailed where it fails, or has failed so lately that it is not tried.

        subject: the version of the bundle whose part it is.
        """
        try:
            with self._breakers[reason].guard(subject):
                yield
        except BreakerOpen as error:
            raise PartFailed(reason) from error
        except Exception as error:  # FAISS, ONNX Runtime and every store have exceptions of their own
            log.warning("%s failed, answers go on without: %s: %s", reason.value, type(error).__name__, error)
            raise PartFailed(reason) from error
