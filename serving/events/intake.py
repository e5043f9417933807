"""What clients post: durable first, acknowledged second."""

import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from contracts.errors import TandemError
from contracts.events.interactions import Interaction
from contracts.events.items import CatalogueItem
from contracts.events.log import INTERACTIONS, ITEMS
from serving.events.log import ConsumedLog, Entry
from serving.events.open_log import open_log
from serving.events.writer import EventWriter
from serving.settings import ServingSettings


class NoEventLog(TandemError):
    """Something was posted to a server that could not keep it."""

    http_status = 503


@dataclass(frozen=True)
class Intake:
    """The logs of one server and their writers."""

    interactions: ConsumedLog
    items: ConsumedLog
    interaction_writer: EventWriter
    item_writer: EventWriter

    def keep(self, events: Sequence[Interaction]) -> "Future[list[bool]]":
        """Whether each event is new, once all are durable. Raises EventLogBusy; the future EventLogError."""
        return self.interaction_writer.submit(
            [Entry(key_of(event), event.model_dump_json(exclude_none=True)) for event in events]
        )

    def change(self, items: Sequence[CatalogueItem]) -> "Future[list[bool]]":
        """Resolves once every change is durable. Raises EventLogBusy; the future EventLogError.

        A change sent twice is kept twice: the second changes nothing.
        """
        return self.item_writer.submit(
            [Entry(uuid.uuid4().hex, item.model_dump_json(exclude_unset=True)) for item in items]
        )

    def close(self) -> None:
        """Returns when everything submitted is written."""
        for writer, log in ((self.interaction_writer, self.interactions), (self.item_writer, self.items)):
            writer.close()
            log.close()


def key_of(event: Interaction) -> str:
    """What the event is kept once under: an id suppresses another event of the same user, and of nobody else.

    The length tells user and event apart, whatever is in their ids. Version 0.1 wrote the event's id alone; what
    is sent again over such an upgrade is in the log twice, and consumer and ingest take it for one.
    """
    return f"{len(event.user_id)}:{event.user_id}:{event.event_id}"


def open_intake(settings: ServingSettings) -> Intake | None:
    """The intake of a server; None without an event log.

    Raises InvalidInput, EventLogRefused or EventLogError for a log that cannot be used.
    """
    if not settings.event_log:
        return None
    interactions, items = (
        open_log(settings.event_log, stream, vouched=settings.event_log_vouched) for stream in (INTERACTIONS, ITEMS)
    )
    return Intake(interactions, items, EventWriter(interactions), EventWriter(items))


def required(intake: Intake | None) -> Intake:
    """The intake. Raises NoEventLog where the server has none."""
    if intake is None:
        raise NoEventLog(
            "This server keeps no events. Start it with TANDEM_EVENT_LOG=sqlite:///path/to/file or "
            "redis://host:port/database."
        )
    return intake
