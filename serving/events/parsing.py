"""A posted body to events: each one understood, or rejected with its reason."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from contracts.api.answers import RejectedEvent
from contracts.api.limits import MAX_EVENTS, MAX_EVENTS_BYTES
from contracts.errors import InvalidInput, faults_of
from contracts.events.interactions import Interaction

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
CLOCKS_DIFFER = timedelta(minutes=5)
"""How far ahead of ours a client's clock may be."""
BATCH = TypeAdapter(list[Interaction])


class BodyTooLarge(InvalidInput):
    """The body carries more than one request may."""

    http_status = 413


@dataclass(frozen=True)
class ParsedEvents:
    """Events of one request."""

    events: list[Interaction]
    rejected: list[RejectedEvent] = field(default_factory=list)


def posted(body: bytes, arrived: datetime, otherwise: datetime, only_user: str | None = None) -> ParsedEvents:
    """The events of a body: one event, or {"events": [...]}.

    arrived is when they came, otherwise the moment of an event that brings none. only_user: whose alone they may be.
    Raises InvalidInput for a body that is neither, and for a single event that cannot be kept; BodyTooLarge.
    """
    instances, single = _instances(body)
    try:
        events = BATCH.validate_python(instances)
    except ValidationError:
        found = _one_by_one(instances)
    else:
        found = ParsedEvents(events)
    result = _to_be_kept(found, instances, arrived, otherwise, only_user)
    if single and result.rejected:
        raise InvalidInput(f"The event cannot be kept: {result.rejected[0].reason}.")
    return result


def _instances(body: bytes) -> tuple[list[Any], bool]:
    if len(body) > MAX_EVENTS_BYTES:
        raise BodyTooLarge(f"The body has {len(body)} bytes, at most {MAX_EVENTS_BYTES} are taken at once.")
    try:
        content = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidInput(f"The body is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise InvalidInput('The body must be one event, or {"events": [...]}.')
    if "events" not in content:
        return [content], True
    instances = content["events"]
    if set(content) != {"events"} or not isinstance(instances, list):
        raise InvalidInput('A batch must be {"events": [...]} and nothing else.')
    if not instances:
        raise InvalidInput(f"No event was sent, 1 to {MAX_EVENTS} are taken at once.")
    if len(instances) > MAX_EVENTS:
        raise BodyTooLarge(f"{len(instances)} events were sent, 1 to {MAX_EVENTS} are taken at once.")
    return instances, False


def _one_by_one(instances: list[Any]) -> ParsedEvents:
    """Slower, and says of each event what is wrong with it; the good ones keep their places."""
    found = ParsedEvents([])
    for position, instance in enumerate(instances):
        try:
            found.events.append(Interaction.model_validate(instance))
        except ValidationError as error:
            found.rejected.append(_rejected(position, instance, "; ".join(faults_of(error, "event", of=Interaction))))
    return found


def _to_be_kept(
    found: ParsedEvents, instances: list[Any], arrived: datetime, otherwise: datetime, only_user: str | None
) -> ParsedEvents:
    """The events with their moment; impossible moments and events of other users are rejected as well."""
    bad = {rejected.position for rejected in found.rejected}
    positions = [position for position in range(len(instances)) if position not in bad]
    kept, rejected = [], list(found.rejected)
    for position, event in zip(positions, found.events, strict=True):
        reason = _fault(event, arrived, only_user)
        if reason is None:
            kept.append(event.at(otherwise))
        else:
            rejected.append(_rejected(position, instances[position], reason))
    return ParsedEvents(kept, sorted(rejected, key=lambda one: one.position))


def _fault(event: Interaction, arrived: datetime, only_user: str | None) -> str | None:
    moment = event.event_timestamp
    if moment is not None and not EARLIEST <= moment <= arrived + CLOCKS_DIFFER:
        return f"event_timestamp {moment.isoformat()} is before {EARLIEST.year} or in the future"
    if only_user is not None and event.user_id != only_user:
        return "user_id is not the user whose token was sent"
    return None


def _rejected(position: int, instance: Any, reason: str) -> RejectedEvent:
    event_id = instance.get("event_id") if isinstance(instance, dict) else None
    return RejectedEvent(
        position=position, event_id=event_id[:128] if isinstance(event_id, str) else None, reason=reason
    )
