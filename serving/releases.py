"""Which bundle answers a user: one immutable snapshot for the whole request, so that parts are never mixed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from contracts.api import BundleCard
from serving.bundle import LoadedBundle


@dataclass(frozen=True)
class Assigned:
    """What one request is answered with."""

    bundle: LoadedBundle
    variant: str
    propensity: float = 1.0  # of this user getting this variant


class Releases(Protocol):
    """The bundles that serve."""

    def assigned(self, user_id: str) -> Assigned:
        """The snapshot for a user; the same user gets the same variant every time."""
        ...

    def serving(self) -> Assigned:
        """The snapshot for requests that are about no user."""
        ...

    def replace(self, change: Callable[[LoadedBundle], LoadedBundle]) -> None:
        """Serves changed copies of the bundles that serve; requests that have begun keep what they have."""
        ...


class OneRelease:
    """One bundle for everybody."""

    def __init__(self, bundle: LoadedBundle, variant: str) -> None:
        self._assigned = Assigned(bundle, variant)

    def assigned(self, user_id: str) -> Assigned:
        """The one there is."""
        return self._assigned

    def serving(self) -> Assigned:
        """The one there is."""
        return self._assigned

    def replace(self, change: Callable[[LoadedBundle], LoadedBundle]) -> None:
        """One assignment: a request sees the one or the other."""
        self._assigned = Assigned(change(self._assigned.bundle), self._assigned.variant)


def card(assigned: Assigned) -> BundleCard:
    """What a bundle says of itself."""
    manifest = assigned.bundle.manifest
    return BundleCard(
        bundle_version=manifest.bundle_version,
        created_at=manifest.created_at,
        data_end=datetime.fromtimestamp(manifest.data_end_timestamp, UTC).isoformat(),
        num_items=manifest.num_items,
        metrics=manifest.metrics,
        example_user_ids=manifest.example_user_ids,
    )
