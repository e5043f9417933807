"""Further lines of an order, whose user and time stand in its first line alone, as web shops export them."""

from collections.abc import Mapping
from typing import Any

import ibis

from contracts.errors import InvalidInput
from training.ingest.values.texts import as_text, is_given

FILL = "fill"
KEY = "follow_up_lines"
OF_AN_ORDER = ("user_id", "event_timestamp", "event_type")
"""What all lines of one order have in common."""


def with_follow_ups(rows: ibis.Table, columns: Mapping[str, str], policy: str) -> ibis.Table:
    """The rows with the user, the time and the type of their order where they leave them blank, if the policy says so.

    columns: the source's, by ours. An order whose lines name several users keeps its blanks. Raises InvalidInput for
    another policy, or where no column says which order a line is of.
    """
    if policy not in ("", FILL):
        raise InvalidInput(f"{KEY} is {policy!r}, expected {FILL}, or no such line.")
    if not policy:
        return rows
    order = columns.get("basket_id", "")
    if order not in rows.columns:
        raise InvalidInput(f"{KEY}: {FILL} needs the column that names the order of a line: map it as basket_id.")
    shared = [name for ours in OF_AN_ORDER if (name := columns.get(ours, "")) in rows.columns and name != order]
    return rows.mutate(**{name: _filled(rows, name, order) for name in shared})


def blank_in_known_orders(rows: ibis.Table, user: Any, order: Any) -> int:
    """How many rows without a user are of an order that names one in another row."""
    lines = rows.select(user=user, order=order).filter(ibis._.order.notnull())
    orders = lines.group_by("order").agg(rows=ibis._.count(), users=ibis._.user.count())
    blank = orders.filter((ibis._.users > 0) & (ibis._.users < ibis._.rows))
    return int((blank.rows - blank.users).sum().fill_null(0).execute())


def _filled(rows: ibis.Table, name: str, order: str) -> Any:
    of_order = as_text(rows[order])
    written = ibis.ifelse(is_given(rows[name]), rows[name], None)
    lines = ibis.window(group_by=of_order)
    first, last = written.min().over(lines), written.max().over(lines)
    return written.coalesce(ibis.ifelse((first == last) & of_order.notnull(), first, None))
