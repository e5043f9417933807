"""A cluster in memory: objects with resourceVersions that refuse a lost update, and what KServe makes of them.

tests/rollout/test_rollout_cluster.py holds it against a real API server by one suite over both.
"""

import copy
from typing import Any

from rollout.cluster.objects import (
    CONFIG_MAP,
    DEPLOYMENT,
    HTTP_ROUTE,
    INFERENCE_SERVICE,
    KNATIVE_SERVICE,
    Conflict,
    Kind,
    Object,
)
from rollout.slots.slots import BUNDLE_VARIABLE, VARIANT_VARIABLE, container_of, variable

RELEASE = "shop"
MODE = "serving.kserve.io/deploymentMode"


class Killed(BaseException):
    """kill -9: no handler of Exception sees it."""


class MemoryObjects:
    """Objects of namespace `test`. The write number `killed_at` is done, and then the writer is dead."""

    def __init__(self) -> None:
        self.namespace = "test"
        self.writes = 0
        self.killed_at = 0
        self._stored: dict[tuple[str, str], Object] = {}

    def get(self, kind: Kind, name: str) -> Object | None:
        return copy.deepcopy(self._stored.get((kind.name, name)))

    def create(self, kind: Kind, body: Object) -> None:
        if (kind.name, body["metadata"]["name"]) in self._stored:
            raise Conflict(f"{kind.name} {body['metadata']['name']} is there")
        self._write(kind, body, generation=1)

    def replace(self, kind: Kind, body: Object) -> None:
        before = self._stored[(kind.name, body["metadata"]["name"])]
        if body["metadata"].get("resourceVersion") != before["metadata"]["resourceVersion"]:
            raise Conflict(f"{kind.name} {body['metadata']['name']} was changed")
        changed = body.get("spec") != before.get("spec")
        self._write(kind, body, before["metadata"]["generation"] + changed)

    def of(self, kind: Kind) -> list[Object]:
        """All objects of a kind, oldest first."""
        return [copy.deepcopy(body) for (name, _), body in self._stored.items() if name == kind.name]

    def _write(self, kind: Kind, body: Object, generation: int) -> None:
        if self.killed_at and self.writes >= self.killed_at:
            raise Killed
        self.writes += 1
        stored = copy.deepcopy(body)
        stored["metadata"] |= {"resourceVersion": str(self.writes), "generation": generation}
        self._stored[(kind.name, body["metadata"]["name"])] = stored
        if kind == INFERENCE_SERVICE:
            self._reconcile(stored)
        if self.writes == self.killed_at:
            raise Killed

    def overlay(self, kind: Kind, name: str, status: Object) -> None:
        """Another status, as controllers write it."""
        self._stored[(kind.name, name)]["status"] |= status

    def _reconcile(self, service: Object) -> None:
        """KServe: a Deployment with the same variables in Standard mode, a revision and its traffic in Knative mode."""
        generation = service["metadata"]["generation"]
        mode = service["metadata"]["annotations"].get(MODE, "Knative")  # the default of KServe's own chart
        if mode == "Knative":
            below = knative_service(service)
            self._stored[(KNATIVE_SERVICE.name, below["metadata"]["name"])] = below
            components = {"predictor": rolled_out(service, below["status"]["latestReadyRevisionName"])}
        else:
            components = {}
            self._stored[(DEPLOYMENT.name, f"{service['metadata']['name']}-predictor")] = deployment(service)
        ready = [{"type": "Ready", "status": "True"}]
        seen = {"observedGeneration": generation, "deploymentMode": mode}
        service["status"] = {**seen, "conditions": ready, "components": components}


def deployment(service: Object, replicas: int = 2) -> Object:
    """What KServe and Kubernetes make of an InferenceService when all goes well."""
    pods = {"observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas, "availableReplicas": replicas}
    containers = copy.deepcopy(service["spec"]["predictor"]["containers"])
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{service['metadata']['name']}-predictor", "resourceVersion": "1", "generation": 1},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": containers}}},
        "status": pods,
    }


