"""Raw tables to the one event schema; every row that comes in is kept or quarantined with a reason, and counted."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import ibis
from ibis import _

from contracts.erasure.suppression import SuppressionList
from contracts.errors import DataRejected, InvalidInput
from contracts.events.schema import (
    EVENT_COLUMNS,
    EVENT_RULES,
    ITEM_COLUMNS,
    ITEM_RULES,
    USER_COLUMNS,
    USER_RULES,
)
from training.engine import is_of_the_machine, materialized, read_parquet, remove
from training.engine import replace as replace_table
from training.ingest.adapters.by_name import adapter_named
from training.ingest.adapters.mapping import load_mapping
from training.ingest.adapters.source import CANCEL, RETURN, Source, SourceOptions
from training.ingest.adapters.tables import named_in, users_of
from training.ingest.dropped import example, quarantined
from training.ingest.files.parquet import refuse_damaged_parquet
from training.ingest.judge import cancelled, judge, with_faults
from training.ingest.oddities import oddities
from training.ingest.profiles import NOTES, judged, with_everybody
from training.ingest.report import IngestReport, left_out, refuse_if_too_little
from training.ingest.suppressed import without_erased
from training.ingest.validation import refuse_broken
from training.settings import Copies, IngestSettings
from training.workspace import Workspace

TRUTH = ("truth_users", "truth_items")
"""What made-up data carries for the oracle."""
AFTER_LAST_DAY = "after_last_day"
SECTIONS = {"users": "users", "items": "products"}


def ingest(
    workspace: Workspace,
    settings: IngestSettings,
    connection: ibis.BaseBackend,
    erased: SuppressionList | None = None,
    *,
    dry_run: bool = False,
) -> IngestReport:
    """Writes events, users, items, quarantine and the report of the adapter that the settings name.

    dry_run: nobody will find what is written, and a refusal does not name it.

    Raises InvalidInput for an unknown adapter and DataRejected when nothing, or too little, is left, or where a file
    cannot be read to its end.
    """
    options = SourceOptions(settings.path, load_mapping(settings.mapping))
    read = adapter_named(settings.adapter)

    def ingested(options: SourceOptions) -> IngestReport:
        return ingest_source(workspace, settings, read(connection, options), connection, erased, dry_run=dry_run)

    try:
        return ingested(options)
    except duckdb.Error:
        if settings.path:
            refuse_damaged_parquet(settings.path)
    try:  # a value that the engine stops at, like text that is not UTF-8: now each is looked at
        return ingested(replace(options, careful=True))
    except duckdb.Error as error:
        if is_of_the_machine(error):
            raise
        said = " ".join(str(error).split())
        raise DataRejected(f"{settings.path or settings.adapter} cannot be read by the engine: {said}") from error


def judge_only(
    settings: IngestSettings, connection: ibis.BaseBackend, erased: SuppressionList | None = None
) -> IngestReport:
    """The report that `ingest` would write, and no file of it.

    Raises as `ingest` does.
    """
    with tempfile.TemporaryDirectory(prefix="tandem-dry-run-") as folder:
        return ingest(Workspace(Path(folder)), settings, connection, erased, dry_run=True)


def ingest_source(
    workspace: Workspace,
    settings: IngestSettings,
    source: Source,
    connection: ibis.BaseBackend,
    erased: SuppressionList | None = None,
    *,
    dry_run: bool = False,
) -> IngestReport:
    """What `ingest` does, for tables that are already there. erased: whose rows are left out; default: the workspace's.

    Raises DataRejected when nothing, or too little, is left.
    """
    source, suppressed = without_erased(source, erased or SuppressionList(workspace.erasures))
    source = _limited(source, settings.max_users)
    workspace.ingested("events").parent.mkdir(parents=True, exist_ok=True)
    scratch = [workspace.ingested(name) for name in (".judged", ".judged_users", ".judged_items", ".faulty", ".found")]
    own_users = None
    if source.users is not None:
        own_users = materialized(judged(source.users, "user_id", USER_COLUMNS, USER_RULES), scratch[1], connection)
    own_items = materialized(judged(source.items, "item_id", ITEM_COLUMNS, ITEM_RULES), scratch[2], connection)
    items = _write(_readable(own_items), ITEM_COLUMNS, workspace.ingested("items"), connection)
    profiles = {"users": own_users, "items": own_items, "item_vectors": source.item_vectors}
    profiles_dropped = _quarantine_profiles(workspace, profiles, connection)
    _write_optional_tables(workspace, source, connection)
    if own_users is not None:
        _refuse_unusable_ids(_readable(own_users), "user_id", "users")
    _refuse_unusable_ids(items, "item_id", "items")
    refuse_broken(items, "items", ITEM_COLUMNS, ITEM_RULES)
    keep_copies = settings.exact_copies is Copies.KEEP
    # What is read several times is written first: an engine would read and parse the source as often.
    faulty = materialized(with_faults(source, items), scratch[3], connection)
    if own_users is None:
        own_users = materialized(_conformed(named_in(faulty, "fault"), USER_COLUMNS), scratch[1], connection)
    found = judge(faulty, keep_copies=keep_copies)
    found = _until(found, settings.last_day, source.time_zone)
    if source.returns == CANCEL:
        found = cancelled(materialized(found, scratch[4], connection), keep_copies=keep_copies)
    rows = materialized(found, scratch[0], connection)
    kept = rows.filter(_.reason.isnull()).order_by("event_timestamp", "event_id")
    events = _write(kept, EVENT_COLUMNS, workspace.ingested("events"), connection)
    everybody = with_everybody(_readable(own_users), events, USER_COLUMNS)
    users = _write(everybody, USER_COLUMNS, workspace.ingested("users"), connection)
    refuse_broken(users, "users", USER_COLUMNS, USER_RULES)
    connection.to_parquet(quarantined(rows), workspace.ingested("quarantine"))
    report = _report(source, settings, faulty, rows, events, users, items)
    report = replace(
        report,
        events_in=report.events_in + suppressed.events,
        events_suppressed=suppressed.events,
        users_suppressed=suppressed.users,
        profiles_dropped=profiles_dropped,
        users_not_in_table=int(events.anti_join(_readable(own_users), "user_id").user_id.nunique().execute()),
        warnings=(*source.warnings, *left_out(report), *oddities(events)),
    )
    workspace.ingest_report.write_text(json.dumps(asdict(report), indent=2) + "\n")
    try:
        faulty = {"events": rows, "users": own_users, "items": own_items}
        refuse_if_too_little(report, settings, partial(example, faulty, source.kinds), dry_run=dry_run)
        refuse_broken(events, "events", EVENT_COLUMNS, EVENT_RULES)
    except DataRejected:
        remove(workspace.ingested("events"))  # or the next step would go on with what was refused
        raise
    finally:
        for path in scratch:
            remove(path)
    return report


def _limited(source: Source, max_users: int) -> Source:
    """The first users by id, of the table and of the events."""
    if not max_users:
        return source
    users = users_of(source)
    everybody = users.select("user_id").union(source.events.select("user_id")).distinct()
    chosen = everybody.filter(_.user_id.notnull()).order_by("user_id").limit(max_users)
    return replace(
        source,
        users=users.filter(_.user_id.isin(chosen.user_id)),  # Ibis refuses a semi-join of what is a join itself
        events=source.events.filter(_.user_id.isin(chosen.user_id)),
    )


def _until(events: ibis.Table, last_day: str, time_zone: str) -> ibis.Table:
    """Events after the last day of the settings, in the shop's zone, are left out with a reason; returns, too.

    Raises InvalidInput for a text that is not a day.
    """
    if not last_day:
        return events
    try:
        day = date.fromisoformat(last_day)
        end = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(time_zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:  # the last day of all has none after it
        raise InvalidInput(f"ingest.last_day is {last_day!r}, expected a day like 2024-01-31.") from error
    late = (events.reason.isnull() | (events.reason == RETURN)) & (events.event_timestamp >= ibis.timestamp(end))
    return events.mutate(reason=ibis.ifelse(late, AFTER_LAST_DAY, events.reason))


def _refuse_unusable_ids(table: ibis.Table, key: str, name: str) -> None:
    """Raises DataRejected where ids are null or not distinct: joins on them would lose or multiply events."""
    counts = table.agg(rows=_.count(), known=_[key].count(), distinct=_[key].nunique()).execute().iloc[0]
    if not counts["rows"] == counts["known"] == counts["distinct"]:
        raise DataRejected(
            f"The {name} table has {counts['rows']} rows, {counts['rows'] - counts['known']} of them without {key}, "
            f"and {counts['distinct']} distinct ids. Each row must have an id of its own; where a file says several "
            f"things of one id (ecommerce), say which counts: `{SECTIONS[name]}: {{repeated: most_frequent}}`."
        )


def _write(table: ibis.Table, columns: dict[str, str], path: Path, connection: ibis.BaseBackend) -> ibis.Table:
    """The table as written: exactly the contract's columns in the contract's types."""
    replace_table(_conformed(table, columns), path, connection)
    return read_parquet(connection, path)


def _conformed(table: ibis.Table, columns: dict[str, str], *more: str, **computed: ibis.Value) -> ibis.Table:
    """The columns in their types, null where the source does not know one."""
    own = {name: _column(table, name, kind) for name, kind in columns.items()}
    return table.select(**own, **{name: table[name] for name in more}, **computed)


def _column(table: ibis.Table, name: str, kind: str) -> ibis.Value:
    return table[name].cast(kind) if name in table.columns else ibis.null(kind)


def _readable(table: ibis.Table) -> ibis.Table:
    return table.filter(_.reason.isnull()) if "reason" in table.columns else table


def _quarantine_profiles(
    workspace: Workspace, tables: Mapping[str, ibis.Table | None], connection: ibis.BaseBackend
) -> dict[str, dict[str, int]]:
    """Rows of each table other than the events that could not be read, by reason; they lie in quarantine_<table>."""
    dropped: dict[str, dict[str, int]] = {}
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


def _write_optional_tables(workspace: Workspace, source: Source, connection: ibis.BaseBackend) -> None:
    """Tables that only some sources have; a table of an earlier run must not stay."""
    for name, table in {"item_vectors": source.item_vectors, **dict.fromkeys(TRUTH), **source.truth}.items():
        if table is None:
            remove(workspace.ingested(name))
        else:
            readable = _readable(table).drop(*(set(NOTES) & set(table.columns)))
            replace_table(readable, workspace.ingested(name), connection)


def _report(
    source: Source,
    settings: IngestSettings,
    faulty: ibis.Table,
    judged_events: ibis.Table,
    events: ibis.Table,
    users: ibis.Table,
    items: ibis.Table,
) -> IngestReport:
    rows_in = int(faulty.count().execute())  # each row of the source once, as items have one row an id
    reasons = judged_events.group_by("reason").agg(rows=_.count(), copies=_.kept_copy.sum()).order_by("reason")
    by_reason = {row["reason"]: row for row in reasons.to_pyarrow().to_pylist()}
    dropped = {reason: row["rows"] for reason, row in by_reason.items() if reason is not None}
    # Through Arrow: pandas' moments end in 2262, and one beyond comes out as another.
    moment = events.event_timestamp
    (span,) = events.agg(kept=_.count(), first=moment.min(), last=moment.max()).to_pyarrow().to_pylist()
    kept = span["kept"]
    if rows_in != kept + sum(dropped.values()):
        raise AssertionError(f"{rows_in} events came in, {kept} were kept and {dropped} dropped: rows were lost.")
    profiled = [column for column in USER_COLUMNS if column != "user_id"]
    no_profile = ibis.and_(*(users[column].isnull() for column in profiled))
    (counted,) = users.agg(users=_.count(), no_profile=no_profile.sum().fill_null(0)).to_pyarrow().to_pylist()
    return IngestReport(
        adapter=settings.adapter,
        time_zone=source.time_zone,
        notices=source.notices,
        events_in=rows_in,
        events_kept=kept,
        events_dropped=dropped,
        users=counted["users"],
        items=int(items.count().execute()),
        users_not_in_table=0,
        users_without_profile=counted["no_profile"],
        items_without_events=int(items.anti_join(events, "item_id").count().execute()),
        first_event=span["first"].astimezone(UTC).isoformat() if kept else "",
        last_event=span["last"].astimezone(UTC).isoformat() if kept else "",
        exact_copies_kept=sum(row["copies"] for row in by_reason.values()),
        units_returned=int(judged_events.taken.sum().fill_null(0).execute()) if source.returns == CANCEL else 0,
        repeats_folded=dict(source.repeats_folded),
    )
