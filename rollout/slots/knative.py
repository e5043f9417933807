"""Slots in KServe's Knative mode: revisions of one InferenceService and its canaryTrafficPercent.

The slot of a revision is the name that it gives its metrics. The latest revision gets canaryTrafficPercent of the
traffic and the last one that had all of it gets the rest; without the field the latest gets all.
"""

from rollout.cluster.objects import INFERENCE_SERVICE, KNATIVE_SERVICE, ClusterProblem, Object, Objects, modify, require
from rollout.slots.slots import (
    BLUE,
    CONTAINER,
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

KNATIVE = "Knative"
PERCENT = "canaryTrafficPercent"


class KnativeSlots:
    """InferenceService `<release>`; host is its public name, from which Knative derives both revisions' names."""

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
        """A new revision, without traffic from its first moment: name, bundle and percent change in one write.

        Nothing while KServe has not noted the last promotion: it would give the rest to the revision before that one.
        """

        def change(service: Object) -> None:
            container = container_of(service)
            if (bundle_of(container), self._latest(service)) == (bundle, slot) or _promotion_under_way(service):
                return
            set_variable(container, VARIANT_VARIABLE, slot)
            set_bundle(container, bundle)
            service["spec"]["predictor"][PERCENT] = 0

        modify(self._objects, INFERENCE_SERVICE, self._release, change)

    def readiness(self, slot: str, bundle: str) -> Readiness:
        """Whether the revision of that bundle is the latest one that was created, and the latest that became ready.

        Knative's own service is asked: the generation in KServe's status belongs to another object.
        """
        service = self._read()
        below = self._objects.get(KNATIVE_SERVICE, f"{self._release}-predictor")
        if below is None or _asked_of(below) != (slot, bundle):
            return Readiness(False, f"KServe has not passed {bundle} on to {self._release}-predictor yet")
        if missing := _missing_revision(below):
            return Readiness(False, missing)
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
        """The InferenceService. Raises ClusterProblem where KServe runs it in a mode without percents."""
        service = require(self._objects, INFERENCE_SERVICE, self._release)
        if (mode := service.get("status", {}).get("deploymentMode", KNATIVE)) != KNATIVE:
            raise ClusterProblem(
                f"KServe runs InferenceService {self._release} in mode {mode}, where nobody reads {PERCENT}; set "
                "KServe's default mode to Knative before the release is installed, or the release's mode to Standard"
            )
        return service

    def _latest(self, service: Object) -> str:
        return variable(container_of(service), VARIANT_VARIABLE) or BLUE


def _promotion_under_way(service: Object) -> bool:
    """Whether the latest ready revision gets everything and KServe still names another as the one rolled out last."""
    predictor = service.get("status", {}).get("components", {}).get("predictor", {})
    ready, rolled_out = predictor.get("latestReadyRevision"), predictor.get("latestRolledoutRevision")
    return service["spec"]["predictor"].get(PERCENT) is None and bool(rolled_out) and ready != rolled_out


def _asked_of(below: Object) -> tuple[str | None, str | None]:
    """(slot, bundle) of the revision that Knative was asked for last."""
    container = next(one for one in below["spec"]["template"]["spec"]["containers"] if one.get("name") == CONTAINER)
    return variable(container, VARIANT_VARIABLE), bundle_of(container)


def _missing_revision(below: Object) -> str:
    """What is missing of the revision that was asked for; empty when it is ready."""
    status, name = below.get("status", {}), below["metadata"]["name"]
    if status.get("observedGeneration", 0) < below["metadata"]["generation"]:
        return f"Knative has not looked at {name} yet"
    created, ready = status.get("latestCreatedRevisionName"), status.get("latestReadyRevisionName")
    return "" if created and created == ready else f"revision {created or 'of ' + name} is not ready"
