"""What may be asked; the same fields over plain HTTP and over KServe's protocols."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from contracts.api.limits import (
    MAX_BATCH,
    MAX_CANDIDATES,
    MAX_CONTEXT,
    MAX_ITEMS,
    MAX_PAGE_TOKEN,
    MAX_SEGMENT,
    BundleVersion,
    ItemId,
    UserId,
)
from contracts.errors import few_fields
from contracts.rules.rules import Surface
from contracts.rules.selection import Filters, Term, one_is_a_list


class Request(BaseModel):
    """Base of all requests: an unknown field is an error, not a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, value: Any) -> Any:
        return few_fields(value)


Context = Annotated[
    list[Term],
    Field(
        max_length=MAX_CONTEXT,
        fail_fast=True,
        description="Items of the page or the basket, latest first: the list is made as if the user had just bought "
        "them, what goes with them stands higher, and they are not in the list themselves.",
    ),
    BeforeValidator(one_is_a_list),
]


Segment = Annotated[
    list[Annotated[str, Field(pattern=r"^[a-z_]+=.{1,128}$")]],
    Field(
        max_length=MAX_SEGMENT,
        fail_fast=True,
        description="What is known of a user without features, as profile column = value, like age_band=35-44: the "
        "list is then what such people buy. Not looked at for users whose features can be read.",
        examples=[["age_band=35-44"]],
    ),
    BeforeValidator(one_is_a_list),
]


class ListOptions(Filters):
    """Everything that may be said about a list; as query parameters a list is a parameter that is repeated."""

    model_config = ConfigDict(extra="ignore")  # routes name the parameters that exist, which pydantic does not

    n: int = Field(10, ge=1, le=MAX_ITEMS, description="Length of the list.")
    surface: Surface = Field("home", description="Where the list is shown; business rules may differ by surface.")
    context: Context = Field(default_factory=list)
    segment: Segment = Field(default_factory=list)
    explain: bool = Field(False, description="Whether each item says why it is in the list.")
    seed: int | None = Field(
        None, ge=0, le=2**32 - 1, description="Order among equal scores; the same seed gives the same order."
    )
    page: str | None = Field(
        None,
        max_length=MAX_PAGE_TOKEN,
        description="next_page of the answer before, for items that no earlier page has shown.",
    )


class RecommendationRequest(ListOptions, Request):
    """One user's list."""

    model_config = ConfigDict(strict=True, extra="forbid")

    user_id: UserId
    variant: Annotated[
        str | None, Field(max_length=32, description="Forces a variant, outside of the experiment's figures.")
    ] = None


class RetrievalRequest(Filters, Request):
    """Nearest items of one user's query embedding."""

    model_config = ConfigDict(strict=True)

    user_id: UserId
    k: Annotated[int, Field(ge=1, le=MAX_CANDIDATES, description="Number of candidates.")] = 100
    context: Context = Field(default_factory=list)


class RankingRequest(Request):
    """Given items, ordered for one user."""

    user_id: UserId
    item_ids: Annotated[list[ItemId], Field(min_length=1, max_length=MAX_CANDIDATES, fail_fast=True)]
    context: Context = Field(default_factory=list)


class BatchRequest(Request):
    """Several lists in one body."""

    requests: Annotated[list[RecommendationRequest], Field(min_length=1, max_length=MAX_BATCH)]


class BundleChange(Request):
    """What is to serve."""

    version: BundleVersion | None = None
