"""The rows that are not kept, and one of them as people are shown it."""

from collections.abc import Mapping

import ibis
from ibis import _

from contracts.events.schema import EVENT_RULES, ITEM_RULES, USER_RULES
from training.ingest.files.plain_types import WRONG_TYPE
from training.ingest.profiles import NOTES
from training.ingest.report import Example
from training.ingest.validation import broken
from training.ingest.values.columns import WRONG_COLUMN

EXAMPLE_LENGTH = 300
LISTS = "lists"
"""What no column is at fault for: a list, or an object, that could not be looked into."""
RULES = {"events": EVENT_RULES, "users": USER_RULES, "items": ITEM_RULES}


def quarantined(rows: ibis.Table) -> ibis.Table:
    """The rows that are not kept; an event that a return has used up keeps its units."""
    return rows.filter(_.reason.notnull()).drop(*({"taken", "is_return", "kept_copy"} & set(rows.columns)))


def example(tables: Mapping[str, ibis.Table], kinds: Mapping[str, str], name: str, reason: str) -> Example:
    """One row of the table that was dropped for the reason, for people: as it was read, behind the column at fault.

    kinds: what each of the source's columns should hold; empty where the adapter does not say it.
    """
    dropped = quarantined(tables[name]).filter(_.reason == reason)
    where, column = "", None
    if (worst := _unread_column(dropped) or _broken_column(dropped, name, reason)) is not None:
        column, rows, dropped = worst
        where = f" (column {column}, {rows:,} of them)"
    row = dropped.limit(1).to_pyarrow().to_pylist()[0]
    known = ((key, value) for key, value in row.items() if key not in NOTES and value is not None)
    shown = row.get("raw") or " ".join(f"{key}={value}" for key, value in known)
    text = f"{reason}{where}: {shown[:EXAMPLE_LENGTH]}{'…' if len(shown) > EXAMPLE_LENGTH else ''}"
    if reason != WRONG_TYPE or not kinds:
        return Example(text)
    return Example(text, LISTS if column is None else kinds.get(column, ""))


def _unread_column(dropped: ibis.Table) -> tuple[str, int, ibis.Table] | None:
    """(the source's column that could not be read most often, how often, its rows)."""
    if WRONG_COLUMN not in dropped.columns:
        return None
    counts = dropped.filter(_[WRONG_COLUMN].notnull()).group_by(WRONG_COLUMN).agg(rows=_.count())
    worst = counts.order_by(ibis.desc("rows"), WRONG_COLUMN).limit(1).to_pyarrow().to_pylist()
    if not worst:
        return None
    column, rows = worst[0][WRONG_COLUMN], worst[0]["rows"]
    return column, rows, dropped.filter(_[WRONG_COLUMN] == column)


def _broken_column(dropped: ibis.Table, name: str, reason: str) -> tuple[str, int, ibis.Table] | None:
    """(our column that most often breaks one of the rules of this reason, how often, its rows)."""
    rules = [rule for rule in RULES[name] if rule.reason == reason]
    if len(rules) < 2:  # the reason says which column it is of
        return None
    counts = dropped.agg(**{str(at): broken(rule, dropped).sum() for at, rule in enumerate(rules)}).to_pyarrow()
    rows, at = max((counts.column(str(at))[0].as_py() or 0, -at) for at in range(len(rules)))
    worst = rules[-at]
    return (worst.column, rows, dropped.filter(broken(worst, dropped))) if rows else None
