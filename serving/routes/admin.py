"""What serves, for operators."""

from fastapi import APIRouter

from contracts.api import BundleCard
from serving.releases import card
from serving.service import Service


def router(service: Service) -> APIRouter:
    """GET /bundle."""
    routes = APIRouter(tags=["release"])

    @routes.get("/bundle", summary="What serves right now")
    async def bundle() -> BundleCard:
        return card(service.releases.serving())

    return routes
