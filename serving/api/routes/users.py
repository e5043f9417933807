"""What is known of a user, and how it is forgotten."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request

from contracts.api.answers import History
from contracts.api.limits import MAX_HISTORY
from contracts.audit.audit_log import Actor
from contracts.erasure.receipt import Receipt
from serving.api.access import CALLER, LOCKED
from serving.api.routes.parameters import User, refuse_unclear_parameters
from serving.erasure.server_erasure import PIPELINE, NoErasures, learned_from, receipt_of
from serving.service import Service


def router(service: Service) -> APIRouter:
    """GET /users/{user_id}/history and DELETE /users/{user_id}."""
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
        refuse_unclear_parameters(request, {"n"})
        return await service.computed(service.users.history, user_id, n)

    @routes.delete(
        "/users/{user_id}",
        summary="Take a person out of everything this server writes, for good",
        dependencies=LOCKED,
    )
    async def erase(request: Request, user_id: User) -> Receipt:
        """The receipt says where something was found, and which bundles have learned from the person until when. The
        id is refused from now on: no event of it is kept, and no ingest brings it back."""
        refuse_unclear_parameters(request, set())
        return await asyncio.to_thread(erased, service, user_id, CALLER.get().actor())

    return routes


def erased(service: Service, user_id: str, actor: Actor) -> Receipt:
    """The receipt of an erasure from this server's stores. Raises TandemError."""
    if service.suppressed is None or service.stores is None:
        raise NoErasures("This server erases nobody. Start it with TANDEM_ERASURES=FOLDER, which keeps who was erased.")
    service.audit.record(actor, "user.erase", person=service.suppressed.pseudonym(user_id))
    found = service.stores.erase(service.suppressed, user_id)
    bundles = learned_from(service.releases.bundles(), user_id, service.settings.bundle_life_days)
    return receipt_of(service.suppressed, user_id, found, bundles, service.settings.receipt_key, [PIPELINE])
