"""Slots in KServe's Standard mode: two InferenceServices behind the weights of one HTTPRoute."""

from contracts.api.records import SLOT_HEADER
from rollout.cluster.objects import (
    DEPLOYMENT,
    HTTP_ROUTE,
    INFERENCE_SERVICE,
    ClusterProblem,
    Object,
    Objects,
    modify,
    require,
)
from rollout.slots.slots import BLUE, CONTAINER, GREEN, Readiness, bundle_of, condition, container_of, other, set_bundle


class StandardSlots:
    """`<release>-blue` and `<release>-green` behind HTTPRoute `<release>`."""

    def __init__(self, objects: Objects, release: str) -> None:
        self._objects = objects
        self._release = release

    def stable(self) -> str:
        """The slot with the larger weight; blue while nobody has any."""
        weights = self._weights(require(self._objects, HTTP_ROUTE, self._release))
        return GREEN if weights[GREEN] > weights[BLUE] else BLUE

    def bundle(self, slot: str) -> str | None:
        """What the InferenceService asks for."""
        service = self._objects.get(INFERENCE_SERVICE, self._service(slot))
        return None if service is None else bundle_of(container_of(service))

    def put(self, slot: str, bundle: str) -> None:
        """Changes one variable; KServe then replaces the slot's pods."""
        modify(
            self._objects,
            INFERENCE_SERVICE,
            self._service(slot),
            lambda service: set_bundle(container_of(service), bundle),
        )

    def readiness(self, slot: str, bundle: str) -> Readiness:
        """Whether every pod of the Deployment below runs the bundle and is ready.

        The InferenceService alone does not say: it stays Ready while the pods of the last bundle still answer.
        """
        service = require(self._objects, INFERENCE_SERVICE, self._service(slot))
        deployment = self._objects.get(DEPLOYMENT, f"{self._service(slot)}-predictor")
        if deployment is None:
            return Readiness(False, f"KServe has not made the Deployment of {self._service(slot)} yet")
        if _bundle_of_pods(deployment) != bundle:
            return Readiness(False, f"KServe has not passed {bundle} on to the pods of {self._service(slot)} yet")
        if missing := _missing_pods(deployment):
            return Readiness(False, f"{self._service(slot)}: {missing}")
        return Readiness(*condition(service, "Ready"))

    def share(self, canary: str, percent: int) -> None:
        """Sets the weights of every rule that splits; rules that force a slot stay as they are."""
        wanted = {self._backend(canary): percent, self._backend(other(canary)): 100 - percent}

        def change(route: Object) -> None:
            for rule in self._splitting_rules(route):
                for backend in rule["backendRefs"]:
                    if backend["name"] in wanted:
                        backend["weight"] = wanted[backend["name"]]

        modify(self._objects, HTTP_ROUTE, self._release, change)

    def headers(self, slot: str) -> dict[str, str]:
        """The route has a rule for this header."""
        return {SLOT_HEADER: slot}

    def _weights(self, route: Object) -> dict[str, int]:
        backends = {backend["name"]: backend for backend in self._splitting_rules(route)[0]["backendRefs"]}
        return {slot: backends[self._backend(slot)].get("weight", 1) for slot in (BLUE, GREEN)}

    def _splitting_rules(self, route: Object) -> list[Object]:
        both = {self._backend(BLUE), self._backend(GREEN)}
        rules = [rule for rule in route["spec"].get("rules", [])
                 if both <= {backend["name"] for backend in rule.get("backendRefs", [])}]  # fmt: skip
        if not rules:
            raise ClusterProblem(
                f"no rule of HTTPRoute {self._release} names both {' and '.join(sorted(both))}; "
                f"the chart writes one, `helm upgrade` brings it back"
            )
        return rules

    def _service(self, slot: str) -> str:
        return f"{self._release}-{slot}"

    def _backend(self, slot: str) -> str:
        return f"{self._service(slot)}-predictor"


def _bundle_of_pods(deployment: Object) -> str | None:
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return next((bundle_of(entry) for entry in containers if entry["name"] == CONTAINER), None)


def _missing_pods(deployment: Object) -> str:
    """What `kubectl rollout status` waits for, in its order; empty when there is nothing."""
    wanted, status = deployment["spec"].get("replicas", 1), deployment.get("status", {})
    if status.get("observedGeneration", 0) < deployment["metadata"]["generation"]:
        return "its Deployment has not been looked at yet"
    if wanted == 0:
        return "it is scaled to no pods"
    if (updated := status.get("updatedReplicas", 0)) < wanted:
        return f"{updated} of {wanted} pods are of the new bundle"
    if (total := status.get("replicas", 0)) > updated:
        return f"{total - updated} pods of the last bundle still end"
    if (available := status.get("availableReplicas", 0)) < wanted:
        name = deployment["metadata"]["name"]
        return f"{available} of {wanted} pods are ready; `kubectl logs deployment/{name} --all-pods` says why"
    return ""
