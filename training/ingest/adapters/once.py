"""One row for each id of a file that repeats ids, as invoices repeat products."""

import ibis
from ibis import _

from contracts.errors import InvalidInput
from training.ingest.profiles import NOTES

LATEST, MOST_FREQUENT = "latest", "most_frequent"


def once_an_id(rows: ibis.Table, key: str, columns: list[str], how: str) -> tuple[ibis.Table, int]:
    """(the rows with each id once, and those that cannot be read; how many further rows of an id there were).

    Of each column the latest value that is not null counts, by `latest_by`, or the most frequent; ties go to the
    smaller one. A row without an id says nothing and counts among the further ones. Raises InvalidInput for another
    word.
    """
    if how not in (LATEST, MOST_FREQUENT):
        raise InvalidInput(f"repeated is {how!r}, expected {LATEST} (with latest_by: your column) or {MOST_FREQUENT}.")
    good = rows.filter(_.reason.isnull() & rows[key].notnull())
    bad = rows.filter(_.reason.notnull())
    folded = good.select(key).distinct()
    for column in columns:
        folded = folded.left_join(_chosen(good, key, column, how), key).drop(f"{key}_right")
    nothing = {name: ibis.null("string") for name in NOTES}
    kept = folded.mutate(**nothing).select(key, *columns, *NOTES)
    counts = rows.filter(_.reason.isnull()).agg(rows=_.count(), ids=_[key].nunique()).execute().iloc[0]
    further = int(counts["rows"] - counts["ids"])
    return kept.union(bad.select(key, *columns, *NOTES)), further


def _chosen(rows: ibis.Table, key: str, column: str, how: str) -> ibis.Table:
    values = rows.filter(rows[column].notnull()).group_by(key, column).agg(rows=_.count(), at=_.latest_by.max())
    first = [ibis.desc("at"), column] if how == LATEST else [ibis.desc("rows"), column]
    place = ibis.row_number().over(group_by=key, order_by=first)
    return values.mutate(place=place).filter(_.place == 0).select(key, column)
