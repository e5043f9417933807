"""Lists for users."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from contracts.api.answers import BatchAnswers, Recommendations, Refusal
from contracts.api.requests import BatchRequest, ListOptions, RecommendationRequest
from serving.api.access import CALLER
from serving.api.keys import Scope
from serving.api.routes.parameters import ForcedVariant, User, refuse_unclear_parameters
from serving.service import Lists, Service

EXPLAINED = 4
"""Lists that one with reasons counts as: it reads the store once more for each item."""
REFUSED: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "What was asked cannot be answered; `error` says why and what would work."}
}


def router(service: Service) -> APIRouter:
    """GET /recommendations/{user_id} and POST /recommendations."""
    routes = APIRouter(tags=["recommendations"], responses=REFUSED)

    @routes.get("/recommendations/{user_id}", summary="A user's list, best first", response_model=Recommendations)
    async def recommendations(
        request: Request, user_id: User, options: Annotated[ListOptions, Query()], variant: ForcedVariant = None
    ) -> Response:
        """An unknown user gets what is popular, or with `context` what fits it; `degraded_level` says which.

        Repeats are in the list unless `include_seen` is false. There are `n` items, or `shortfall` says how many are
        missing and `shortfall_reason` why. Filters work inside retrieval: a rare category still fills the list.
        """
        refuse_unclear_parameters(request, set(ListOptions.model_fields))
        return await answered(service, request, asked(user_id, options, variant))

    @routes.post("/recommendations", summary="Lists for several users", response_model=BatchAnswers)
    async def batch(body: BatchRequest) -> Response:
        """Each request has the fields of GET /recommendations/{user_id} and its `user_id`; answers are in order.

        Each is answered from one bundle. Other clients are answered in between.
        """
        written = []
        for answer in await lists_for_caller(service.lists, body.requests):
            written.append(_written(service, answer))
            await asyncio.sleep(0)  # to write them all takes as long as ten lists: others are read in between
        return Response(f'{{"answers":[{",".join(written)}]}}', media_type="application/json")

    return routes


async def answered(service: Service, request: Request, asking: RecommendationRequest) -> Response:
    """The list. Raises TandemError."""
    answer = await service.lists.answer(asking, **_as_the_caller_may([asking], counted=1))
    request.state.variant = answer.variant  # for CountRequests
    # FastAPI would validate what is an answer already and write it with two passes.
    return Response(_written(service, answer), media_type="application/json")


def _written(service: Service, answer: Recommendations) -> str:
    """The answer's JSON. One that cannot be written counts against its bundle: what a request says was checked."""
    try:
        return answer.model_dump_json()
    except ValueError:
        service.releases.unwritten(answer.bundle_version)
        raise


def asked(user_id: str, options: ListOptions, variant: str | None = None) -> RecommendationRequest:
    """The request that a path, its query parameters and the variant's header make."""
    return RecommendationRequest(user_id=user_id, variant=variant, **options.model_dump(exclude_unset=True))


async def lists_for_caller(lists: Lists, requests: Sequence[RecommendationRequest]) -> list[Recommendations]:
    """A list for each, in order, as the caller may have it. Raises TandemError."""
    return await lists.answers(requests, **_as_the_caller_may(requests, counted=1))


def _as_the_caller_may(requests: Sequence[RecommendationRequest], counted: int) -> dict[str, bool]:
    """How `Lists` answers these. counted: lists that the caller's rate has been charged for before the body was read.

    Raises NotAllowed, LacksScope or TooManyRequests.
    """
    caller = CALLER.get(None)
    if caller is None:  # a route alone, without CheckAccess in front
        return {"shown": True}
    explained = [asking for asking in requests if asking.explain]
    for asking in explained:  # a reason says what the user has bought
        caller.require_of(Scope.HISTORY, asking.user_id)
    caller.charge(len(requests) + len(explained) * (EXPLAINED - 1) - counted)
    shown = {"shown": not caller.is_mirrored}
    return shown | {"compared": False} if caller.is_forced else shown
