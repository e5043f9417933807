"""Objects over the Kubernetes API: by the service account in a pod, by the kubeconfig anywhere else."""

import json
import os
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.dynamic import DynamicClient, Resource
from kubernetes.dynamic.exceptions import (
    ConflictError,
    DynamicApiError,
    NotFoundError,
    ResourceNotFoundError,
)

from rollout.cluster.objects import ClusterProblem, Conflict, Kind, Object

POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
TIMEOUT_SECONDS = 30


def connect(namespace: str) -> "KubernetesObjects":
    """Objects of a namespace; "" means the pod's own, or the current context's. Raises ClusterProblem."""
    configuration = client.Configuration()
    # Every write carries a resourceVersion or a name that is taken once, so a repeated one is refused, not done twice.
    configuration.retries = urllib3.Retry(
        4, backoff_factor=0.2, status_forcelist=(429, 502, 503, 504), allowed_methods=None
    )
    try:
        found = _credentials(configuration)
    except config.ConfigException as error:
        raise ClusterProblem(f"no cluster: {error}; set KUBECONFIG, or run in a pod with a service account") from error
    try:
        return KubernetesObjects(DynamicClient(client.ApiClient(configuration)), namespace or found or "default")
    except urllib3.exceptions.HTTPError as error:
        raise ClusterProblem(f"the Kubernetes API at {configuration.host} does not answer: {error}") from error


def _credentials(configuration: client.Configuration) -> str:
    """Fills in address and credentials; gives the namespace that goes with them, if any."""
    if POD_NAMESPACE.exists() and "KUBECONFIG" not in os.environ:
        config.load_incluster_config(client_configuration=configuration)
        return POD_NAMESPACE.read_text()
    config.load_kube_config(client_configuration=configuration, persist_config=False)
    _, context = config.list_kube_config_contexts()
    return str(context["context"].get("namespace", ""))


class KubernetesObjects:
    """See objects.Objects. Bodies stay JSON: generated models would drop the fields that they do not know."""

    def __init__(self, api: DynamicClient, namespace: str) -> None:
        self._api = api
        self.namespace = namespace

    def get(self, kind: Kind, name: str) -> Object | None:
        """The object, or None."""
        try:
            return self._call("get", kind, name)
        except NotFoundError:
            return None

    def create(self, kind: Kind, body: Object) -> None:
        """Raises Conflict when the name is taken."""
        self._call("create", kind, body["metadata"]["name"], body)

    def replace(self, kind: Kind, body: Object) -> None:
        """Raises Conflict when metadata.resourceVersion is not the latest."""
        self._call("replace", kind, body["metadata"]["name"], body)

    def _call(self, verb: str, kind: Kind, name: str, body: Object | None = None) -> Object:
        what = f"{verb} {kind.name} {name} in namespace {self.namespace}"
        arguments: dict[str, Any] = {"name": name} if body is None else {"body": body}
        try:
            method = getattr(self._resource(kind), verb)
            answer = method(namespace=self.namespace, _request_timeout=TIMEOUT_SECONDS, **arguments)
        except ConflictError as error:
            raise Conflict(f"{what}: changed by somebody else meanwhile") from error
        except DynamicApiError as error:
            if verb == "get" and isinstance(error, NotFoundError):
                raise
            raise ClusterProblem(f"{what}: {_message(error)}") from error
        except urllib3.exceptions.HTTPError as error:
            raise ClusterProblem(f"{what}: the Kubernetes API does not answer: {error}") from error
        found: Object = answer.to_dict()
        return found

    def _resource(self, kind: Kind) -> Resource:
        try:
            found: Resource = self._api.resources.get(api_version=kind.api_version, kind=kind.name)
        except ResourceNotFoundError as error:
            raise ClusterProblem(
                f"the cluster has no {kind.name} ({kind.api_version}); is its operator installed?"
            ) from error
        return found


def _message(error: DynamicApiError) -> str:
    """The API server's own words, which name the missing right or the wrong field."""
    try:
        return f"{error.status} {json.loads(error.body or '')['message']}"
    except (TypeError, ValueError, KeyError):
        return f"{error.status} {error.reason}"
