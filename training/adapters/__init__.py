"""One module a source; each yields the canonical events, users and items."""

from collections.abc import Callable
from dataclasses import dataclass

import ibis

from contracts.errors import InvalidInput


@dataclass(frozen=True)
class Source:
    """What an adapter yields: tables with at least the columns of contracts.events, unchecked."""

    events: ibis.Table
    users: ibis.Table
    items: ibis.Table
    time_zone: str  # IANA name of the shop's local time; events are UTC
    notices: tuple[str, ...] = ()  # what the licence of the data asks to be said


Adapter = Callable[[ibis.BaseBackend], Source]


def adapter_named(name: str) -> Adapter:
    """The adapter's read function.

    Raises InvalidInput listing the adapters that exist.
    """
    from training.adapters import complete_journey

    adapters: dict[str, Adapter] = {"complete-journey": complete_journey.read}
    if name not in adapters:
        raise InvalidInput(f"There is no adapter {name!r}. Available: {', '.join(sorted(adapters))}.")
    return adapters[name]
