"""Names of entities, feature views, feature services and features; used by definitions, training and serving alike."""

from typing import Final

USER_ID: Final = "user_id"
ITEM_ID: Final = "item_id"
EVENT_TIMESTAMP: Final = "event_timestamp"

WINDOWS_DAYS: Final = (7, 28, 91, 365)
SEQUENCE_LENGTH: Final = 50
HISTORY_LENGTH: Final = 1000
"""Distinct items kept per user, most recent first; 99.9 % of the Complete Journey's households have fewer."""

# Feast names. A service is versioned: a change of meaning is a new name, so that old bundles keep their features.
USER_PROFILE_VIEW: Final = "user_profile"
USER_STATISTICS_VIEW: Final = "user_statistics"
USER_SEQUENCE_VIEW: Final = "user_sequence"
USER_HISTORY_VIEW: Final = "user_history"
ITEM_PROFILE_VIEW: Final = "item_profile"
ITEM_STATISTICS_VIEW: Final = "item_statistics"
USER_VIEWS: Final = (USER_PROFILE_VIEW, USER_STATISTICS_VIEW, USER_SEQUENCE_VIEW, USER_HISTORY_VIEW)

ITEM_COPURCHASE_VIEW: Final = "item_copurchase"

QUERY_SERVICE: Final = "query_v1"
"""What the query tower reads: profile, statistics and sequence of the user."""
CANDIDATE_SERVICE: Final = "candidate_v1"
"""What the candidate tower reads: profile and statistics of the item."""
SERVING_SERVICE: Final = "recommender_v1"
"""What an answer needs of a user: QUERY_SERVICE and the purchase history for the ranker."""

RECENT_EVENTS_VIEW: Final = "user_recent_events"
"""What users did lately; written from the event log, never materialized (contracts/freshness.py)."""
RECENT_SERVICE: Final = "recent_events_v1"
"""The recent events alone: what their writer reads back."""
ONLINE_SERVICE: Final = "online_v1"
"""The one online read of a request: SERVING_SERVICE and the recent events that are laid over it."""

COPURCHASE_SERVICE: Final = "copurchase_v1"
"""What is bought together with an item."""

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
    "user_items_365d",
    "user_discount_share_365d",
    "user_days_since_last",
    "user_basket_gap_days",
)
"""Counts are purchase lines and baskets; spend is in the currency of the source; gap is the mean between baskets."""

# Aligned arrays: row i is the i-th latest purchase line of the user.
SEQUENCE_ITEM_IDS: Final = "sequence_item_ids"
SEQUENCE_TIMESTAMPS: Final = "sequence_timestamps"

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

RECENT_EVENTS: Final = "recent_events"
"""One string of events (contracts.freshness.encode_events): Feast's cost is per value."""

# Aligned arrays: row i is the i-th most frequent companion of the item, with the baskets that held both.
COPURCHASE_ITEM_IDS: Final = "copurchase_item_ids"
COPURCHASE_COUNTS: Final = "copurchase_counts"

ITEM_CONTENT: Final = ("department", "category", "subcategory", "brand", "manufacturer")

ITEM_STATISTICS: Final = (
    *(f"item_purchases_{days}d" for days in WINDOWS_DAYS),
    *(f"item_buyers_{days}d" for days in WINDOWS_DAYS),
    "item_repeat_share_365d",
    "item_discount_share_91d",
    "item_price",
    "item_days_since_first",
)
"""Repeat share: buyers with at least two baskets among all buyers; price: mean paid per unit over a year."""

TOP_SCORE: Final = "top_score"
MEAN_SCORE: Final = "mean_score"
SCORES: Final = (TOP_SCORE, MEAN_SCORE)
"""Of one served list, by the ranker; logged with each impression and kept in the bundle's reference sample."""

# Context of the request, in the shop's local time. The last value of each means "not known":
# a list for the coming weeks has no hour.
CONTEXT_HOUR: Final = "hour"
CONTEXT_WEEKDAY: Final = "weekday"
HOUR_UNKNOWN: Final = 24
WEEKDAY_UNKNOWN: Final = 7
