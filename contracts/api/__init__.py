"""The inference API: its requests, its answers, and the record of each answer that monitoring reads."""

from contracts.api.answers import (
    AlsoBought,
    BundleCard,
    Companion,
    DegradedLevel,
    EventReceipt,
    History,
    PurchasedItem,
    Reason,
    Recommendations,
    RecommendedItem,
    RejectedEvent,
    ScoredItems,
)
from contracts.api.limits import (
    MAX_BATCH,
    MAX_CANDIDATES,
    MAX_EVENTS,
    MAX_EVENTS_BYTES,
    MAX_HISTORY,
    MAX_ITEMS,
    ItemId,
    UserId,
)
from contracts.api.records import ImpressionRecord
from contracts.api.requests import RankingRequest, RecommendationRequest, Request, RetrievalRequest

__all__ = [
    "MAX_BATCH",
    "MAX_CANDIDATES",
    "MAX_EVENTS",
    "MAX_EVENTS_BYTES",
    "MAX_HISTORY",
    "MAX_ITEMS",
    "AlsoBought",
    "BundleCard",
    "Companion",
    "DegradedLevel",
    "EventReceipt",
    "History",
    "ImpressionRecord",
    "ItemId",
    "PurchasedItem",
    "RankingRequest",
    "Reason",
    "RecommendationRequest",
    "Recommendations",
    "RecommendedItem",
    "RejectedEvent",
    "Request",
    "RetrievalRequest",
    "ScoredItems",
    "UserId",
]
