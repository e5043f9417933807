"""Events as a client posts them: what is impossible is refused."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.events.interactions import Interaction, fresh_event


def interaction(**fields: Any) -> Interaction:
    return Interaction.model_validate({"event_id": "e1", "event_type": "purchase", "user_id": "u"} | fields)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "item_id is required for purchase"),
        ({"item_id": "i", "event_type": "buy"}, "Input should be 'view'"),
        ({"item_id": "i", "event_timestamp": "2024-01-01T10:00:00"}, "timezone"),
        ({"item_id": "i", "quantity": 0}, "greater than or equal to 1"),
        ({"item_id": "i", "price": -1.0}, "greater than or equal to 0"),
        ({"item_id": "i", "price": float("inf")}, "less than or equal to"),
        ({"item_id": "x" * 129}, "at most 128 characters"),
        ({"item_id": "i", "colour": "red"}, "Extra inputs"),
    ],
)
def test_an_impossible_event_is_refused_with_what_was_expected(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        interaction(**fields)


def test_an_event_without_a_moment_has_that_of_its_arrival() -> None:
    arrived = datetime(2024, 5, 1, tzinfo=UTC)
    own = datetime(2024, 4, 1, tzinfo=UTC)
    assert interaction(item_id="i").at(arrived).event_timestamp == arrived
    assert interaction(item_id="i", event_timestamp=own).at(arrived).event_timestamp == own
    assert fresh_event(interaction(item_id="i").at(arrived)).seconds == int(arrived.timestamp())
    with pytest.raises(ValueError, match="no moment"):
        fresh_event(interaction(item_id="i"))
