"""Requests and answers of the inference API, and the record of each answer that monitoring reads."""

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

MAX_ITEMS: Final = 100
MAX_BATCH: Final = 64
UserId = Annotated[str, Field(min_length=1, max_length=128, description="Id of the user, as in the event log.")]
ItemId = Annotated[str, Field(min_length=1, max_length=128)]


class DegradedLevel(StrEnum):
    """How much of the full path an answer took; each level below FULL is counted by reason."""

    FULL = "full"
    POPULARITY = "popularity"


class Reason(StrEnum):
    """Why an answer is degraded."""

    UNKNOWN_USER = "unknown_user"
    ONLINE_STORE = "online_store"


class Request(BaseModel):
    """Base of all requests: a field nobody knows is an error, not a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RecommendationRequest(Request):
    """One user's list."""

    user_id: UserId
    n: Annotated[int, Field(ge=1, le=MAX_ITEMS, strict=True, description="Length of the list.")] = 10


class RetrievalRequest(Request):
    """Nearest items of one user's query embedding."""

    user_id: UserId
    k: Annotated[int, Field(ge=1, le=1000, strict=True, description="Number of candidates.")] = 100


class RankingRequest(Request):
    """Given items, ordered for one user."""

    user_id: UserId
    item_ids: Annotated[list[ItemId], Field(min_length=1, max_length=1000)]


class RecommendedItem(BaseModel):
    """One line of a list, with what a page needs to show it."""

    item_id: str
    score: float
    title: str
    department: str
    source: str  # which candidate source proposed it; several are joined by "+"


class Recommendations(BaseModel):
    """One user's list, best first."""

    user_id: str
    request_id: str
    bundle_version: str
    degraded_level: DegradedLevel
    degraded_reason: Reason | None = None
    items: list[RecommendedItem]


class ScoredItems(BaseModel):
    """Answer of retrieval and ranking: row i of scores belongs to row i of item_ids, best first."""

    user_id: str
    bundle_version: str
    item_ids: list[str]
    scores: list[float]


class PurchasedItem(BaseModel):
    """One distinct item a user has bought."""

    item_id: str
    title: str
    department: str
    count: int
    last_purchased_at: str  # ISO 8601, UTC


class Companion(BaseModel):
    """An item that was bought together with another."""

    item_id: str
    title: str
    department: str
    baskets: int  # that held both


class AlsoBought(BaseModel):
    """What was bought together with an item, most frequent first; empty for an item nobody has met."""

    item_id: str
    items: list[Companion]


class History(BaseModel):
    """A user's purchases, latest first."""

    user_id: str
    items: list[PurchasedItem]


class BundleCard(BaseModel):
    """What serves right now."""

    bundle_version: str
    created_at: str
    data_end: str  # ISO 8601, UTC
    num_items: int
    metrics: dict[str, Any]
    example_user_ids: list[str]


class ImpressionRecord(BaseModel):
    """One served list as written to the impression log: what was shown, to whom, on which feature values.

    Row i of item_ids and scores is position i of the list. Monitoring compares `features` with the bundle's
    reference sample; ids never enter a drift test (a 50,000-category column costs half a minute and says nothing).
    """

    request_id: str
    served_at: str  # ISO 8601, UTC
    user_id: str
    bundle_version: str
    degraded_level: DegradedLevel
    item_ids: list[str]
    scores: list[float]
    features: dict[str, float | str]
