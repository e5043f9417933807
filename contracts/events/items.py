"""An item of the catalogue as it is posted: a new one, or what has changed of one that is there."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from contracts.errors import few_fields
from contracts.events.schema import LIST_SEPARATOR
from contracts.limits import MAX_ID, MAX_MONEY, MAX_TERM

MAX_CHANGED_ITEMS: Final = 1000
"""Items of one request."""
MAX_TITLE: Final = 1024
MAX_TERMS: Final = 4096
"""Characters of a title, and of all terms in a column: a server keeps posted items in memory."""


def _each_short(terms: str) -> str:
    longest = max(map(len, terms.split(LIST_SEPARATOR)))
    if longest > MAX_TERM:
        raise ValueError(
            f"one of them has {longest} characters, and a term has at most {MAX_TERM}; {LIST_SEPARATOR!r} stands "
            "between the terms of an item that has several"
        )
    return terms


Terms = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_TERMS,
        description=f"Of at most {MAX_TERM} characters; several with {LIST_SEPARATOR!r} between them.",
    ),
    AfterValidator(_each_short),
]

SHELVES: Final = ("department", "category")
"""Content columns that say to people where an item belongs, the widest first."""


def shelf_of(values: Sequence[str | None]) -> str:
    """What a page shows next to a title: the first of an item's SHELVES that is known, or nothing."""
    return next((value for value in values if value), "")


class CatalogueItem(BaseModel):
    """Fields that are left out keep what they were; of a new item they are unknown.

    The content (department to manufacturer) places a new item near what is like it. Of an item that the bundle was
    trained with only title, price and stock change at once; its content does so with the next bundle.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, value: Any) -> Any:
        return few_fields(value)

    item_id: Annotated[str, Field(min_length=1, max_length=MAX_ID)]
    title: Annotated[str, Field(min_length=1, max_length=MAX_TITLE)] | None = None
    department: Terms | None = None
    category: Terms | None = None
    subcategory: Terms | None = None
    brand: Terms | None = None
    manufacturer: Terms | None = None
    price: Annotated[float, Field(ge=0, le=MAX_MONEY, description="Asked now.")] | None = None
    in_stock: bool | None = Field(None, description="An item out of stock is in no list.")

    def updated(self, later: "CatalogueItem") -> "CatalogueItem":
        """This item with what a later post says of it."""
        return self.model_copy(update=later.model_dump(exclude_unset=True))


class CatalogueReceipt(BaseModel):
    """What became of the changes of one request: accepted ones are durable, and in effect on every server soon."""

    accepted: int
