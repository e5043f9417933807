"""Objects of a cluster as plain dictionaries, with the one promise the rollout stands on: no lost update."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from contracts.errors import TandemError

Object = dict[str, Any]


class ClusterProblem(TandemError):
    """The cluster refuses or lacks something; the text says what and who can mend it."""


class Conflict(ClusterProblem):
    """The object was changed by somebody else since it was read."""


@dataclass(frozen=True)
class Kind:
    """A resource of the API; group is empty for the core."""

    group: str
    version: str
    plural: str
    name: str

    @property
    def api_version(self) -> str:
        """apiVersion, as in manifests."""
        return f"{self.group}/{self.version}" if self.group else self.version


CONFIG_MAP = Kind("", "v1", "configmaps", "ConfigMap")
EVENT = Kind("", "v1", "events", "Event")
DEPLOYMENT = Kind("apps", "v1", "deployments", "Deployment")
HTTP_ROUTE = Kind("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
KNATIVE_SERVICE = Kind("serving.knative.dev", "v1", "services", "Service")
INFERENCE_SERVICE = Kind("serving.kserve.io", "v1beta1", "inferenceservices", "InferenceService")


class Objects(Protocol):
    """The objects of one namespace."""

    namespace: str

    def get(self, kind: Kind, name: str) -> Object | None:
        """The object, or None."""

    def create(self, kind: Kind, body: Object) -> None:
        """Raises Conflict when the name is taken."""

    def replace(self, kind: Kind, body: Object) -> None:
        """Raises Conflict when metadata.resourceVersion is not the latest."""


def require(objects: Objects, kind: Kind, name: str) -> Object:
    """The object. Raises ClusterProblem when it is not there."""
    found = objects.get(kind, name)
    if found is None:
        raise ClusterProblem(
            f"{kind.name} {name} is not in namespace {objects.namespace}; is --release the chart's release there?"
        )
    return found


def modify(objects: Objects, kind: Kind, name: str, change: Callable[[Object], None], attempts: int = 10) -> None:
    """Applies a change to what is there now; nothing is written when nothing changes.

    Controllers write status into the same object all the time, so a conflict means: read again and change that.
    """
    for attempt in range(attempts):
        body = require(objects, kind, name)
        before = repr(body)
        change(body)
        if repr(body) == before:
            return
        try:
            return objects.replace(kind, body)
        except Conflict:
            if attempt == attempts - 1:
                raise
