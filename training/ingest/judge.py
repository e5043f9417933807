"""Which events are kept, and why each other one is not."""

from typing import Any

import ibis
from ibis import _

from contracts.events.schema import EVENT_COLUMNS, EVENT_RULES, EventType
from training.ingest.adapters.source import RETURN, Source
from training.ingest.profiles import EXACT_COPY
from training.ingest.validation import broken
from training.ingest.values.columns import WRONG_COLUMN

RETURNED = "returned"


def with_faults(source: Source, items: ibis.Table) -> ibis.Table:
    """The events in the contract's columns with `fault`: null for good rows, else the first rule that fails.

    Events without an id get one made from their content; `is_copy` says which ones, as others may be copies of them.
    """
    raw = _conformed(source)
    known = items.select(known_item=_.item_id)
    joined = raw.left_join(known, raw.item_id == known.known_item)
    fault = ibis.cases(
        (joined.unreadable.notnull(), joined.unreadable),
        *(_of_returns(joined) if source.returns else ()),
        *((broken(rule, joined), rule.reason) for rule in EVENT_RULES),
        (joined.item_id.notnull() & joined.known_item.isnull(), "item_not_in_catalogue"),
    )
    return joined.mutate(fault=fault, is_copy=joined.content.notnull()).drop("known_item", "unreadable", "content")


def _of_returns(joined: ibis.Table) -> list[tuple[ibis.Value, str]]:
    """Which rows the policy of returns takes; one that cannot be placed in time takes nothing back, and is a fault."""
    by_policy = joined.is_return & joined.user_id.notnull()
    in_time = [rule for rule in EVENT_RULES if rule.column == "event_timestamp"]
    return [*((by_policy & broken(rule, joined), rule.reason) for rule in in_time), (by_policy, RETURN)]


def judge(faulty: ibis.Table, *, keep_copies: bool) -> ibis.Table:
    """The events of `with_faults` with `reason`: null for rows to keep, else why not.

    Of exact copies that are kept the later ones have their number behind the id.
    """
    numbered = _numbered(faulty).mutate(kept_copy=ibis.literal(False))
    if keep_copies:
        again = numbered.event_id + "-" + (numbered.copy + 1).cast("string")
        numbered = numbered.mutate(
            event_id=ibis.ifelse(numbered.is_copy & (numbered.copy > 0), again, numbered.event_id),
            kept_copy=numbered.is_copy & (numbered.copy > 0) & numbered.fault.isnull(),
            copy=ibis.ifelse(numbered.is_copy, 0, numbered.copy),
        )
    reason = ibis.cases(
        (_.fault.notnull(), _.fault),
        ((_.copy > 0) & _.is_copy, EXACT_COPY),
        (_.copy > 0, "duplicate_event_id"),
    )
    return numbered.mutate(reason=reason).drop("fault", "copy", "is_copy")


def _numbered(faulty: ibis.Table) -> ibis.Table:
    """The rows with `copy`: how many there are before each of its user and id, of the good ones or of the others.

    Neither a faulty twin nor another user's event must cost the good one. Few ids are there twice, and only their rows
    are sorted.
    """
    twice = faulty.group_by("event_id").agg(rows=_.count()).filter(_.rows > 1)
    several = faulty.semi_join(twice, "event_id")
    copy = ibis.row_number().over(
        group_by=["user_id", "event_id", several.fault.isnull()], order_by=["event_timestamp", ~several.is_copy]
    )
    alone = faulty.anti_join(twice, "event_id")  # and rows without an id, which are faulty anyway
    return alone.mutate(copy=ibis.literal(0, "int64")).union(several.mutate(copy=copy))


def _conformed(source: Source) -> ibis.Table:
    """The events in the contract's columns and types, with what the adapter says of each row."""
    events = source.events
    own = {name: _column(events, name, kind) for name, kind in EVENT_COLUMNS.items()}
    content = _column(events, "content", "string")
    as_read = {name: events[name] for name in ("raw", WRONG_COLUMN) if name in events.columns}
    is_return = _column(events, "is_return", "boolean").fill_null(False)
    own["event_id"] = own["event_id"].coalesce(content)
    unreadable = _column(events, "reason", "string")
    return events.select(**own, **as_read, unreadable=unreadable, content=content, is_return=is_return)


def _column(table: ibis.Table, name: str, kind: str) -> ibis.Value:
    return table[name].cast(kind) if name in table.columns else ibis.null(kind)


def cancelled(judged: ibis.Table, *, keep_copies: bool) -> ibis.Table:
    """The judged events, with the units of returns taken off earlier purchases of the same user and item.

    In the order of time each return takes its units off the latest purchases before it that have some left; at one
    moment purchases come first. A purchase with nothing left is RETURNED. A return of more than the log knows changes
    no more than that.
    """
    given_back = _given_back(judged, keep_copies=keep_copies)
    of_one = [judged.user_id == given_back.buyer, judged.event_id == given_back.purchase_id]  # users share ids
    known = judged.left_join(given_back, of_one).drop("buyer", "purchase_id")
    taken = ibis.ifelse(_is_bought(known), known.taken, None).fill_null(0)
    left = known.mutate(taken=taken)
    return left.mutate(
        reason=ibis.ifelse((_.taken > 0) & (_.taken == _.quantity), RETURNED, _.reason),
        quantity=ibis.ifelse((_.taken > 0) & (_.taken < _.quantity), _.quantity - _.taken, _.quantity),
    )


def _is_bought(judged: ibis.Table) -> Any:
    return (judged.reason.isnull() & (judged.event_type == EventType.PURCHASE.value)).fill_null(False)


def _given_back(judged: ibis.Table, *, keep_copies: bool) -> ibis.Table:
    """(buyer, purchase_id, taken) of each purchase that returns take units off.

    The units of a user and an item are a stack: purchases lay theirs on it, returns take from its top. Its height is
    the sum so far above the lowest one so far, as nothing is taken from an empty stack. Of a purchase that is left
    which lies below all later heights.
    """
    pair = ["user_id", "item_id"]
    returns = judged.filter(_.reason == RETURN)
    if not keep_copies:  # a line that is there twice was given back once
        each = returns.group_by([*pair, "event_id"])
        returns = each.agg(quantity=_.quantity.min(), event_timestamp=_.event_timestamp.max())
    taken_off = returns.select(*pair, "event_id", "event_timestamp", units=-_.quantity.abs(), after=1)
    bought = judged.filter(_is_bought(judged)).semi_join(taken_off, pair)
    laid_on = bought.select(*pair, "event_id", "event_timestamp", units=_.quantity, after=0)
    in_time = {"group_by": pair, "order_by": ["event_timestamp", "after", ibis.desc("event_id")]}
    so_far = ibis.window(**in_time, preceding=None, following=0)
    from_now_on = ibis.window(**in_time, preceding=0, following=None)
    summed = laid_on.union(taken_off).mutate(total=_.units.sum().over(so_far))
    stacked = summed.mutate(height=_.total - ibis.least(_.total.min().over(so_far), 0))
    lowest = stacked.mutate(lowest=_.height.min().over(from_now_on))
    purchases = lowest.filter(_.units > 0).mutate(left=ibis.greatest(_.lowest - (_.height - _.units), 0))
    taken = purchases.mutate(taken=(_.units - _.left).cast("int64"))
    return taken.filter(_.taken > 0).select("taken", buyer=_.user_id, purchase_id=_.event_id)
