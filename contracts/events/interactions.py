"""Interactions as clients post them and as the durable event log keeps them."""

from datetime import datetime
from typing import Annotated, Any, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from contracts.errors import few_fields
from contracts.events.schema import WITHOUT_ITEM, EventType
from contracts.limits import MAX_ID, MAX_MONEY

Identifier = Annotated[str, Field(min_length=1, max_length=MAX_ID)]


class Interaction(BaseModel):
    """One thing that one user did, in the columns of the event schema (contracts/events/schema.py).

    event_id makes posting repeatable: the same id of the same user is kept once. request_id is the one of the
    recommendation that was acted on, if there was one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, value: Any) -> Any:
        return few_fields(value)

    event_id: Identifier
    event_type: EventType
    user_id: Identifier
    item_id: Identifier | None = None
    event_timestamp: AwareDatetime | None = Field(None, description="With a time zone; without it, when it arrived.")
    basket_id: Identifier | None = Field(None, description="Order or session: what belongs together.")
    quantity: Annotated[int, Field(ge=1, le=1_000_000, description="Units.")] = 1
    price: Annotated[float, Field(ge=0, le=MAX_MONEY, description="Paid per unit.")] | None = None
    discount: Annotated[float, Field(ge=0, le=MAX_MONEY, description="Taken off per unit.")] | None = None
    request_id: Identifier | None = Field(None, description="Of the recommendation that was acted on.")

    @model_validator(mode="after")
    def _needs_an_item(self) -> "Interaction":
        if self.item_id is None and self.event_type not in WITHOUT_ITEM:
            raise ValueError(f"item_id is required for {self.event_type.value}")
        return self

    def at(self, moment: datetime) -> "Interaction":
        """The same event, at the moment of its arrival if it brought none of its own."""
        return self if self.event_timestamp else self.model_copy(update={"event_timestamp": moment})


class FreshEvent(NamedTuple):
    """What features need of an interaction."""

    event_id: str
    event_type: str
    item_id: str | None
    seconds: int  # Unix
    basket_id: str | None
    quantity: int
    price: float | None
    discount: float | None


def fresh_event(event: Interaction) -> FreshEvent:
    """The event without whose it is. It must have its moment (`Interaction.at`)."""
    if event.event_timestamp is None:
        raise ValueError(f"Event {event.event_id} has no moment.")
    return FreshEvent(
        event.event_id,
        event.event_type.value,
        event.item_id,
        int(event.event_timestamp.timestamp()),
        event.basket_id,
        event.quantity,
        event.price,
        event.discount,
    )
