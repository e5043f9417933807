"""Looks every second whether something else should serve."""

import logging
import threading

from serving.bundles.live_releases import LiveReleases

INTERVAL_SECONDS = 1.0


class Watch(threading.Thread):
    """A thread that refreshes releases until the process ends or it is stopped."""

    def __init__(self, releases: LiveReleases, interval_seconds: float = INTERVAL_SECONDS) -> None:
        super().__init__(name="release-watch", daemon=True)
        self._releases = releases
        self._interval_seconds = interval_seconds
        self._stopped = threading.Event()

    def run(self) -> None:
        """Refreshes; an error is logged, and the next look follows all the same."""
        while not self._stopped.wait(self._interval_seconds):
            try:
                self._releases.refresh()
            except Exception:
                logging.getLogger(__name__).exception("Looking for another bundle failed.")

    def stop(self) -> None:
        """Ends the thread and waits for it."""
        self._stopped.set()
        self.join()
