"""What is known of a user."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from contracts.api.answers import History
from contracts.api.limits import MAX_HISTORY
from serving.api.access import LOCKED
from serving.api.routes.parameters import User, refuse_unknown_parameters
from serving.service import Service


def router(service: Service) -> APIRouter:
    """GET /users/{user_id}/history."""
    routes = APIRouter(tags=["users"])

    @routes.get(
        "/users/{user_id}/history",
        summary="A user's latest distinct purchases",
        dependencies=LOCKED,
    )
    async def history(
        request: Request,
        user_id: User,
        n: Annotated[int, Query(ge=1, le=MAX_HISTORY, description="Number of items.")] = 10,
    ) -> History:
        refuse_unknown_parameters(request, {"n"})
        return await service.computed(service.users.history, user_id, n)

    return routes
