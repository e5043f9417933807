"""Group commit: events of all requests that wait go to the disk together, and each request hears of its own."""

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future

from serving.events.log import Appendable, Entry, EventLogError

MAX_TOGETHER = 5000
"""Entries of one commit."""
MAX_WAITING = 20_000
"""Entries that may wait; beyond it requests are turned away instead of piling up in memory."""


class EventLogBusy(EventLogError):
    """More waits than the disk can take; nothing of the request was kept."""


class EventWriter:
    """One thread that appends what many requests submit."""

    def __init__(self, log: Appendable) -> None:
        self._log = log
        self._submitted: queue.SimpleQueue[tuple[Sequence[Entry], Future[list[bool]]] | None] = queue.SimpleQueue()
        self._waiting = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="event-writer", daemon=True)
        self._thread.start()

    def submit(self, entries: Sequence[Entry]) -> "Future[list[bool]]":
        """Whether each entry is new, once all are durable; an EventLogError where they could not be made so.

        Raises EventLogBusy while too many wait.
        """
        with self._lock:
            if self._waiting + len(entries) > MAX_WAITING:
                raise EventLogBusy(f"{self._waiting} events wait for the disk. Send these again in a second.")
            self._waiting += len(entries)
        future: Future[list[bool]] = Future()
        self._submitted.put((entries, future))
        return future

    def close(self) -> None:
        """Returns when everything submitted is written."""
        self._submitted.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._submitted.get()) is not None:
            together, last = [first], False
            while sum(len(entries) for entries, _ in together) < MAX_TOGETHER and not last:
                try:
                    following = self._submitted.get_nowait()
                except queue.Empty:
                    break
                last = following is None
                if following is not None:
                    together.append(following)
            self._commit(together)
            if last:
                return

    def _commit(self, together: Sequence[tuple[Sequence[Entry], "Future[list[bool]]"]]) -> None:
        everything = [entry for entries, _ in together for entry in entries]
        # A client that has hung up has cancelled its future; its events are kept like all others.
        listening = [future.set_running_or_notify_cancel() for _, future in together]
        kept: list[bool] = []
        failure: BaseException | None = None
        try:
            kept = self._log.append(everything)
        except Exception as error:  # noqa: BLE001  whatever it was, each request must hear that its events are not kept
            failure = error
        at = 0
        for (entries, future), hears in zip(together, listening, strict=True):
            if hears and failure:
                future.set_exception(failure)
            elif hears:
                future.set_result(kept[at : at + len(entries)])
            at += len(entries)
        with self._lock:
            self._waiting -= len(everything)
