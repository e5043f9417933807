"""Rows of people who were erased go before anything looks at them: not even quarantine has them."""

import re
from dataclasses import dataclass, replace

import ibis
from ibis import _

from contracts.erasure.suppression import SuppressionList
from training.ingest.adapters.source import Source
from training.ingest.adapters.tables import users_of


@dataclass(frozen=True)
class Suppressed:
    """Rows that were left out."""

    events: int = 0
    users: int = 0


def without_erased(source: Source, erased: SuppressionList) -> tuple[Source, Suppressed]:
    """The source without the people on the list, and how many rows of each table that were.

    The list has hashes alone, so that each id of the source is hashed: a second for a million users.
    """
    if not erased:
        return source, Suppressed()
    tables = {"users": users_of(source), "events": source.events, **source.truth}
    with_users = {name: table for name, table in tables.items() if "user_id" in table.columns}
    ids = {user_id for table in with_users.values() for user_id in _ids(table)}
    gone = [user_id for user_id in ids if user_id in erased]
    if not gone:
        return source, Suppressed()
    kept = {name: table.filter(~_names_any(table, gone)) for name, table in with_users.items()}
    counts = {name: int(tables[name].count().execute() - kept[name].count().execute()) for name in kept}
    truth = {name: kept.get(name, table) for name, table in source.truth.items()}
    left = replace(source, users=kept["users"], events=kept["events"], truth=truth)
    return left, Suppressed(counts["events"], counts["users"])


def _names_any(table: ibis.Table, gone: list[str]) -> ibis.Value:
    """Rows of one of the people; a row whose user could not be read names them where its text does."""
    named = table.user_id.cast("string").isin(gone).fill_null(False)
    if "raw" not in table.columns:
        return named
    words = "|".join(map(re.escape, gone))
    in_text = table.raw.cast("string").re_search(rf"(^|[^0-9A-Za-z])({words})($|[^0-9A-Za-z])").fill_null(False)
    return named | (table.user_id.isnull() & in_text)


def _ids(table: ibis.Table) -> list[str]:
    ids = table.filter(_.user_id.notnull()).select(user_id=_.user_id.cast("string")).distinct()
    found: list[str] = ids.to_pyarrow().column("user_id").to_pylist()
    return found
