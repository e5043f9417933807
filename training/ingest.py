"""Raw tables to the one event schema; every row that comes in is kept or quarantined with a reason, and counted."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import ibis
from ibis import _

from contracts.errors import DataRejected
from contracts.events import EVENT_COLUMNS, ITEM_COLUMNS, USER_COLUMNS, EventType
from training.adapters import Source, adapter_named
from training.settings import IngestSettings
from training.workspace import Workspace


@dataclass(frozen=True)
class IngestReport:
    """Data quality of one ingest: events_in == events_kept + sum of events_dropped."""

    adapter: str
    time_zone: str
    notices: tuple[str, ...]
    events_in: int
    events_kept: int
    events_dropped: dict[str, int]  # by reason
    users: int
    items: int
    users_not_in_table: int  # users with events and no row in the users table; their events are kept
    users_without_profile: int
    items_without_events: int
    first_event: str  # ISO 8601, UTC
    last_event: str


def ingest(workspace: Workspace, settings: IngestSettings, connection: ibis.BaseBackend) -> IngestReport:
    """Writes events, users, items, quarantine and the report of the adapter that the settings name.

    Raises InvalidInput for an unknown adapter and DataRejected when nothing, or too little, is left.
    """
    return ingest_source(workspace, settings, adapter_named(settings.adapter)(connection), connection)


def ingest_source(
    workspace: Workspace, settings: IngestSettings, source: Source, connection: ibis.BaseBackend
) -> IngestReport:
    """What `ingest` does, for tables that are already there.

    Raises DataRejected when nothing, or too little, is left.
    """
    source = _limited(source, settings.max_users)
    workspace.ingested("events").parent.mkdir(parents=True, exist_ok=True)
    users = _write(source.users, USER_COLUMNS, workspace.ingested("users"), connection)
    items = _write(source.items, ITEM_COLUMNS, workspace.ingested("items"), connection)
    _refuse_unusable_ids(users, "user_id", "users")
    _refuse_unusable_ids(items, "item_id", "items")
    judged = connection.create_table("judged_events", _judge(source, items), temp=True)
    kept = judged.filter(_.reason.isnull()).order_by("event_timestamp", "event_id")
    events = _write(kept, EVENT_COLUMNS, workspace.ingested("events"), connection)
    connection.to_parquet(judged.filter(_.reason.notnull()), workspace.ingested("quarantine"))
    report = _report(source, settings, judged, events, users, items)
    workspace.ingest_report.write_text(json.dumps(asdict(report), indent=2) + "\n")
    try:
        _refuse_if_too_little(report, settings)
    except DataRejected:
        workspace.ingested("events").unlink()  # or the next step would go on with what was refused
        raise
    return report


def _limited(source: Source, max_users: int) -> Source:
    if not max_users:
        return source
    users = source.users.order_by("user_id").limit(max_users)
    return replace(source, users=users, events=source.events.semi_join(users, "user_id"))


def _judge(source: Source, items: ibis.Table) -> ibis.Table:
    """Events with a column `reason`: null for rows to keep, else the first rule that fails."""
    raw = source.events.select(**{name: _[name].cast(kind) for name, kind in EVENT_COLUMNS.items()})
    known = items.select(known_item=_.item_id)
    joined = raw.left_join(known, raw.item_id == known.known_item)
    names = [event_type.value for event_type in EventType]
    faulty = joined.mutate(
        fault=ibis.cases(
            (_.event_id.isnull() | _.user_id.isnull() | _.item_id.isnull(), "missing_id"),
            (_.event_timestamp.isnull(), "missing_timestamp"),
            (_.event_type.isnull() | ~_.event_type.isin(names), "unknown_event_type"),
            (_.quantity.isnull() | (_.quantity <= 0), "quantity_not_positive"),
            (_not_finite(_.price) | _not_finite(_.discount), "money_not_finite"),
            ((_.price < 0) | (_.discount < 0), "negative_money"),
            (_.known_item.isnull(), "item_not_in_catalogue"),
        )
    )
    # Duplicates among good rows only: a faulty twin must not cost the good event.
    copy = ibis.row_number().over(group_by=["event_id", faulty.fault.isnull()], order_by="event_timestamp")
    return faulty.mutate(reason=ibis.cases((_.fault.notnull(), _.fault), (copy > 0, "duplicate_event_id"))).drop(
        "known_item", "fault"
    )


def _not_finite(money: ibis.Deferred) -> ibis.Deferred:
    return (money.isnan() | money.isinf()).fill_null(False)


def _refuse_unusable_ids(table: ibis.Table, key: str, name: str) -> None:
    """Raises DataRejected where ids are null or not distinct: joins on them would lose or multiply events."""
    counts = table.agg(rows=_.count(), known=_[key].count(), distinct=_[key].nunique()).execute().iloc[0]
    if not counts["rows"] == counts["known"] == counts["distinct"]:
        raise DataRejected(
            f"The {name} table has {counts['rows']} rows, {counts['rows'] - counts['known']} of them without {key}, "
            f"and {counts['distinct']} distinct ids. Each row must have an id of its own."
        )


def _write(table: ibis.Table, columns: dict[str, str], path: Path, connection: ibis.BaseBackend) -> ibis.Table:
    """The table as written: exactly the contract's columns in the contract's types."""
    expression = table.select(**{name: _[name].cast(kind) for name, kind in columns.items()})
    connection.to_parquet(expression, path)
    return connection.read_parquet(path)


def _report(
    source: Source,
    settings: IngestSettings,
    judged: ibis.Table,
    events: ibis.Table,
    users: ibis.Table,
    items: ibis.Table,
) -> IngestReport:
    rows_in = int(source.events.count().execute())
    reasons = judged.filter(_.reason.notnull()).group_by("reason").agg(rows=_.count()).order_by("reason").execute()
    dropped = {str(reason): int(rows) for reason, rows in zip(reasons["reason"], reasons["rows"], strict=True)}
    kept = int(events.count().execute())
    if rows_in != kept + sum(dropped.values()):
        raise AssertionError(f"{rows_in} events came in, {kept} were kept and {dropped} dropped: rows were lost.")
    profiled = [column for column in USER_COLUMNS if column != "user_id"]
    no_profile = users.filter(ibis.and_(*(users[column].isnull() for column in profiled)))
    span = events.agg(first=_.event_timestamp.min(), last=_.event_timestamp.max()).execute().iloc[0]
    return IngestReport(
        adapter=settings.adapter,
        time_zone=source.time_zone,
        notices=source.notices,
        events_in=rows_in,
        events_kept=kept,
        events_dropped=dropped,
        users=int(users.count().execute()),
        items=int(items.count().execute()),
        users_not_in_table=int(events.anti_join(users, "user_id").user_id.nunique().execute()),
        users_without_profile=int(no_profile.count().execute()),
        items_without_events=int(items.anti_join(events, "item_id").count().execute()),
        first_event=span["first"].isoformat() if kept else "",
        last_event=span["last"].isoformat() if kept else "",
    )


def _refuse_if_too_little(report: IngestReport, settings: IngestSettings) -> None:
    dropped = report.events_in - report.events_kept
    if report.events_kept == 0:
        raise DataRejected(f"None of the {report.events_in} events could be used: {report.events_dropped}.")
    if dropped > settings.max_dropped_share * report.events_in:
        raise DataRejected(
            f"{dropped} of {report.events_in} events were dropped ({report.events_dropped}), more than "
            f"ingest.max_dropped_share = {settings.max_dropped_share}. Look at the quarantine file beside the report, "
            "mend the source or raise the share in params.yaml."
        )
