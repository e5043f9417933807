"""Which items are meant: by category, department, brand and price. Filters of a request and business rules share it."""

from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from contracts.limits import MAX_ID, MAX_TERM

MAX_TERMS: Final = 50
MAX_LISTED_ITEMS: Final = 1000
ATTRIBUTES: Final = ("category", "department", "brand")
"""Columns of the catalogue that a selection may name; spelling in upper or lower case does not matter."""


def one_is_a_list(value: Any) -> Any:
    """A single text stands for a list of one: a query string, and a tensor of shape [batch], have no lists of one."""
    return [value] if isinstance(value, str) else value


Term = Annotated[str, Field(min_length=1, max_length=MAX_TERM)]
ListedId = Annotated[str, Field(min_length=1, max_length=MAX_ID)]
# One wrong element is enough: a thousand faults of one list are a thousand times the work of refusing it.
Terms = Annotated[list[Term], Field(max_length=MAX_TERMS, fail_fast=True), BeforeValidator(one_is_a_list)]
ItemIds = Annotated[list[ListedId], Field(max_length=MAX_LISTED_ITEMS, fail_fast=True), BeforeValidator(one_is_a_list)]
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Selection(BaseModel):
    """Items that have one of the values in every field that is given; an item without a known price has no price."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    category: Terms = Field(
        default_factory=list, description="Only these categories of the catalogue.", examples=[["SOFT DRINKS"]]
    )
    department: Terms = Field(
        default_factory=list, description="Only these departments, as in the answer.", examples=[["Grocery"]]
    )
    brand: Terms = Field(default_factory=list, description="Only these brands.")
    price_min: Price | None = Field(None, description="Least price, in the currency of the catalogue.")
    price_max: Price | None = Field(None, description="Highest price, in the currency of the catalogue.")

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> Self:
        if self.price_min is not None and self.price_max is not None and self.price_min > self.price_max:
            raise ValueError(f"price_min {self.price_min:g} is above price_max {self.price_max:g}")
        return self

    def terms(self, attribute: str) -> list[str]:
        """What one of ATTRIBUTES must be; empty where anything may."""
        values: list[str] = getattr(self, attribute)
        return values


class Filters(Selection):
    """What a list may hold."""

    only: ItemIds = Field(default_factory=list, description="Only items of this list.")
    exclude: ItemIds = Field(default_factory=list, description="None of these items.")
    include_seen: bool = Field(True, description="Whether items that the user has bought may be in the list.")
    include_out_of_stock: bool = Field(False, description="Whether items that are out of stock may be in the list.")
