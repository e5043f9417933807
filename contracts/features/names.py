"""Names of entities, feature views, feature services and features; used by definitions, training and serving alike."""

from typing import Final

from contracts.events.schema import EventType

USER_ID: Final = "user_id"
ITEM_ID: Final = "item_id"
EVENT_TIMESTAMP: Final = "event_timestamp"

DAY_SECONDS: Final = 86_400
WINDOWS_DAYS: Final = (7, 28, 91, 365)
SEQUENCE_LENGTH: Final = 50
ENGAGEMENTS_LENGTH: Final = 200
"""A sequence holds the latest SEQUENCE_LENGTH events, and behind them older engagements, up to this number in all. The
query tower reads the first part; the ranker and the source of engagements read both. Purchases have no second part."""
HISTORY_LENGTH: Final = 1000
"""Distinct items kept per user, most recent first; 99.9 % of the Complete Journey's households have fewer."""

MAX_RECENT_EVENTS: Final = 200
"""Events of a user that are laid over what the online store holds: as many items may fall off the end of a history."""

# Feast names. A service is versioned: a change of meaning is a new name, so that old bundles keep their features.
USER_PROFILE_VIEW: Final = "user_profile"
USER_STATISTICS_VIEW: Final = "user_statistics"
USER_SEQUENCE_VIEW: Final = "user_sequence"
USER_HISTORY_VIEW: Final = "user_history"
ITEM_PROFILE_VIEW: Final = "item_profile"
ITEM_STATISTICS_VIEW: Final = "item_statistics"
USER_VIEWS: Final = (USER_PROFILE_VIEW, USER_STATISTICS_VIEW, USER_SEQUENCE_VIEW, USER_HISTORY_VIEW)

USER_ACTIVITY_VIEW: Final = "user_activity"
ITEM_ACTIVITY_VIEW: Final = "item_activity"
"""Windows of ACTIVITY: rows for those alone who did, or had done to them, any of it; no answer reads them."""

ITEM_HOLIDAYS_VIEW: Final = "item_holidays"
"""ITEM_HOLIDAYS: rows where features.holidays names a country; no answer reads them."""

USER_BOUGHT_VIEW: Final = "user_bought_before"
"""What a user bought and USER_HISTORY_VIEW may lack: more than a year ago, or beyond its length. Rows for those alone
who have any; read for lists that leave out what was bought."""

ITEM_COPURCHASE_VIEW: Final = "item_copurchase"

QUERY_SERVICE: Final = "query_v2"
"""What the query tower reads: profile, statistics and sequence of the user."""
CANDIDATE_SERVICE: Final = "candidate_v2"
"""What the candidate tower reads: profile and statistics of the item."""
SERVING_SERVICE: Final = "recommender_v2"
"""What an answer needs of a user: QUERY_SERVICE and the purchase history for the ranker."""

RECENT_EVENTS_VIEW: Final = "user_recent_events"
"""What users did lately; written from the event log, never materialized (contracts/features/freshness.py)."""
RECENT_SERVICE: Final = "recent_events_v1"
"""The recent events alone: what their writer reads back."""
ONLINE_SERVICE: Final = "online_v2"
"""The one online read of a request: SERVING_SERVICE and the recent events that are laid over it."""

BOUGHT_SERVICE: Final = "bought_before_v1"
"""Item ids of USER_BOUGHT_VIEW."""
COPURCHASE_SERVICE: Final = "copurchase_v1"
"""What is bought together with an item."""
USER_ACTIVITY_SERVICE: Final = "user_activity_v1"
"""The other event types of the user by window, for models in batches: point-in-time joins, no online read."""
ITEM_ACTIVITY_SERVICE: Final = "item_activity_v1"
"""The same of the item."""
ITEM_HOLIDAYS_SERVICE: Final = "item_holidays_v1"
"""How the item sells before holidays: point-in-time joins, no online read."""

HIDDEN_ITEMS: Final = "hidden_items"
"""Of a user's features as an answer has them: until when each item is out of their lists. Made from RECENT_EVENTS at
each read (contracts/features/feedback.py); neither Feast nor a model knows it."""

