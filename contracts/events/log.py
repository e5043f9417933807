"""Names in the durable log that its writers (serving) and its readers (serving, training) share."""

from typing import Final

from contracts.errors import InvalidInput

INTERACTIONS: Final = "interactions"
"""Stream of what users did: contracts.events.interactions.Interaction as JSON."""
ITEMS: Final = "items"
"""Stream of changes to the catalogue: contracts.events.items.CatalogueItem as JSON."""
STREAMS: Final = (INTERACTIONS, ITEMS)

SQLITE: Final = "sqlite:///"
REDIS: Final = ("redis://", "rediss://")
PAYLOAD: Final = "payload"
"""Column of a stream's table in SQLite, field of an entry in Redis."""


def redis_key(stream: str, what: str = "stream") -> str:
    """The key of a stream, or of something that belongs to it. The braces keep them on one node of a Redis cluster."""
    return f"{{tandem:{stream}}}:{what}"


def sqlite_path(url: str) -> str | None:
    """The file of a sqlite:/// URL, or None for a Redis.

    Raises InvalidInput for a URL that is neither.
    """
    if url.startswith(SQLITE) and len(url) > len(SQLITE):
        return url.removeprefix(SQLITE)
    if url.startswith(REDIS):
        return None
    raise InvalidInput(f"The event log {url!r} is neither sqlite:///path/to/file nor redis://host:port/database.")
