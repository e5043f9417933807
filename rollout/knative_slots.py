"""Slots in KServe's Knative mode: revisions of one InferenceService and its canaryTrafficPercent.

The slot of a revision is the name that it gives its metrics. The latest revision gets canaryTrafficPercent of the
traffic and the last one that had all of it gets the rest; without the field the latest gets all.
"""

from rollout.objects import INFERENCE_SERVICE, Object, Objects, modify, require
from rollout.slots import (
    BLUE,
    VARIANT_VARIABLE,
    Readiness,
    bundle_of,
    condition,
    container_of,
    other,
    set_bundle,
    set_variable,
    variable,
)

PERCENT = "canaryTrafficPercent"


class KnativeSlots:
    """InferenceService `<release>`; host is its public name, of which Knative derives those of the two revisions."""

    def __init__(self, objects: Objects, release: str, host: str = "") -> None:
        self._objects = objects
        self._release = release
        self._host = host

    def stable(self) -> str:
        """The latest revision's slot, or while that has not all of the traffic, the other one."""
        service = self._read()
        return (
            self._latest(service) if service["spec"]["predictor"].get(PERCENT) is None else other(self._latest(service))
        )

    def bundle(self, slot: str) -> str | None:
        """Known for stable alone, and while it is the latest revision: an InferenceService has one specification."""
        service = self._read()
        whole = service["spec"]["predictor"].get(PERCENT) is None and slot == self._latest(service)
        return bundle_of(container_of(service)) if whole else None

    def put(self, slot: str, bundle: str) -> None:
        """A new revision, without traffic from its first moment: name, bundle and percent change in one write."""

        def change(service: Object) -> None:
            container = container_of(service)
            if (bundle_of(container), self._latest(service)) == (bundle, slot):
                return
            set_variable(container, VARIANT_VARIABLE, slot)
            set_bundle(container, bundle)
            service["spec"]["predictor"][PERCENT] = 0

        modify(self._objects, INFERENCE_SERVICE, self._release, change)

    def readiness(self, slot: str, bundle: str) -> Readiness:
        """Whether the revision that was created last is the one that became ready last."""
        service = self._read()
        status = service.get("status", {})
        if (mode := status.get("deploymentMode", "Knative")) != "Knative":
            return Readiness(False, f"KServe runs {self._release} in mode {mode}, where nobody reads {PERCENT}: its "
                             "default mode must be Knative where the release's mode is")  # fmt: skip
        if status.get("observedGeneration", 0) < service["metadata"]["generation"]:
            return Readiness(False, f"KServe has not looked at {self._release} yet")
        predictor = status.get("components", {}).get("predictor", {})
        created, ready = predictor.get("latestCreatedRevision"), predictor.get("latestReadyRevision")
        if created is None or created != ready:
            return Readiness(False, f"revision {created or 'of ' + bundle} is not ready")
        return Readiness(*condition(service, "Ready"))

    def share(self, canary: str, percent: int) -> None:
        """0 and 100 too: everything to the revision before, and everything to the latest.

        While the canary is not the latest revision, there is nothing of it to share with.
        """

        def change(service: Object) -> None:
            if self._latest(service) != canary:
                return
            if percent == 100:
                service["spec"]["predictor"].pop(PERCENT, None)
            else:
                service["spec"]["predictor"][PERCENT] = percent

        modify(self._objects, INFERENCE_SERVICE, self._release, change)

    def headers(self, slot: str) -> dict[str, str]:
        """Knative's names by tag; KServe gives them out with the annotation enable-tag-routing."""
        tag = "latest" if slot == self._latest(self._read()) else "prev"
        return {"Host": f"{tag}-{self._host}"}

    def _read(self) -> Object:
        return require(self._objects, INFERENCE_SERVICE, self._release)

    def _latest(self, service: Object) -> str:
        return variable(container_of(service), VARIANT_VARIABLE) or BLUE