USER_PROFILE: Final = (
    "age_band",
    "income_band",
    "household_size",
    "household_type",
    "home_ownership",
    "marital_status",
    "kids_count",
)

USER_STATISTICS: Final = (
    *(f"user_purchases_{days}d" for days in WINDOWS_DAYS),
    *(f"user_baskets_{days}d" for days in WINDOWS_DAYS),
    *(f"user_spend_{days}d" for days in WINDOWS_DAYS),
    *(f"user_views_{days}d" for days in WINDOWS_DAYS),
    *(f"user_cart_adds_{days}d" for days in WINDOWS_DAYS),
    "user_items_365d",
    "user_new_item_share_91d",
    "user_discount_share_365d",
    "user_saved_share_365d",
    "user_unit_price_365d",
    "user_basket_lines_365d",
    "user_days_since_last",
    "user_basket_gap_days",
    "user_basket_gap_variation",
    "user_overdue_ratio",
    "user_morning_share_365d",
    "user_afternoon_share_365d",
    "user_evening_share_365d",
    "user_weekend_share_365d",
    "user_departments_365d",
    "user_top_department_share_365d",
    "user_top_brand_share_365d",
)
"""Counts are purchase lines, baskets and events; spend is in the currency of the source. The gap is the mean between
baskets, its variation their standard deviation divided by their mean, the overdue ratio days since the last basket by
that gap. New item share: of the items bought in 91 days, those not bought before within a year. Saved: discounts by
what would have been paid without them. Mornings begin at 6, afternoons at 12, evenings at 18, local time."""

MODELLED_USER_STATISTICS: Final = (
    *(f"user_{name}_{days}d" for name in ("purchases", "baskets", "spend") for days in WINDOWS_DAYS),
    *(f"user_{name}_{days}d" for name in ("views", "cart_adds") for days in WINDOWS_DAYS),
    "user_items_365d",
    "user_discount_share_365d",
    "user_days_since_last",
    "user_basket_gap_days",
)
"""The statistics that towers and ranker read. They are the same for every candidate of a user, so more of them identify
the user instead of a taste: with all of them, the ranker's NDCG@20 on the validation window fell from .366 to .364."""

USER_STATISTICS_VALUES: Final = "user_statistics_values"
"""USER_STATISTICS in this order as one array feature: Feast's online read costs by the number of features."""

ACTIVITY: Final = {
    "likes": EventType.LIKE,
    "cart_removes": EventType.CART_REMOVE,
    "cart_clears": EventType.CART_CLEAR,
    "cart_views": EventType.CART_VIEW,
    "visits": EventType.VISIT,
    "category_views": EventType.CATEGORY_VIEW,
    "searches": EventType.SEARCH,
}
"""Name and event type of what USER_STATISTICS and ITEM_STATISTICS do not count; most sources lack most of these types.
In views of their own, so that neither the online row of every user nor the inputs of the models are wider for them."""
USER_ACTIVITY: Final = tuple(f"user_{name}_{days}d" for name in ACTIVITY for days in WINDOWS_DAYS)
ITEM_ACTIVITY: Final = tuple(f"item_{name}_{days}d" for name in ACTIVITY for days in WINDOWS_DAYS)
USER_ACTIVITY_VALUES: Final = "user_activity_values"
"""USER_ACTIVITY in this order as one array feature."""
ITEM_ACTIVITY_VALUES: Final = "item_activity_values"
"""ITEM_ACTIVITY in this order as one array feature."""

# Aligned arrays: row i is the i-th latest thing the user did to an item; times are Unix seconds.
SEQUENCE_ITEM_IDS: Final = "sequence_item_ids"
SEQUENCE_EVENT_TYPES: Final = "sequence_event_types"
SEQUENCE_TIMESTAMPS: Final = "sequence_timestamps"
SEQUENCE: Final = (SEQUENCE_ITEM_IDS, SEQUENCE_EVENT_TYPES, SEQUENCE_TIMESTAMPS)
SEQUENCE_TYPES: Final = tuple(
    kind.value
    for kind in (EventType.VIEW, EventType.LIKE, EventType.CART_ADD, EventType.CART_REMOVE, EventType.PURCHASE)
)
"""Event types that a sequence holds."""
ENGAGEMENT_TYPES: Final = (EventType.VIEW.value, EventType.LIKE.value, EventType.CART_ADD.value)
"""Those that say that an item was looked at, the least telling first."""
ENGAGEMENT_TYPES_SET: Final = frozenset(ENGAGEMENT_TYPES)

