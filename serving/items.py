"""What goes with an item."""

from contracts import features as names
from contracts.api import AlsoBought, Companion
from contracts.vocabulary import OUT_OF_VOCABULARY
from serving.features import FeatureLookup
from serving.metrics import Metrics
from serving.releases import Releases


class Items:
    """Companions of items."""

    def __init__(self, releases: Releases, lookup: FeatureLookup, metrics: Metrics) -> None:
        self._releases = releases
        self._lookup = lookup
        self._metrics = metrics

    def also_bought(self, item_id: str) -> AlsoBought:
        """What was bought together with an item. Raises OnlineStoreError.

        A companion that this bundle's catalogue lacks is left out: it could not be shown.
        """
        bundle = self._releases.serving().bundle
        with self._metrics.stage("features"):
            companions = self._lookup.companions(item_id)
        codes = bundle.vocabularies[names.ITEM_ID].encode(companion for companion, _ in companions)
        items = [
            Companion(
                item_id=companion,
                title=bundle.titles[code - 1],
                department=bundle.departments[code - 1],
                baskets=baskets,
            )
            for (companion, baskets), code in zip(companions, codes, strict=True)
            if code != OUT_OF_VOCABULARY
        ]
        return AlsoBought(item_id=item_id, items=items)
