"""Lists for users."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from contracts.api import MAX_ITEMS, RecommendationRequest, Recommendations
from serving.routes.parameters import ForcedVariant, User, refuse_unknown_parameters
from serving.service import Service


def router(service: Service) -> APIRouter:
    """GET /recommendations/{user_id}."""
    routes = APIRouter(tags=["recommendations"])

    @routes.get("/recommendations/{user_id}", summary="A user's list, best first")
    async def recommendations(
        request: Request,
        user_id: User,
        n: Annotated[int, Query(ge=1, le=MAX_ITEMS, description="Length of the list.")] = 10,
        variant: ForcedVariant = None,
    ) -> Recommendations:
        refuse_unknown_parameters(request, {"n"})
        asked = RecommendationRequest(user_id=user_id, n=n, variant=variant)
        answer = await service.computed(service.recommender.recommend, asked)
        request.state.variant = answer.variant  # for CountRequests
        return answer

    return routes
