"""Raw tables to the one event schema; every row that comes in is kept or quarantined with a reason, and counted."""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import duckdb
import ibis
from ibis import _

from contracts.errors import DataRejected
from contracts.events.schema import EVENT_COLUMNS, EVENT_RULES, ITEM_COLUMNS, ITEM_RULES, USER_COLUMNS, USER_RULES
from training.engine import materialized, remove
from training.engine import replace as replace_table
from training.ingest.adapters.by_name import adapter_named
from training.ingest.adapters.mapping import load_mapping
from training.ingest.adapters.source import Source, SourceOptions
from training.ingest.adapters.tables import refuse_damaged_parquet
from training.ingest.validation import broken, refuse_broken
from training.settings import IngestSettings
from training.workspace import Workspace

TRUTH = ("truth_users", "truth_items")
"""What made-up data carries for the oracle."""

FIXES = {
    "timestamp_without_zone": "Say in which zone these timestamps are: `time_zone: Europe/Paris` in the mapping file.",
    "timestamp_in_future": "If the times are local, `time_zone` in the mapping file may be wrong.",
    "unknown_event_type": "Names of your own can be mapped (ecommerce): `event_types: {bought: purchase}`.",
    "wrong_type": "Timestamps are read as ISO 8601 (2024-01-31T12:00:00Z); if they are whole numbers, say their unit: "
    "`epoch_unit: ms` in the mapping file. Numbers have a decimal point.",
    "not_utf8": "Save the file as UTF-8.",
}


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
    profiles_dropped: dict[str, dict[str, int]] = field(
        default_factory=dict
    )  # by table (users, items, item_vectors), by reason


def ingest(workspace: Workspace, settings: IngestSettings, connection: ibis.BaseBackend) -> IngestReport:
    """Writes events, users, items, quarantine and the report of the adapter that the settings name.

    Raises InvalidInput for an unknown adapter and DataRejected when nothing, or too little, is left, or where a file
    cannot be read to its end.
    """
    options = SourceOptions(settings.path, load_mapping(settings.mapping))
    try:
        return ingest_source(workspace, settings, adapter_named(settings.adapter)(connection, options), connection)
    except duckdb.Error:
        refuse_damaged_parquet(settings.path)
        raise


def ingest_source(
    workspace: Workspace, settings: IngestSettings, source: Source, connection: ibis.BaseBackend
) -> IngestReport:
    """What `ingest` does, for tables that are already there.

    Raises DataRejected when nothing, or too little, is left.
    """
    source = _limited(source, settings.max_users)
    workspace.ingested("events").parent.mkdir(parents=True, exist_ok=True)
    users = _write(_readable(source.users), USER_COLUMNS, workspace.ingested("users"), connection)
    items = _write(_readable(source.items), ITEM_COLUMNS, workspace.ingested("items"), connection)
    profiles_dropped = _quarantine_profiles(workspace, source, connection)
    _write_beside(workspace, source, connection)
    _refuse_unusable_ids(users, "user_id", "users")
    _refuse_unusable_ids(items, "item_id", "items")
    refuse_broken(users, "users", USER_COLUMNS, USER_RULES)
    refuse_broken(items, "items", ITEM_COLUMNS, ITEM_RULES)
    scratch = workspace.ingested(".judged")
    judged = materialized(_judge(source, items), scratch, connection)
    kept = judged.filter(_.reason.isnull()).order_by("event_timestamp", "event_id")
    events = _write(kept, EVENT_COLUMNS, workspace.ingested("events"), connection)
    connection.to_parquet(judged.filter(_.reason.notnull()), workspace.ingested("quarantine"))
    report = replace(_report(source, settings, judged, events, users, items), profiles_dropped=profiles_dropped)
    workspace.ingest_report.write_text(json.dumps(asdict(report), indent=2) + "\n")
    try:
        _refuse_if_too_little(report, settings)
        refuse_broken(events, "events", EVENT_COLUMNS, EVENT_RULES)
    except DataRejected:
        remove(workspace.ingested("events"))  # or the next step would go on with what was refused
        raise
    finally:
        remove(scratch)
    return report


def _limited(source: Source, max_users: int) -> Source:
    if not max_users:
        return source
    users = source.users.order_by("user_id").limit(max_users)
    return replace(source, users=users, events=source.events.semi_join(users, "user_id"))


