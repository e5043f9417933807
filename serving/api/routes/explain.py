"""Why an item is in a list or is not, for operators."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from contracts.api.explanations import ItemOutcome
from contracts.api.requests import ListOptions
from serving.api.access import LOCKED
from serving.api.routes.parameters import Item, User, refuse_unclear_parameters
from serving.api.routes.recommendations import REFUSED, asked
from serving.service import Service


def router(service: Service) -> APIRouter:
    """GET /explain/{user_id}/{item_id}."""
    routes = APIRouter(tags=["explanations"], responses=REFUSED)

    @routes.get(
        "/explain/{user_id}/{item_id}",
        summary="At which stage an item was lost, or where it is shown",
        dependencies=LOCKED,
    )
    async def explain(
        request: Request, user_id: User, item_id: Item, options: Annotated[ListOptions, Query()]
    ) -> ItemOutcome:
        """The list of GET /recommendations/{user_id} with the same parameters is made again, and not recorded."""
        refuse_unclear_parameters(request, set(ListOptions.model_fields))
        return await service.computed(service.recommender.why_not, asked(user_id, options), item_id)

    return routes
