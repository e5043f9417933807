"""Which events are kept, and why each other one is not."""

import ibis
from ibis import _

from contracts.events.schema import EVENT_COLUMNS, EVENT_RULES
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
    by_policy = joined.is_return & joined.user_id.notnull() if source.returns else ibis.literal(False)
    fault = ibis.cases(
        (joined.unreadable.notnull(), joined.unreadable),
        (by_policy, RETURN),
        *((broken(rule, joined), rule.reason) for rule in EVENT_RULES),
        (joined.item_id.notnull() & joined.known_item.isnull(), "item_not_in_catalogue"),
    )
    return joined.mutate(fault=fault, is_copy=joined.content.notnull()).drop("known_item", "unreadable", "content")


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

    The latest purchase before the last return gives first. One with nothing left is RETURNED; a return of what the log
    does not know changes nothing.
    """
    pair = ["user_id", "item_id"]
    returns = judged.filter(_.reason == RETURN)
    if not keep_copies:  # a line that is there twice was given back once
        each = returns.group_by([*pair, "event_id"])
        returns = each.agg(quantity=_.quantity.min(), event_timestamp=_.event_timestamp.max())
    given_back = returns.group_by(pair).agg(units=_.quantity.abs().sum(), until=_.event_timestamp.max())
    untouched = judged.anti_join(given_back, pair).mutate(taken=ibis.literal(0, "int64"))
    joined = judged.inner_join(given_back, pair)
    counts = (_.reason.isnull() & (_.event_type == "purchase") & (_.event_timestamp <= _.until)).fill_null(False)
    marked = joined.mutate(counts=counts)
    later = ibis.window(
        group_by=[*pair, "counts"],
        order_by=[ibis.desc("event_timestamp"), "event_id"],
        preceding=None,
        following=0,
    )
    running = marked.mutate(before=_.quantity.sum().over(later) - _.quantity)
    taken = ibis.ifelse(_.counts, ibis.greatest(ibis.least(_.units - _.before, _.quantity), 0), 0)
    left = running.mutate(taken=taken)
    gone = (_.taken > 0) & (_.taken == _.quantity)
    touched = left.mutate(
        reason=ibis.ifelse(gone, RETURNED, _.reason),
        quantity=ibis.ifelse((_.taken > 0) & (_.taken < _.quantity), _.quantity - _.taken, _.quantity),
    ).drop("units", "until", "counts", "before")
    return untouched.union(touched.select(*untouched.columns))
