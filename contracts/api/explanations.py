"""Why an item is in a list, and at which stage another was lost."""

from enum import StrEnum

from pydantic import BaseModel, Field


class Proposal(BaseModel):
    """One source that named the item a candidate."""

    source: str
    rank: int = Field(description="Place among what this source proposed, the first is 1.")
    score: float | None = Field(
        description="What the source orders by: inner product of the towers, buyers in 28 days, baskets with a context "
        "item; null for repeats, looks and rules."
    )


class Explanation(BaseModel):
    """Why an item is in the list, from the numbers of this very answer."""

    reason: str = Field(examples=["You buy this about every 12 days, last 14 days ago."])
    proposals: list[Proposal]
    retrieval_score: float | None = Field(
        description="Inner product of query and item embedding; null without a query."
    )
    ranking_score: float | None = Field(description="The ranker's score; null where the ranker was not asked.")
    position_without_rules: int = Field(description="Place that the item would have without business rules.")
    rules: list[str] = Field(description="Names of the rules that moved it.")


class Stage(StrEnum):
    """The last stage that an item reached."""

    UNKNOWN_ITEM = "unknown_item"  # not in the catalogue of the bundle
    FILTERED = "filtered"  # a filter, or a rule that denies it
    NOT_RETRIEVED = "not_retrieved"  # no source proposed it
    RANKED_BELOW = "ranked_below"  # ranked, and the list ended before
    LEFT_OUT_BY_RULE = "left_out_by_rule"  # it would be in the list without the business rules
    SHOWN = "shown"


class ItemOutcome(BaseModel):
    """What became of one item in one user's list. Each number is null where the item did not get so far."""

    user_id: str
    item_id: str
    bundle_version: str
    variant: str
    degraded_level: str
    stage: Stage
    text: str = Field(examples=["Ranked 34th of 412 candidates; the list ends at 10."])
    kept_out_by: list[str] = Field([], description="Every filter that the item does not pass.")
    nearest_rank: int | None = Field(None, description="Place by brute force among all items that pass the filters.")
    nearest_cutoff: int | None = Field(None, description="How many nearest items the index was asked for.")
    retrieval_score: float | None = None
    proposals: list[Proposal] = []
    ranking_score: float | None = None
    ranked: int | None = Field(None, description="Place among the candidates by the ranker.")
    candidates: int | None = None
    position: int | None = Field(None, description="Place in the list.")
    rules: list[str] = Field([], description="Names of the rules that acted on it.")
