"""The ingested events, each with the shop's local day and hour."""

import json
from dataclasses import dataclass
from pathlib import Path

import ibis
from ibis import _

from contracts.errors import DataRejected, MissingArtifact
from contracts.events.schema import EventType
from contracts.features.names import DAY_SECONDS
from training.engine import read_parquet
from training.ingest.report import IngestReport
from training.local_time import local_seconds
from training.workspace import Workspace, require


@dataclass(frozen=True)
class EventLog:
    """Events with seconds (Unix), local_day (days since 1970-01-01) and hour; users and items as ingested."""

    events: ibis.Table
    users: ibis.Table
    items: ibis.Table
    report: IngestReport
    event_counts: dict[str, int]  # by event type, only those that occur
    first_day: int
    last_day: int

    @property
    def purchases(self) -> ibis.Table:
        """Purchase lines; `basket` is the basket id, or user and moment where the source knows no baskets."""
        moment = _.user_id.concat("@", _.seconds.cast("string"))
        return self.events.filter(_.event_type == EventType.PURCHASE.value).mutate(
            basket=ibis.coalesce(_.basket_id, moment), paid=_.price * _.quantity
        )

    @property
    def lines(self) -> int:
        """Purchase lines."""
        return self.event_counts.get(EventType.PURCHASE.value, 0)


def read_event_log(workspace: Workspace, connection: ibis.BaseBackend) -> EventLog:
    """The log of a workspace.

    Raises MissingArtifact where nothing was ingested, or by another version, and DataRejected where no event was kept.
    """
    tables = [
        read_parquet(connection, require(workspace.ingested(name), "tandem ingest"))
        for name in ("events", "users", "items")
    ]
    report = _read_report(workspace.ingest_report)
    if report.events_kept == 0:
        raise DataRejected("The ingested log has no events. See data/ingested/report.json for why, then ingest again.")
    events = _with_local_time(tables[0], report.time_zone)
    counts = events.group_by("event_type").agg(events=_.count()).execute()
    span = events.agg(first=_.local_day.min(), last=_.local_day.max()).execute().iloc[0]
    return EventLog(
        events=events,
        users=tables[1],
        items=tables[2],
        report=report,
        event_counts={str(kind): int(n) for kind, n in zip(counts["event_type"], counts["events"], strict=True)},
        first_day=int(span["first"]),
        last_day=int(span["last"]),
    )


def _read_report(path: Path) -> IngestReport:
    try:
        return IngestReport(**json.loads(require(path, "tandem ingest").read_text()))
    except TypeError as error:
        raise MissingArtifact(f"{path} is of another version of Tandem. Run `tandem ingest` again.") from error


def _with_local_time(events: ibis.Table, time_zone: str) -> ibis.Table:
    timed = events.mutate(seconds=_.event_timestamp.epoch_seconds().cast("int64"))
    span = timed.agg(first=_.seconds.min(), last=_.seconds.max()).execute().iloc[0]
    local = timed.mutate(local=local_seconds(int(span["first"]), int(span["last"]), time_zone))
    return local.mutate(
        local_day=(_.local // DAY_SECONDS).cast("int64"), hour=((_.local % DAY_SECONDS) // 3600).cast("int64")
    )
