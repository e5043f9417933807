"""What may be asked; the same fields over plain HTTP and over KServe's protocols."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contracts.api.limits import MAX_CANDIDATES, MAX_ITEMS, BundleVersion, ItemId, UserId


class Request(BaseModel):
    """Base of all requests: a field nobody knows is an error, not a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RecommendationRequest(Request):
    """One user's list."""

    user_id: UserId
    n: Annotated[int, Field(ge=1, le=MAX_ITEMS, strict=True, description="Length of the list.")] = 10
    variant: Annotated[
        str | None, Field(max_length=32, description="Forces a variant, outside of the experiment's figures.")
    ] = None


class RetrievalRequest(Request):
    """Nearest items of one user's query embedding."""

    user_id: UserId
    k: Annotated[int, Field(ge=1, le=MAX_CANDIDATES, strict=True, description="Number of candidates.")] = 100


class RankingRequest(Request):
    """Given items, ordered for one user."""

    user_id: UserId
    item_ids: Annotated[list[ItemId], Field(min_length=1, max_length=MAX_CANDIDATES)]


class BundleChange(Request):
    """What is to serve."""

    version: BundleVersion | None = None
