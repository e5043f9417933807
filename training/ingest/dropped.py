"""The rows that are not kept, and one of them as people are shown it."""

from collections.abc import Mapping

import ibis
from ibis import _

from training.ingest.profiles import NOTES
from training.ingest.values.columns import WRONG_COLUMN

EXAMPLE_LENGTH = 300


def quarantined(rows: ibis.Table) -> ibis.Table:
    """The rows that are not kept; an event that a return has used up keeps its units."""
    return rows.filter(_.reason.notnull()).drop(*({"taken", "is_return", "kept_copy"} & set(rows.columns)))


def example(tables: Mapping[str, ibis.Table], name: str, reason: str) -> str:
    """One row of the table that was dropped for the reason, for people: as it was read, behind the column at fault."""
    dropped = quarantined(tables[name]).filter(_.reason == reason)
    where = ""
    if WRONG_COLUMN in dropped.columns:
        columns = dropped.group_by(WRONG_COLUMN).agg(rows=_.count()).order_by(ibis.desc("rows"), WRONG_COLUMN)
        worst = columns.limit(1).to_pyarrow().to_pylist()[0]
        if (column := worst[WRONG_COLUMN]) is not None:
            where = f" (column {column}, {worst['rows']:,} of them)"
            dropped = dropped.filter(_[WRONG_COLUMN] == column)
    row = dropped.limit(1).to_pyarrow().to_pylist()[0]
    known = ((key, value) for key, value in row.items() if key not in NOTES and value is not None)
    shown = row.get("raw") or " ".join(f"{key}={value}" for key, value in known)
    return f"{reason}{where}: {shown[:EXAMPLE_LENGTH]}{'…' if len(shown) > EXAMPLE_LENGTH else ''}"
