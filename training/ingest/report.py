"""What became of the rows of one ingest, and whether enough of them is left."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from contracts.errors import DataRejected
from training.ingest.files.delimited import TO_UTF8
from training.settings import IngestSettings

FIXES_OF_REASONS = {
    "timestamp_without_zone": "Say in which zone these timestamps are: `time_zone: Europe/Paris` in the mapping file.",
    "timestamp_in_future": "If the times are local, `time_zone` in the mapping file may be wrong; if they are whole "
    "numbers, check `epoch_unit`.",
    "unknown_event_type": "Names of your own can be mapped (ecommerce): `event_types: {bought: purchase}`; on and yes "
    "are such names too.",
    "timestamp_before_1970": "If the times are whole numbers, check `epoch_unit` in the mapping file.",
    "not_utf8": f"{TO_UTF8.format(encoding='WINDOWS-1252')} Text in Parquet is UTF-8 whatever is said: export it "
    "anew, or leave the column out of the mapping.",
    "basket_without_items": "Events without an item are kept where their type needs none, such as visit and search; "
    "leave the others out by their names (ecommerce): `event_types: {scroll: ignore}`.",
    "duplicate_event_id": "If event_id is no id of a row, such as that of a concert, map the column that is "
    "(ecommerce): `event_id: ticket_no`; `event_id: {value: ''}` takes the whole row for it.",
    "quantity_not_positive": "If these are returns, say what they do (ecommerce): `returns: cancel` or `returns: "
    "ignore` in the mapping file.",
    "malformed_row": "Each row needs as many fields as the header, and a quote that opens a field must close it. JSON "
    "has one object a line, or is one array of objects, with each key once.",
    "exact_copy": "If a basket may list the same thing in two rows that differ in nothing, keep them: `exact_copies: "
    "keep` under ingest in params.yaml.",
    "missing_id": "If lines without a user are guests' purchases (ecommerce): `guests: ignore` in the mapping file. If "
    "they are further lines of an order, whose first line has its user: `follow_up_lines: fill`.",
}
FIXES_BY_KIND = {
    "times": "Timestamps are read as ISO 8601 (2024-01-31T12:00:00Z), with a zone's full name or offset and never with "
    "an abbreviation such as EST; say any other format as `date_format: '%m/%d/%Y %H:%M'` in the mapping file. Names "
    "of months (%b) are English: export those of other languages as numbers. If the times are whole numbers, "
    "say their unit: `epoch_unit: ms` in the mapping file, and check it where it is said already.",
    "money": "Numbers have a decimal point, or a comma with `decimal: ','`; 1,234 needs `decimal: '.'`. Money may have "
    "one currency next to it.",
    "units": "Units are whole numbers, with nothing next to them; 1,234 needs `decimal: '.'`. Of weights such as 0.345 "
    "leave the column out of the mapping: each row is then one unit.",
    "lists": "Lists and objects are read as JSON or Python writes them. Of `A|B` say what stands between: `rows: "
    "{column: skus, separator: '|'}`; what PHP has serialised is exported by json_encode().",
}
"""Of a wrong_type, by what the column should hold."""
NOT_NEEDED = (
    "A column that is not needed can be left out of the mapping; one that is called like ours is left out by "
    "`discount: {value: ''}`."
)
FIXES = FIXES_OF_REASONS | {"wrong_type": " ".join([*FIXES_BY_KIND.values(), NOT_NEEDED])}
"""What would mend the rows of a reason."""
EMPTY = "basket_without_items"
EXPECTED = frozenset({"guest", "ignored", "repeated_header", "return", "returned", "totals_row"})
"""Reasons that a policy of the mapping gives, and lines that are no rows; they say nothing against the data."""

FIX_SHARE = 0.05
"""A reason of fewer of the dropped rows than this did not bring the ingest down: what would mend it is left unsaid."""


@dataclass(frozen=True)
class Example:
    """A row that was dropped."""

    text: str  # for people
    kind: str = ""  # what the column at fault should hold, a key of FIXES_BY_KIND; empty: any


@dataclass(frozen=True)
class IngestReport:
    """Data quality of one ingest: events_in == events_kept + sum of events_dropped + events_suppressed."""

    adapter: str
    time_zone: str
    notices: tuple[str, ...]
    events_in: int
    events_kept: int
    events_dropped: dict[str, int]  # by reason
    users: int
    items: int
    users_not_in_table: int  # users with events and no row in the source's users table; they are users without profile
    users_without_profile: int
    items_without_events: int
    first_event: str  # ISO 8601, UTC
    last_event: str
    profiles_dropped: dict[str, dict[str, int]] = field(
        default_factory=dict
    )  # by table (users, items, item_vectors), by reason
    exact_copies_kept: int = 0  # rows that repeat another one in everything, where the settings keep them
    units_returned: int = 0  # taken off earlier purchases by `returns: cancel`
    repeats_folded: dict[str, int] = field(default_factory=dict)  # by table: rows beyond the first of their id
    events_suppressed: int = 0  # of people who were erased; they are in no table, quarantine included
    users_suppressed: int = 0  # their rows of the users table
    warnings: tuple[str, ...] = ()  # what is odd about the log and what it does


def left_out(report: IngestReport) -> Iterator[str]:
    """One sentence each on rows that may be returns, or purchases of their own: nobody has said what they are."""
    for reason, why in {
        "quantity_not_positive": "as their units are not positive",
        "exact_copy": "as they repeat another row in everything",
    }.items():
        if rows := report.events_dropped.get(reason):
            yield f"Dropped, {why}: {rows:,}. {FIXES[reason]}"


def refuse_if_too_little(
    report: IngestReport, settings: IngestSettings, example: Callable[[str, str], Example], *, dry_run: bool = False
) -> None:
    """Raises DataRejected where nothing is left, or more is dropped than the settings allow.

    example: of a table a row that was dropped for a reason. dry_run: there is no quarantine to look at.
    """
    dropped = sum(_faults(report).values())
    if report.events_in == 0:
        raise DataRejected("The source has no events: its tables have column names and no rows.")
    if report.events_kept == 0 and report.events_suppressed == report.events_in:
        raise DataRejected(f"All {report.events_in} events are of people who were erased.")
    if report.events_kept == 0:
        advice = _advice(_faults(report), partial(example, "events"))
        raise DataRejected(f"None of the {report.events_in} events could be used: {report.events_dropped}.{advice}")
    for name, kept in (("users", report.users), ("items", report.items)):
        dropped_rows = report.profiles_dropped.get(name, {})
        faults = {reason: rows for reason, rows in dropped_rows.items() if reason not in (*EXPECTED, EMPTY)}
        unreadable = sum(faults.values())
        if unreadable > settings.max_dropped_share * (unreadable + kept):
            raise DataRejected(
                f"{unreadable} of {unreadable + kept} rows of {name} could not be read "
                f"({faults}), more than "
                f"ingest.max_dropped_share = {settings.max_dropped_share}. "
                f"{_where(f'quarantine_{name}.parquet', dry_run=dry_run)}"
                f"{_advice(faults, partial(example, name))}"
            )
    if dropped > settings.max_dropped_share * report.events_in:
        raise DataRejected(
            f"{dropped} of {report.events_in} events were dropped ({_faults(report)}), more than "
            f"ingest.max_dropped_share = {settings.max_dropped_share}. "
            f"{_where('quarantine.parquet', dry_run=dry_run)} Mend the source or raise the share in params.yaml."
            f"{_advice(_faults(report), partial(example, 'events'))}"
        )


def _where(file: str, *, dry_run: bool) -> str:
    if dry_run:
        return f"`tandem ingest` without --dry-run leaves them in {file} in data/ingested."
    return f"Look at {file} in data/ingested."


def _faults(report: IngestReport) -> dict[str, int]:
    """Rows by reason, without those that a policy of the mapping leaves out."""
    return {reason: rows for reason, rows in report.events_dropped.items() if reason not in EXPECTED}


def _advice(faults: Mapping[str, int], example: Callable[[str], Example]) -> str:
    """A row of the commonest fault, and what would mend the common ones; empty where there is no fault."""
    if not faults:
        return ""
    worst, least = max(faults, key=faults.__getitem__), FIX_SHARE * sum(faults.values())
    shown = example(worst)
    fixes = FIXES | ({worst: f"{FIXES_BY_KIND[shown.kind]} {NOT_NEEDED}"} if shown.kind else {})
    common = [fix for reason, fix in fixes.items() if faults.get(reason, 0) >= max(least, 1)]
    return " ".join(["", f"One of {shown.text}.", *common])
