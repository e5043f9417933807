"""What a replay sends and what came back: one JSON line a request, and one a list.

A file of requests may also be an impression log, or hold bare requests; a file of lists starts with its header.
"""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from contracts.api.answers import DegradedLevel
from contracts.api.requests import RecommendationRequest

NEW_ITEM_DAYS: Final = 28.0
"""An item is new while its bundle's item_age_days is below this; it has joined since, where the bundle lacks it."""


KNOWN: Final = "known user"
COLD: Final = "cold user"
"""Segments that every request is in one of: whether features of its user can be read."""


class ReplayPart(BaseModel):
    """Base of all lines: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SampledRequest(ReplayPart):
    """A request of a user under another name, with the features that an answer needs of them; None: not known."""

    request: RecommendationRequest
    features: dict[str, Any] | None


class ReplayHeader(ReplayPart):
    """First line of a file of lists: what made them, from what, as of when."""

    bundle_version: str
    num_items: int  # of the bundle's catalogue
    moment: float  # Unix seconds that the clock stood at
    requests_sha256: str  # of what is asked, so that lists of others are not compared
    skipped: int  # requests for later pages, which depend on the page before


class ReplayedItem(ReplayPart):
    """One line of a list."""

    item_id: str
    title: str
    new: bool  # see NEW_ITEM_DAYS


class ReplayedList(ReplayPart):
    """The answer to one request, or why there is none. Users have numbers here, in the order in which they came."""

    number: int  # of the request, from 1
    user: int
    surface: str
    segments: tuple[str, ...]  # known or cold user, and profile column = value of what is known
    asked: int  # length that was asked for
    refused: str | None = None
    level: DegradedLevel | None = None  # None where it was refused
    items: tuple[ReplayedItem, ...] = ()
    seconds: float = 0.0  # that the list took; the one field that differs from run to run
