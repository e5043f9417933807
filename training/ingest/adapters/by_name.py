"""Adapters by the name that params.yaml gives."""

from contracts.errors import InvalidInput
from training.ingest.adapters.source import Adapter


def adapter_named(name: str) -> Adapter:
    """The adapter's read function.

    Raises InvalidInput listing the adapters that exist.
    """
    from training.ingest.adapters import (
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