# Aligned arrays: row i is one distinct item that the user has bought, latest first; times are Unix seconds.
HISTORY_ITEM_IDS: Final = "history_item_ids"
HISTORY_COUNTS: Final = "history_counts"
HISTORY_COUNTS_91D: Final = "history_counts_91d"
HISTORY_COUNTS_28D: Final = "history_counts_28d"
HISTORY_FIRST_TIMESTAMPS: Final = "history_first_timestamps"
HISTORY_LAST_TIMESTAMPS: Final = "history_last_timestamps"
HISTORY: Final = (
    HISTORY_ITEM_IDS,
    HISTORY_COUNTS,
    HISTORY_COUNTS_91D,
    HISTORY_COUNTS_28D,
    HISTORY_FIRST_TIMESTAMPS,
    HISTORY_LAST_TIMESTAMPS,
)

BOUGHT_ITEM_IDS: Final = "bought_item_ids"

RECENT_EVENTS: Final = "recent_events"
"""One string of events (contracts.features.freshness.encode_events): Feast's cost is per value."""

# Aligned arrays: row i is the i-th most frequent companion of the item, with the baskets that held both.
COPURCHASE_ITEM_IDS: Final = "copurchase_item_ids"
COPURCHASE_COUNTS: Final = "copurchase_counts"

ITEM_CONTENT: Final = ("department", "category", "subcategory", "brand", "manufacturer")

ITEM_STATISTICS: Final = (
    *(f"item_purchases_{days}d" for days in WINDOWS_DAYS),
    *(f"item_buyers_{days}d" for days in WINDOWS_DAYS),
    *(f"item_views_{days}d" for days in WINDOWS_DAYS),
    *(f"item_cart_adds_{days}d" for days in WINDOWS_DAYS),
    "item_trend_7d",
    "item_trend_28d",
    "item_season_28d",
    "item_repeat_share_365d",
    "item_repeat_gap_days",
    "item_discount_share_91d",
    "item_price",
    "item_relative_price",
    "item_age_days",
)
"""Trend: purchases of 7 days by those expected from 28, and of 28 from 91; 1 is steady. Season: purchases a year ago,
in the 28 days that come next. Repeat share: buyers with at least two purchases among all buyers; repeat gap: days
between purchases of those buyers. Price: mean paid per unit over a year; relative: by the mean of its subcategory.
Age: since the catalogue's date, else since the first purchase within a year."""

ITEM_HOLIDAYS: Final = ("item_holiday_lift", "item_coming_holiday_lift_28d")
"""Logarithms. Lift: the share of an item's purchases of a year that lies in the weeks up to public holidays, divided by
the same share of all purchases. An item with few such purchases has the lift of its subcategory. Coming: how much the
item's share of all purchases rises in the next 28 days, as its lift predicts."""

RETRIEVED_ITEM_STATISTICS: Final = tuple(
    name
    for name in ITEM_STATISTICS
    if not name.startswith(("item_trend", "item_season", "item_repeat_gap", "item_relative"))
)
"""Those that the candidate tower reads; the ranker reads all. On the validation window the others changed nothing in
retrieval."""

TOP_SCORE: Final = "top_score"
MEAN_SCORE: Final = "mean_score"
SCORES: Final = (TOP_SCORE, MEAN_SCORE)
"""Of one served list, by the ranker; logged with each impression and kept in the bundle's reference sample."""
REFERENCE_LENGTH: Final = 10
"""First items of a list whose scores are compared: the log and the reference sample must agree."""

# Of a request, in the shop's local time: a list for the coming weeks has no hour.
HOUR_UNKNOWN: Final = 24
WEEKDAY_UNKNOWN: Final = 7


OVERDUE_LIMIT: Final = 5.0
"""Later than that is given up, not overdue."""
