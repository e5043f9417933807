"""What goes with an item."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import ConfigDict, Field

from contracts.api.answers import AlsoBought, Refusal, SimilarItems
from contracts.api.limits import MAX_ITEMS, UserId
from contracts.rules.selection import Filters
from serving.api.routes.parameters import Item, refuse_unclear_parameters
from serving.api.routes.recommendations import REFUSED
from serving.service import Service


class SimilarOptions(Filters):
    """What the similar items must be, and how many."""

    model_config = ConfigDict(extra="ignore")  # refuse_unclear_parameters names those that exist

    n: int = Field(10, ge=1, le=MAX_ITEMS, description="Number of items.")
    user_id: UserId | None = Field(None, description="For whom: what this user has hidden is left out.")


def router(service: Service) -> APIRouter:
    """GET /items/{item_id}/similar and /items/{item_id}/also-bought."""
    routes = APIRouter(tags=["items"], responses=REFUSED)

    @routes.get(
        "/items/{item_id}/similar",
        summary="Items that the towers find alike",
        responses={404: {"model": Refusal, "description": "The item is not in the catalogue."}},
    )
    async def similar(request: Request, item_id: Item, options: Annotated[SimilarOptions, Query()]) -> SimilarItems:
        """The nearest items by the cosine of their embeddings. `include_seen` has no effect here."""
        refuse_unclear_parameters(request, set(SimilarOptions.model_fields))
        return await service.computed(service.related_items.similar, item_id, options.n, options, options.user_id)

    @routes.get("/items/{item_id}/also-bought", summary="What was bought together with an item")
    async def also_bought(request: Request, item_id: Item) -> AlsoBought:
        refuse_unclear_parameters(request, set())
        return await service.computed(service.related_items.also_bought, item_id)

    return routes
