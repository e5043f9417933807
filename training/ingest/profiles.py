"""Users and items as they are kept: each id once, and everybody who did anything is a user."""

import ibis
from ibis import _

from contracts.events.schema import Rule
from training.ingest.validation import broken
from training.ingest.values.columns import WRONG_COLUMN

EXACT_COPY = "exact_copy"
NOTES = ("reason", "raw", WRONG_COLUMN)


def judged(table: ibis.Table, key: str, columns: dict[str, str], rules: tuple[Rule, ...]) -> ibis.Table:
    """The table with `reason`, `raw` and WRONG_COLUMN: null for rows to keep, else the first rule that fails.

    A row that says the same as another one is a copy; two rows that say different things of one id are left to the
    caller to refuse.
    """
    own = {name: table[name].cast(kind) if name in table.columns else ibis.null(kind) for name, kind in columns.items()}
    notes = {name: table[name] if name in table.columns else ibis.null("string") for name in NOTES}
    rows = table.select(**own, **notes).rename(unreadable="reason")
    faulty = rows.mutate(
        fault=ibis.cases((rows.unreadable.notnull(), rows.unreadable), *((broken(r, rows), r.reason) for r in rules))
    )
    copy = ibis.row_number().over(group_by=[*columns, faulty.fault.isnull()], order_by=key)
    reason = ibis.cases((_.fault.notnull(), _.fault), (copy > 0, EXACT_COPY))
    return faulty.mutate(reason=reason).select(*columns, *NOTES)


def with_everybody(users: ibis.Table, events: ibis.Table, columns: dict[str, str]) -> ibis.Table:
    """The users by id, so that the same files make the same table; whom the table lacks has a profile of nulls."""
    nothing = {name: ibis.null(kind) for name, kind in columns.items() if name != "user_id"}
    seen = events.filter(_.user_id.notnull()).select("user_id").distinct().anti_join(users, "user_id")
    return users.select(*columns).union(seen.mutate(**nothing).select(*columns)).order_by("user_id")
