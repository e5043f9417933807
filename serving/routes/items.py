"""What goes with an item."""

from fastapi import APIRouter, Request

from contracts.api import AlsoBought
from serving.routes.parameters import Item, refuse_unknown_parameters
from serving.service import Service


def router(service: Service) -> APIRouter:
    """GET /items/{item_id}/also-bought."""
    routes = APIRouter(tags=["items"])

    @routes.get("/items/{item_id}/also-bought", summary="What was bought together with an item")
    async def also_bought(request: Request, item_id: Item) -> AlsoBought:
        refuse_unknown_parameters(request, set())
        return await service.computed(service.items.also_bought, item_id)

    return routes