def _judge(source: Source, items: ibis.Table) -> ibis.Table:
    """Events with a column `reason`: null for rows to keep, else the first rule that fails."""
    as_read = [name for name in ("raw",) if name in source.events.columns]
    raw = _conformed(source.events, EVENT_COLUMNS, *as_read, unreadable=_column(source.events, "reason", "string"))
    known = items.select(known_item=_.item_id)
    joined = raw.left_join(known, raw.item_id == known.known_item)
    faulty = joined.mutate(
        fault=ibis.cases(
            (joined.unreadable.notnull(), joined.unreadable),
            *((broken(rule, joined), rule.reason) for rule in EVENT_RULES),
            (joined.item_id.notnull() & joined.known_item.isnull(), "item_not_in_catalogue"),
        )
    )
    # Duplicates among good rows only: a faulty twin must not cost the good event.
    copy = ibis.row_number().over(group_by=["event_id", faulty.fault.isnull()], order_by="event_timestamp")
    return faulty.mutate(reason=ibis.cases((_.fault.notnull(), _.fault), (copy > 0, "duplicate_event_id"))).drop(
        "known_item", "fault", "unreadable"
    )


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
    replace_table(_conformed(table, columns), path, connection)
    return connection.read_parquet(path)


def _conformed(table: ibis.Table, columns: dict[str, str], *more: str, **computed: ibis.Value) -> ibis.Table:
    """The columns in their types, null where the source does not know one."""
    own = {name: _column(table, name, kind) for name, kind in columns.items()}
    return table.select(**own, **{name: table[name] for name in more}, **computed)


def _column(table: ibis.Table, name: str, kind: str) -> ibis.Value:
    return table[name].cast(kind) if name in table.columns else ibis.null(kind)


def _readable(table: ibis.Table) -> ibis.Table:
    return table.filter(_.reason.isnull()) if "reason" in table.columns else table


def _quarantine_profiles(
    workspace: Workspace, source: Source, connection: ibis.BaseBackend
) -> dict[str, dict[str, int]]:
    """Rows of each table beside the events that could not be read, by reason; they lie in quarantine_<table>."""
    dropped: dict[str, dict[str, int]] = {}
    tables = {"users": source.users, "items": source.items, "item_vectors": source.item_vectors}
    for name, table in tables.items():
        path = workspace.ingested(f"quarantine_{name}")
        remove(path)  # of an earlier run
        if table is None or "reason" not in table.columns:
            continue
        if counts := _by_reason(table):
            dropped[name] = counts
            connection.to_parquet(table.filter(_.reason.notnull()), path)
    return dropped


def _by_reason(table: ibis.Table) -> dict[str, int]:
    reasons = table.filter(_.reason.notnull()).group_by("reason").agg(rows=_.count()).order_by("reason").execute()
    return {str(reason): int(rows) for reason, rows in zip(reasons["reason"], reasons["rows"], strict=True)}


def _write_beside(workspace: Workspace, source: Source, connection: ibis.BaseBackend) -> None:
    """Tables that only some sources have; those of an earlier run must not stay."""
    for name, table in {"item_vectors": source.item_vectors, **dict.fromkeys(TRUTH), **source.truth}.items():
        if table is None:
            remove(workspace.ingested(name))
        else:
            readable = _readable(table).drop(*({"reason", "raw"} & set(table.columns)))
            replace_table(readable, workspace.ingested(name), connection)


def _report(
    source: Source,
    settings: IngestSettings,
    judged: ibis.Table,
    events: ibis.Table,
    users: ibis.Table,
    items: ibis.Table,
) -> IngestReport:
    rows_in = int(source.events.count().execute())
    dropped = _by_reason(judged)
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
    fixes = "".join(f" {fix}" for reason, fix in FIXES.items() if reason in report.events_dropped)
    if report.events_in == 0:
        raise DataRejected("The source has no events: its tables have column names and no rows.")
    if report.events_kept == 0:
        raise DataRejected(f"None of the {report.events_in} events could be used: {report.events_dropped}.{fixes}")
    for name, kept in (("users", report.users), ("items", report.items)):
        unreadable = sum(report.profiles_dropped.get(name, {}).values())
        if unreadable > settings.max_dropped_share * (unreadable + kept):
            raise DataRejected(
                f"{unreadable} of {unreadable + kept} rows of {name} could not be read "
                f"({report.profiles_dropped[name]}), more than "
                f"ingest.max_dropped_share = {settings.max_dropped_share}. "
                f"Look at quarantine_{name}.parquet."
            )
    if dropped > settings.max_dropped_share * report.events_in:
        raise DataRejected(
            f"{dropped} of {report.events_in} events were dropped ({report.events_dropped}), more than "
            f"ingest.max_dropped_share = {settings.max_dropped_share}. "
            f"Look at quarantine.parquet in data/ingested, mend the source or raise the share in params.yaml.{fixes}"
        )
