"""What users chose: what they bought, basket by basket, and what they viewed, liked or put in the cart only."""

from typing import Final

import ibis
import numpy as np
import pyarrow as pa
from ibis import _

from contracts.events.schema import EventType
from contracts.features.feedback import FEEDBACK_TYPES
from training.features.snapshots import basket, of_type

POSITIVE_TYPES: Final = (EventType.PURCHASE, EventType.CART_ADD, EventType.LIKE, EventType.VIEW)
"""Event types that say that an item was liked, the strongest first; a positive's type is its place here."""
MOST_LOOKS: Final = 300_000
"""The towers learn from at most this many: more add little, and each carries its user's features."""


def purchases(events: ibis.Table) -> ibis.Table:
    """One row per (basket, item), and whether the user had bought the item in an earlier basket."""
    lines = events.filter(of_type(EventType.PURCHASE)).group_by("user_id", "item_id", basket=basket())
    first = _.seconds.min().over(group_by=["user_id", "item_id"])
    return lines.agg(seconds=_.seconds.min()).mutate(is_repeat=_.seconds > first)


def engagements(events: ibis.Table, bought: ibis.Table) -> ibis.Table:
    """One row per (basket, item) with an engagement and no purchase in that basket; a visit is a basket too.

    Its type is the strongest thing done to the item, its moment the first. bought: what `purchases` says of the
    same events; an item that the user had bought before is a repeat.
    """
    codes = {kind.value: code for code, kind in enumerate(POSITIVE_TYPES)}
    kinds = [kind.value for kind in POSITIVE_TYPES[1:]]
    done = events.filter(_.event_type.isin(kinds) & _.item_id.notnull()).mutate(
        type=_.event_type.cases(*((kind, codes[kind]) for kind in kinds), else_=len(codes))
    )
    seen = done.group_by("user_id", "item_id", basket=basket()).agg(seconds=_.seconds.min(), type=_.type.min())
    seen = seen.anti_join(bought, ["user_id", "item_id", "basket"])
    first = bought.group_by("user_id", "item_id").agg(first=_.seconds.min())
    known = seen.left_join(first, ["user_id", "item_id"])
    return known.mutate(is_repeat=(_.seconds > _["first"]).fill_null(False)).select(
        "user_id", "item_id", "basket", "seconds", "is_repeat", "type"
    )


def without_refused(looked: ibis.Table, events: ibis.Table, until: int) -> ibis.Table:
    """The engagements less those whose item the same user hid later, or was not interested in.

    A view that ended in "not interested" says nothing for the item. What was bought stays. until: Unix seconds; a
    refusal from then on is not known to what is trained, and one that was taken back before then counts for nothing.
    """
    said = events.filter(_.event_type.isin(sorted(FEEDBACK_TYPES)) & _.item_id.notnull() & (_.seconds < until))
    latest = ibis.row_number().over(
        group_by=["user_id", "item_id"], order_by=[ibis.desc("seconds"), ibis.desc("event_id")]
    )
    last = said.mutate(place=latest).filter((_.place == 0) & (_.event_type != EventType.UNHIDE.value))
    refused = last.select(refuser=last.user_id, refused=last.item_id, refused_at=last.seconds)
    return looked.anti_join(
        refused,
        [
            looked.user_id == refused.refuser,
            looked.item_id == refused.refused,
            looked.seconds <= refused.refused_at,
        ],
    )


def thinned(rows: pa.Table, most_looks: int = MOST_LOOKS) -> pa.Table:
    """All purchases, and at most this many engagements, spread evenly over time."""
    types = rows.column("type").to_numpy()
    looked = np.flatnonzero(types > 0)
    if len(looked) <= most_looks:
        return rows
    kept = types == 0
    kept[looked[np.linspace(0, len(looked) - 1, most_looks).astype(int)]] = True
    return rows.filter(pa.array(kept))
