"""Items as they are now: new ones, prices and stock."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Body, Request
from pydantic import Field

from contracts.api.requests import Request as ApiRequest
from contracts.events.items import MAX_CHANGED_ITEMS, CatalogueItem, CatalogueReceipt
from serving.api.access import CALLER, LOCKED
from serving.api.routes.parameters import refuse_unclear_parameters
from serving.events.intake import required
from serving.service import Service

AUDITED_ITEMS = 20
"""Ids of one request that the audit log names; it has the number of all."""


class CatalogueChanges(ApiRequest):
    """Several items at once."""

    items: Annotated[list[CatalogueItem], Field(min_length=1, max_length=MAX_CHANGED_ITEMS, fail_fast=True)]


EXAMPLE = {"item_id": "new-1", "title": "Oat drink 1 l", "department": "GROCERY", "price": 2.49, "in_stock": True}
EXAMPLES = {
    "one": {"summary": "One item", "value": EXAMPLE},
    "several": {"summary": "Several", "value": {"items": [EXAMPLE]}},
}


def router(service: Service) -> APIRouter:
    """POST /items."""
    routes = APIRouter(tags=["items"])

    @routes.post(
        "/items",
        status_code=202,
        summary="A new item, or the price, stock or title of one that is there",
        dependencies=LOCKED,
    )
    async def change(
        request: Request,
        changes: Annotated[CatalogueItem | CatalogueChanges, Body(openapi_examples=EXAMPLES)],
    ) -> CatalogueReceipt:
        """202 once the change is durable; every server has it in effect within seconds. A new item is placed by its
        content near items that are like it, and can be in lists from then on."""
        refuse_unclear_parameters(request, set())
        items = changes.items if isinstance(changes, CatalogueChanges) else [changes]
        ids = [item.item_id for item in items[:AUDITED_ITEMS]]
        await asyncio.to_thread(
            service.audit.record, CALLER.get().actor(), "items.change", items=len(items), first_ids=ids
        )
        kept = await asyncio.wrap_future(required(service.intake).change(items))
        return CatalogueReceipt(accepted=sum(kept))

    return routes
