"""Answers; every list says which bundle and variant made it and how much of the full path it took."""

from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel, Field

from contracts.api.explanations import Explanation


class Refusal(BaseModel):
    """Every answer that reports an error."""

    error: str = Field(examples=["There is no output 'score' (did you mean 'scores'?); there is item_ids, scores."])


class DegradedLevel(StrEnum):
    """How much of the full path an answer took, best first; each level below FULL is counted by reason."""

    FULL = "full"
    REMEMBERED = "remembered"  # the same on the features that were read a while ago: the online store is down
    RETRIEVAL = "retrieval"  # in the order of retrieval: the ranker failed or came too late
    HISTORY = "history"  # from the user's own purchases: nothing could be retrieved
    SEGMENT = "segment"  # what people of the user's profile buy: the user has no history that can be read
    POPULARITY = "popularity"  # what everybody buys


COLD_LEVEL: Final = "cold"
"""In metrics, the level of lists for users of whom nothing is known: no part failed, and nothing better can be made."""


class Reason(StrEnum):
    """Why an answer is degraded."""

    UNKNOWN_USER = "unknown_user"
    ONLINE_STORE = "online_store"
    QUERY_TOWER = "query_tower"
    INDEX = "index"
    RANKER = "ranker"
    DEADLINE = "deadline"


class RecommendedItem(BaseModel):
    """One line of a list, with what a page needs to show it."""

    item_id: str
    score: float
    title: str
    department: str = Field(description="As the catalogue writes it, or the category where it names none.")
    source: str  # which candidate source proposed it; several are joined by "+"
    price: float | None = Field(None, description="Asked now, or paid on average where the catalogue names none.")
    explanation: Explanation | None = None  # where explain was asked for


class Recommendations(BaseModel):
    """One user's list, best first."""

    user_id: str
    request_id: str  # opaque; send it back with an interaction to say that this list led to it
    bundle_version: str
    variant: str
    degraded_level: DegradedLevel
    degraded_reason: Reason | None = None
    rules_version: str | None = Field(None, description="Of the business rules; null where none are configured.")
    shortfall: int = Field(0, description="Items fewer than asked for.")
    shortfall_reason: str | None = Field(None, examples=["Only 3 items pass the filters department, price."])
    notes: list[str] = Field([], description="What of the request could not be kept, and why.")
    next_page: str | None = Field(None, description="Send it as `page` for items that were not shown yet.")
    items: list[RecommendedItem]


class BatchAnswers(BaseModel):
    """Row i answers request i."""

    answers: list[Recommendations]


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


class SimilarItem(BaseModel):
    """An item that goes with another."""

    item_id: str
    title: str
    department: str
    price: float | None
    similarity: float = Field(
        description="From 0 to 1 and comparable within one kind of `by`: by baskets, how often both are bought "
        "together, by how often each is, and how much one says of the other among all that a user buys; by content, "
        "the cosine of the titles and the share of equal categories."
    )
    by: str = Field("embedding", description="What says that they go together: baskets, content or embedding.")


class SimilarItems(BaseModel):
    """What goes with an item, nearest first: by baskets, then by content."""

    item_id: str
    bundle_version: str
    shortfall: int = Field(0, description="Items fewer than asked for, because no more pass the filters.")
    items: list[SimilarItem]


class Companion(BaseModel):
    """An item that was bought together with another."""

    item_id: str
    title: str
    department: str
    baskets: int  # that held both


class AlsoBought(BaseModel):
    """What was bought together with an item, most frequent first; empty for an item that nobody has bought."""

    item_id: str
    items: list[Companion]


class HiddenItem(BaseModel):
    """An item that the user has hidden."""

    item_id: str
    until: str | None  # ISO 8601; None: for good


class History(BaseModel):
    """A user's purchases, latest first, and what the user has hidden."""

    user_id: str
    items: list[PurchasedItem]
    hidden: list[HiddenItem] = []


class ExperimentCard(BaseModel):
    """The challenger that some users get instead."""

    name: str
    challenger: str  # bundle version
    share: float  # of the users


class RefusedChange(BaseModel):
    """A bundle or an experiment that was to serve and does not."""

    refused_at: str  # ISO 8601, UTC
    asked: str
    reason: str


class BundleCard(BaseModel):
    """What serves right now, and what was refused last."""

    bundle_version: str
    variant: str
    created_at: str
    data_end: str  # ISO 8601, UTC
    num_items: int
    metrics: dict[str, Any]
    example_user_ids: list[str]
    target: str = Field("purchase", description="The event that models predict: purchase, like, cart_add or view.")
    currency: str = Field("", description="Of prices: a code like EUR or a sign; empty where none is configured.")
    shelf: str | None = Field(None, description="The filter that items are grouped by: department or category.")
    experiment: ExperimentCard | None = None
    last_refusal: RefusedChange | None = None


class RejectedEvent(BaseModel):
    """An event of a batch that was not kept."""

    position: int  # in the batch, from 0
    event_id: str | None = None  # where one could be read
    reason: str


class EventReceipt(BaseModel):
    """What became of the events of one request; accepted and duplicate ones are durable.

    accepted + duplicate + suppressed + len(rejected) is the number of events that were sent.
    """

    accepted: int
    duplicate: int  # their event_id had been accepted of their user before
    suppressed: int = 0  # of users who were erased: nothing of them is kept
    rejected: list[RejectedEvent]
