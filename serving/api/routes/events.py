"""What users do, posted as it happens."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from contracts.api.answers import EventReceipt
from contracts.api.limits import MAX_EVENTS
from contracts.events.interactions import Interaction
from serving.api.access import CALLER, LOCKED
from serving.api.keys import Scope
from serving.api.routes.parameters import refuse_unclear_parameters
from serving.events.intake import required
from serving.events.metrics import InteractionMetrics
from serving.events.parsing import posted
from serving.service import Service

EXAMPLE = {
    "event_id": "5b1d0f3e",
    "event_type": "purchase",
    "user_id": "1",
    "item_id": "819063",
    "basket_id": "order-17",
    "quantity": 2,
    "price": 1.99,
}


def _event_schema() -> dict[str, Any]:
    """The schema of one event, whole: references of its own would point at nothing in the API page."""
    schema = Interaction.model_json_schema()
    schema["properties"]["event_type"] = schema.pop("$defs")["EventType"]
    return schema


# The body is read by hand, so that one bad event of a batch does not cost the others; this is what it may be.
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "oneOf": [
                        _event_schema(),
                        {
                            "type": "object",
                            "properties": {
                                "events": {
                                    "type": "array",
                                    "minItems": 1,
                                    "maxItems": MAX_EVENTS,
                                    "items": _event_schema(),
                                }
                            },
                            "required": ["events"],
                            "additionalProperties": False,
                        },
                    ]
                },
                "examples": {
                    "one": {"summary": "One event", "value": EXAMPLE},
                    "batch": {"summary": "A batch", "value": {"events": [EXAMPLE]}},
                },
            }
        },
    }
}


def router(service: Service) -> APIRouter:
    """POST /events."""
    routes = APIRouter(tags=["events"])
    metrics = InteractionMetrics(service.metrics.registry, service.list_ids)

    @routes.post(
        "/events",
        status_code=202,
        response_model=EventReceipt,
        summary="What users did: one event, or a batch",
        responses={400: {"model": EventReceipt, "description": "Not one event of the batch could be kept"}},
        openapi_extra=BODY,
        dependencies=LOCKED,
    )
    async def events(request: Request) -> JSONResponse:
        """202 once every accepted event is durable. Posting the same event_id of a user again is harmless: it
        counts as duplicate. An event that cannot be kept is rejected with its reason, and the others of its batch
        are kept. With a token of a user, events of others are rejected."""
        refuse_unclear_parameters(request, set())
        intake = required(service.intake)
        otherwise = datetime.fromtimestamp(service.seconds(), UTC)
        caller = CALLER.get()
        user_id = caller.only_user(Scope.EVENTS)
        found = posted(await request.body(), datetime.now(UTC), otherwise, user_id)
        caller.charge_events(len(found.events) + len(found.rejected) - 1)  # one was counted before the body was read
        taken = [event for event in found.events if not service.is_erased(event.user_id)]
        kept = await asyncio.wrap_future(intake.keep(taken)) if taken else []
        await _take_back(service, {event.user_id for event in taken})
        receipt = EventReceipt(
            accepted=sum(kept),
            duplicate=len(kept) - sum(kept),
            suppressed=len(found.events) - len(taken),
            rejected=found.rejected,
        )
        if not caller.is_forced:
            _count(metrics, service.variants(), taken, kept, receipt)
        return JSONResponse(receipt.model_dump(), 202 if found.events else 400)

    return routes


async def _take_back(service: Service, users: set[str]) -> None:
    """Removes what was written of users who were erased while it was on its way to the disk."""
    erased = {user_id for user_id in users if service.is_erased(user_id)}
    if erased:
        await asyncio.to_thread(required(service.intake).interactions.erase, erased.__contains__)


def _count(
    metrics: InteractionMetrics,
    variants: Sequence[str],
    events: Sequence[Interaction],
    kept: Sequence[bool],
    receipt: EventReceipt,
) -> None:
    metrics.accepted([event for event, new in zip(events, kept, strict=True) if new], variants)
    metrics.refused("rejected", len(receipt.rejected))
    metrics.refused("duplicate", receipt.duplicate)
    metrics.refused("suppressed", receipt.suppressed)
