"""Runs the parts of an answer that can fail, each under a breaker of its own."""

import logging
from functools import partial
from types import TracebackType
from typing import Final

from contracts.api.answers import Reason
from serving.metrics import Metrics
from serving.resilience.breaker import Breaker, BreakerOpen, Guarded

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

    def part(self, reason: Reason, subject: str = "") -> "Part":
        """Runs a block. Raises PartFailed where it fails, or has failed so lately that it is not tried.

        subject: the version of the bundle whose part it is.
        """
        return Part(reason, self._breakers[reason].guard(subject))


class Part:
    """The block of one part."""

    __slots__ = ("_guarded", "_reason")

    def __init__(self, reason: Reason, guarded: Guarded) -> None:
        self._reason = reason
        self._guarded = guarded

    def __enter__(self) -> None:
        try:
            self._guarded.__enter__()
        except BreakerOpen as error:
            raise PartFailed(self._reason) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._guarded.__exit__(kind, error, trace)
        if isinstance(error, Exception):  # FAISS, ONNX Runtime and every store have exceptions of their own
            failed = f"{type(error).__name__}: {error}"
            log.warning("%s failed, answers go on without: %s", self._reason.value, failed)
            raise PartFailed(self._reason) from error
