"""What a shop calls its events, and which of our types each is."""

from collections.abc import Mapping
from typing import Any
from unicodedata import normalize

from contracts.errors import InvalidInput
from contracts.events.schema import WITHOUT_ITEM, EventType
from training.ingest.adapters.mapping import EVENT_TYPES
from training.ingest.adapters.source import CANCEL, IGNORE, RETURN
from training.ingest.files.nested import WITHOUT_ITEMS
from training.ingest.values.columns import Columns
from training.ingest.values.text_function import text_function

EVENT_NAMES = {kind.value: kind.value for kind in EventType} | {
    "cart": EventType.CART_ADD.value,
    "add_to_cart": EventType.CART_ADD.value,
    "addtocart": EventType.CART_ADD.value,
    "remove_from_cart": EventType.CART_REMOVE.value,
    "view_item": EventType.VIEW.value,
    "transaction": EventType.PURCHASE.value,
    "order": EventType.PURCHASE.value,
}
"""Understood without a mapping."""
IGNORED = "ignored"


def plain(name: str) -> str:
    """The name without its case and the blanks around it, and with each accent in one character with its letter.

    Queries ask it too: the engine's own lower case differs, of the Turkish I and the Greek last sigma.
    """
    return normalize("NFC", name.strip().casefold())


def event_types_of(mapping: Mapping[str, str]) -> dict[str, str]:
    """The source's names of events, as `plain` has them, and ours.

    Raises InvalidInput naming every one that is mapped to no type of ours, or to two that differ in case alone.
    """
    own = {key.removeprefix(EVENT_TYPES): kind for key, kind in mapping.items() if key.startswith(EVENT_TYPES)}
    known = [*(kind.value for kind in EventType), IGNORE] + ([RETURN] if mapping.get("returns") else [])
    if unknown := [f"{name}: {kind}" for name, kind in own.items() if kind not in known]:
        more = ""
        if RETURN in own.values() and RETURN not in known:
            more = f" {RETURN} is one as well where `returns: {CANCEL}` or `returns: {IGNORE}` says what returns do."
        raise InvalidInput(
            f"event_types maps to unknown event types: {', '.join(unknown)}. There are {', '.join(known)}.{more}"
        )
    names: dict[str, str] = {}
    for name, kind in own.items():
        if names.setdefault(spelt := plain(name), kind) != kind:
            raise InvalidInput(
                f"event_types says two things of {spelt!r}: {names[spelt]} and {kind}. Case is not read."
            )
    return names


def event_type(rows: Columns, mapping: Mapping[str, str]) -> Any:
    """Our name of each event, whatever the case of the source's and the blanks around it.

    Rows of a type that the mapping says to ignore are no fault of the data. Raises InvalidInput for a constant that is
    no event type.
    """
    own = event_types_of(mapping)
    names = EVENT_NAMES | own
    constant = rows.option("event_type", "value")
    if constant and (kind := plain(constant)) not in (*names, *names.values()):
        kinds = ", ".join(kind.value for kind in EventType)
        raise InvalidInput(f"Every row is said to be a {kind!r}, which is not an event type. There are {kinds}.")
    written = text_function(plain)(rows.text("event_type"))
    kind = written.substitute(dict(names))
    if ignored := [name for name, kind in own.items() if kind == IGNORE]:
        rows.leave_out(written.isin(ignored).fill_null(False), IGNORED)
    if mapping.get("interactions.rows"):  # lists that may be empty
        rows.excuse(WITHOUT_ITEMS, kind.isin([*(kind.value for kind in WITHOUT_ITEM), IGNORE]).fill_null(False))
    return kind
