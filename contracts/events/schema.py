"""The one event schema, with its user and item tables: what every adapter yields and everything else reads.

Timestamps are UTC with microseconds. Ids are strings, whatever the source used. A column that a source does
not know is null, never invented; categorical nulls become UNKNOWN when features are built.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from contracts.limits import MAX_ID, MAX_MONEY, MAX_TERM

UNKNOWN: Final = "unknown"
LIST_SEPARATOR: Final = " | "
"""Between the values of a term that is several: an item of the category `Animation | Comedy` is of both."""
FIRST_MOMENT: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Of an event. Moments are computed with as Unix seconds, and an earlier one is a slip of the source."""


class EventType(StrEnum):
    """What a user did. PURCHASE is the label of every model; the others are evidence.

    HIDE takes an item out of the user's lists for good, NOT_INTERESTED for a while, UNHIDE takes either back.
    """

    VIEW = "view"
    LIKE = "like"
    CART_ADD = "cart_add"
    CART_REMOVE = "cart_remove"
    CART_CLEAR = "cart_clear"
    CART_VIEW = "cart_view"
    PURCHASE = "purchase"
    VISIT = "visit"
    CATEGORY_VIEW = "category_view"
    SEARCH = "search"
    HIDE = "hide"
    NOT_INTERESTED = "not_interested"
    UNHIDE = "unhide"


# What a user can do without an item: such an event may have no item_id.
WITHOUT_ITEM: Final = frozenset(
    {EventType.VISIT, EventType.CATEGORY_VIEW, EventType.SEARCH, EventType.CART_CLEAR, EventType.CART_VIEW}
)

# Column -> logical type in Ibis' spelling. Row i of EVENT is one thing one user did to one item at one moment.
EVENT_COLUMNS: Final[dict[str, str]] = {
    "event_id": "string",
    "event_type": "string",
    "user_id": "string",
    "item_id": "string",
    "event_timestamp": "timestamp('UTC', 6)",
    "basket_id": "string",  # order or session: what belongs together
    "quantity": "int64",  # units, at least 1
    "price": "float64",  # paid per unit, in the currency of the source
    "discount": "float64",  # taken off per unit, not negative
}


@dataclass(frozen=True)
class Rule:
    """What a column must hold. Nulls are judged by `required` alone; a row that breaks the rule has the reason."""

    column: str
    reason: str
    required: bool = False
    allowed: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    finite: bool = False
    past: bool = False  # not after the moment of looking at it
    since: datetime | None = None  # not before it
    max_length: int | None = None  # characters
    of_each: bool = False  # max_length holds for each entry of a list
    unless_event_type: frozenset[EventType] = frozenset()  # these need no value


# In the order of judging: a row that breaks several has the first one's reason.
EVENT_RULES: Final = (
    Rule("event_id", "missing_id", required=True),
    Rule("user_id", "missing_id", required=True),
    Rule("item_id", "missing_id", required=True, unless_event_type=WITHOUT_ITEM),
    Rule("user_id", "id_too_long", max_length=MAX_ID),
    Rule("item_id", "id_too_long", max_length=MAX_ID),
    Rule("event_timestamp", "missing_timestamp", required=True),
    Rule("event_timestamp", "timestamp_before_1970", since=FIRST_MOMENT),
    Rule("event_timestamp", "timestamp_in_future", past=True),
    Rule("event_type", "unknown_event_type", required=True, allowed=tuple(kind.value for kind in EventType)),
    Rule("quantity", "quantity_not_positive", required=True, at_least=1),
    Rule("price", "money_not_finite", finite=True),
    Rule("discount", "money_not_finite", finite=True),
    Rule("price", "money_too_large", at_most=MAX_MONEY),
    Rule("discount", "money_too_large", at_most=MAX_MONEY),
    Rule("price", "negative_money", at_least=0),
    Rule("discount", "negative_money", at_least=0),
)
USER_RULES: Final = (Rule("user_id", "missing_id", required=True), Rule("user_id", "id_too_long", max_length=MAX_ID))
ITEM_RULES: Final = (
    Rule("item_id", "missing_id", required=True),
    Rule("item_id", "id_too_long", max_length=MAX_ID),
    Rule("price", "money_too_large", at_most=MAX_MONEY),
    Rule("list_price", "money_too_large", at_most=MAX_MONEY),
    *(
        Rule(column, "text_too_long", max_length=MAX_TERM, of_each=True)
        for column in ("department", "category", "subcategory", "brand", "manufacturer")
    ),
)

USER_COLUMNS: Final[dict[str, str]] = {
    "user_id": "string",
    "age_band": "string",
    "income_band": "string",
    "household_size": "string",
    "household_type": "string",
    "home_ownership": "string",
    "marital_status": "string",
    "kids_count": "string",
    "gender": "string",
    "region": "string",
}

ITEM_COLUMNS: Final[dict[str, str]] = {
    "item_id": "string",
    "title": "string",
    "department": "string",  # coarsest level of the catalogue
    "category": "string",
    "subcategory": "string",  # finest level
    "brand": "string",
    "manufacturer": "string",
    "package_size": "string",
    "description": "string",
    "shop_id": "string",  # of a catalogue that several shops share
    "price": "float64",  # asked now, in the currency of the source
    "list_price": "float64",  # asked before a reduction
    "available_from": "timestamp('UTC', 6)",  # when the item joined the catalogue
}
