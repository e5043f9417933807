"""Which bundle answers a user: one immutable snapshot for the whole request, so that parts are never mixed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from contracts.errors import InvalidInput
from serving.bundles.bundle import LoadedBundle
from serving.bundles.experiment import CHALLENGER, Experiment
from serving.bundles.health import Outcome


@dataclass(frozen=True)
class Assigned:
    """What one request is answered with."""

    bundle: LoadedBundle
    variant: str
    propensity: float = 1.0  # of this user getting this variant
    forced: bool = False  # asked for by name, so no part of the experiment


class Releases(Protocol):
    """The bundles that serve."""

    def assigned(self, user_id: str, variant: str | None = None) -> Assigned:
        """The snapshot for a user; the same user gets the same variant every time, unless one is named.

        Raises InvalidInput for a variant that does not serve.
        """
        ...

    def serving(self) -> Assigned:
        """The snapshot for requests that are about no user."""
        ...

    def answered(self, assigned: Assigned, outcome: Outcome) -> None:
        """What a request got of its bundle."""
        ...

    def replace(self, change: Callable[[LoadedBundle], LoadedBundle]) -> None:
        """Serves changed copies of the bundles that serve; requests that have begun keep what they have."""
        ...


@dataclass(frozen=True)
class Live:
    """What serves at one moment, never changed: a request reads it once, a swap puts another one in its place."""

    stable: LoadedBundle
    variant: str
    challenger: LoadedBundle | None = None
    experiment: Experiment | None = None  # set with the challenger

    def assigned(self, user_id: str, variant: str | None = None) -> Assigned:
        """The snapshot for a user."""
        if variant is not None:
            return self._forced(variant)
        if self.challenger is None or self.experiment is None:
            return Assigned(self.stable, self.variant)
        share = self.experiment.share
        if self.experiment.gets_challenger(user_id):
            return Assigned(self.challenger, CHALLENGER, propensity=share)
        return Assigned(self.stable, self.variant, propensity=1.0 - share)

    def versions(self) -> dict[str, str]:
        """Bundle version by variant."""
        challenger = {CHALLENGER: self.challenger.manifest.bundle_version} if self.challenger else {}
        return {self.variant: self.stable.manifest.bundle_version} | challenger

    def _forced(self, variant: str) -> Assigned:
        if variant == self.variant:
            return Assigned(self.stable, variant, forced=True)
        if variant == CHALLENGER and self.challenger is not None:
            return Assigned(self.challenger, variant, forced=True)
        raise InvalidInput(f"Variant {variant!r} does not serve here; there is {' and '.join(self.versions())}.")


class OneRelease:
    """One bundle for everybody, for as long as the process lives."""

    def __init__(self, bundle: LoadedBundle, variant: str) -> None:
        self._live = Live(bundle, variant)

    def assigned(self, user_id: str, variant: str | None = None) -> Assigned:
        """The one there is."""
        return self._live.assigned(user_id, variant)

    def serving(self) -> Assigned:
        """The one there is."""
        return Assigned(self._live.stable, self._live.variant)

    def answered(self, assigned: Assigned, outcome: Outcome) -> None:
        """Nothing: there is no other to go back to."""

    def replace(self, change: Callable[[LoadedBundle], LoadedBundle]) -> None:
        """One assignment: a request sees the one or the other."""
        self._live = replace(self._live, stable=change(self._live.stable))