def knative_service(service: Object) -> Object:
    """What KServe and Knative make of an InferenceService when all goes well; its generation is not KServe's."""
    revision = f"{service['metadata']['name']}-{variable(container_of(service), BUNDLE_VARIABLE)}"
    containers = copy.deepcopy(service["spec"]["predictor"]["containers"])
    ready = {"latestCreatedRevisionName": revision, "latestReadyRevisionName": revision}
    return {
        "apiVersion": KNATIVE_SERVICE.api_version,
        "kind": KNATIVE_SERVICE.name,
        "metadata": {"name": f"{service['metadata']['name']}-predictor", "resourceVersion": "1", "generation": 1},
        "spec": {"template": {"spec": {"containers": containers}}},
        "status": {"observedGeneration": 1, **ready},
    }


def rolled_out(service: Object, revision: str) -> dict[str, str]:
    """KServe's status of the predictor: the revision that had all of the traffic last gets what the latest leaves."""
    before = service.get("status", {}).get("components", {}).get("predictor", {})
    whole = service["spec"]["predictor"].get("canaryTrafficPercent") is None
    kept = revision if whole else before.get("latestRolledoutRevision", revision)
    return {"latestCreatedRevision": revision, "latestReadyRevision": revision, "latestRolledoutRevision": kept}


def inference_service(name: str, bundle: str, variant: str, mode: str) -> Object:
    """As the chart writes it, in what a rollout reads."""
    environment = [{"name": VARIANT_VARIABLE, "value": variant}, {"name": BUNDLE_VARIABLE, "value": bundle}]
    container = {"name": "kserve-container", "image": "registry.example.com/serving:1", "env": environment}
    return {
        "apiVersion": INFERENCE_SERVICE.api_version,
        "kind": INFERENCE_SERVICE.name,
        "metadata": {"name": name, "annotations": {} if mode == "Knative" else {MODE: mode}},
        "spec": {"predictor": {"containers": [container]}},
    }


def http_route(release: str) -> Object:
    """All traffic to blue, and a header that forces either slot."""

    def backend(slot: str, **weight: int) -> dict[str, Any]:
        return {"name": f"{release}-{slot}-predictor", "port": 80, **weight}

    def forced(slot: str) -> dict[str, Any]:
        header = {"type": "Exact", "name": "x-tandem-slot", "value": slot}
        return {"matches": [{"headers": [header]}], "backendRefs": [backend(slot, weight=1)]}

    split = {"backendRefs": [backend("blue", weight=100), backend("green", weight=0)]}
    return {
        "apiVersion": HTTP_ROUTE.api_version,
        "kind": HTTP_ROUTE.name,
        "metadata": {"name": release},
        "spec": {
            "parentRefs": [{"name": "kserve-ingress-gateway", "namespace": "kserve"}],
            "rules": [forced("blue"), forced("green"), split],
        },
    }


def standard_release() -> list[tuple[Kind, Object]]:
    """Two slots: bundle v1 in blue with all traffic, v0 in green."""
    return [
        (INFERENCE_SERVICE, inference_service(f"{RELEASE}-blue", "v1", "blue", "Standard")),
        (INFERENCE_SERVICE, inference_service(f"{RELEASE}-green", "v0", "green", "Standard")),
        (HTTP_ROUTE, http_route(RELEASE)),
    ]


def knative_release() -> list[tuple[Kind, Object]]:
    """One service: bundle v1, named blue."""
    return [(INFERENCE_SERVICE, inference_service(RELEASE, "v1", "blue", "Knative"))]


def end_state(objects: MemoryObjects) -> Object:
    """What a release has come to, without versions, numbers and names that differ from run to run."""
    services = {body["metadata"]["name"]: body["spec"] for body in objects.of(INFERENCE_SERVICE)}
    routes = [body["spec"]["rules"] for body in objects.of(HTTP_ROUTE)]
    [record] = objects.of(CONFIG_MAP)
    return {"services": services, "routes": routes, "record": record["data"]}
