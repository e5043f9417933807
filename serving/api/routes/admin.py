"""What serves, and what is to serve instead."""

import asyncio

from fastapi import APIRouter

from contracts.api.answers import BundleCard
from contracts.api.requests import BundleChange
from contracts.errors import InvalidInput, TandemError
from serving.api.access import CALLER, LOCKED
from serving.api.keys import Scope
from serving.bundles.live_releases import public_text
from serving.service import Service


class ChangeRefused(InvalidInput):
    """A bundle that was asked for by name and does not serve; the one before it goes on."""

    http_status = 409


def router(service: Service) -> APIRouter:
    """GET /bundle and POST /admin/bundle."""
    routes = APIRouter(tags=["release"])

    @routes.get("/bundle", summary="What serves right now, and what was refused last")
    async def bundle() -> BundleCard:
        """Ids of users are named to those who may see histories."""
        return _card(service)

    @routes.post("/admin/bundle", summary="Serve another bundle version", dependencies=LOCKED)
    async def change_bundle(asked: BundleChange) -> BundleCard:
        """Answers when it serves. Without a version, what TANDEM_BUNDLE_DIR names is read again.

        The version lies in the same folder or prefix as the one the server was started with. A restart forgets the
        change. Ids of users are named to those who may see histories.
        """
        actor = CALLER.get().actor()
        await asyncio.to_thread(service.audit.record, actor, "bundle.change", version=asked.version or "current")
        try:  # not in the worker: it goes on answering
            await asyncio.to_thread(service.releases.change, asked.version)
        except TandemError as error:
            await asyncio.to_thread(service.audit.record, actor, "bundle.refused", version=asked.version or "current")
            raise ChangeRefused(public_text(error)) from error
        return _card(service)

    return routes


def _card(service: Service) -> BundleCard:
    """What serves, with the ids that the caller may see: none without the scope of histories, never an erased one."""
    card = service.releases.card()
    known = card.example_user_ids if CALLER.get().may(Scope.HISTORY) else []
    return card.model_copy(update={"example_user_ids": [one for one in known if not service.is_erased(one)]})
