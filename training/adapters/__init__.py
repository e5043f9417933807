"""One module a source; each yields the canonical events, users and items."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import ibis

from contracts.errors import InvalidInput


@dataclass(frozen=True)
class SourceOptions:
    """What the user says about a source: where it lies and how its columns are called."""

    path: str = ""  # a folder, or a URL that fsspec knows
    mapping: Mapping[str, str] = field(default_factory=dict)  # dotted keys, as training.adapters.mapping reads them


@dataclass(frozen=True)
class Source:
    """What an adapter yields: tables with columns of contracts.events, unchecked; a column left out is null.

    A table may carry `reason` (why the adapter could not read the row, else null) and `raw` (its text).
    """

    events: ibis.Table
    users: ibis.Table
    items: ibis.Table
    time_zone: str  # IANA name of the shop's local time; events are UTC
    notices: tuple[str, ...] = ()  # what the licence of the data asks to be said
    item_vectors: ibis.Table | None = None  # item_id, vector: an embedding that came with the catalogue
    truth: Mapping[str, ibis.Table] = field(default_factory=dict)  # of made-up data: what an oracle knows, by name


Adapter = Callable[[ibis.BaseBackend, SourceOptions], Source]


def adapter_named(name: str) -> Adapter:
    """The adapter's read function.

    Raises InvalidInput listing the adapters that exist.
    """
    from training.adapters import (
        clickstream,
        complete_journey,
        ecommerce,
        event_log,
        instacart,
        retail_baskets,
        synthetic,
    )

    adapters: dict[str, Adapter] = {
        "clickstream": clickstream.read,
        "complete-journey": complete_journey.read,
        "ecommerce": ecommerce.read,
        "event-log": event_log.read,
        "instacart": instacart.read,
        "retail-baskets": retail_baskets.read,
        "synthetic": synthetic.read,
    }
    if name not in adapters:
        raise InvalidInput(f"There is no adapter {name!r}. Available: {', '.join(sorted(adapters))}.")
    return adapters[name]
