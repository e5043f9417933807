"""`python -m serving.events`: posted events to the online store, until a signal; the same TANDEM_* settings."""

import signal
import sys
import threading
from collections.abc import Callable

from prometheus_client import CollectorRegistry, start_http_server

from contracts.errors import InvalidInput, TandemError
from contracts.events.log import INTERACTIONS
from serving.events.metrics import ConsumerMetrics
from serving.events.open_consumer import new_consumer
from serving.events.open_log import open_log
from serving.runtime.screen import keep_libraries_quiet
from serving.settings import ServingSettings, read_settings


def consume(settings: ServingSettings, ready: Callable[[], None] = lambda: None) -> None:
    """Applies events until SIGTERM or SIGINT; the micro-batch in hand is finished first. Metrics are on consumer_port.

    Raises InvalidInput without an event log, TandemError where log or feature store cannot be used.
    """
    if not settings.event_log:
        raise InvalidInput("There is no event log to consume. Name one with TANDEM_EVENT_LOG.")
    log = open_log(settings.event_log, INTERACTIONS, vouched=settings.event_log_vouched)
    registry = CollectorRegistry()
    consumer = new_consumer(settings, log, ConsumerMetrics(registry))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server, thread = start_http_server(settings.consumer_port, addr=settings.host, registry=registry)
    ready()
    consumer.run(stop)
    server.shutdown()
    server.server_close()
    thread.join()
    log.close()


def main() -> int:
    """Exit code 2 with one line where it cannot start."""
    keep_libraries_quiet()
    try:
        consume(read_settings())
    except TandemError as error:
        sys.stderr.write(f"tandem: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
