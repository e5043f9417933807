"""Limits of one request; a larger number is refused with the limit named."""

from typing import Annotated, Final

from pydantic import Field

from contracts.limits import MAX_ID

MAX_ITEMS: Final = 100
"""Items of one list."""
MAX_BATCH: Final = 64
"""Requests in one body."""
MAX_CANDIDATES: Final = 1000
"""Items that retrieval finds or ranking orders."""
MAX_HISTORY: Final = 200
"""Purchases of one user."""
MAX_EVENTS: Final = 1000
"""Interactions in one body."""
MAX_EVENTS_BYTES: Final = 1_000_000
"""Size of such a body."""
MAX_CONTEXT: Final = 50
"""Items of a page or basket that one request names."""
MAX_PAGE_TOKEN: Final = 6000
"""Characters of a token for the next page."""
MAX_SEGMENT: Final = 10
"""Profile values that one request may name."""

UserId = Annotated[str, Field(min_length=1, max_length=MAX_ID, description="Id of the user, as in the event log.")]
BundleVersion = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="As `tandem bundle` names it."),
]
ItemId = Annotated[str, Field(min_length=1, max_length=MAX_ID, description="Id of the item, as in the catalogue.")]
