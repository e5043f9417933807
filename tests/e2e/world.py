"""What a scenario works with: the cluster, the way in, the stores and the bundles of this run."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

import boto3

from tests.e2e.cluster import Cluster, until
from tests.e2e.settings import EndToEndSettings
from tests.e2e.traffic import Gateway

BUCKET = "tandem"
CREDENTIALS = {"aws_access_key_id": "e2e", "aws_secret_access_key": "end-to-end-only", "region_name": "us-east-1"}
API_KEY = "end-to-end-only-0123456789"
KEY = {"authorization": f"Bearer {API_KEY}"}
"""Header of a surface's server."""
"""That the servers ask for, as manifests/s3.yaml has it."""
MANIFESTS = Path(__file__).parent / "manifests"


@dataclass
class World:
    """Filled by the installation, read by every scenario after it."""

    settings: EndToEndSettings
    cluster: Cluster
    forwards: ExitStack
    gateway: Gateway = field(init=False)
    host: str = ""  # that the gateway routes by
    bundle_url: str = ""  # s3://… of the bundle that was installed
    user_ids: list[str] = field(default_factory=list)  # known to that bundle
    trained_url: str = ""  # s3://… of the bundle that the workflow `train` has published
    served_before: str = ""  # version that was stable before that one was released

    @property
    def slots(self) -> tuple[str, str]:
        """Names of the two InferenceServices."""
        return f"{self.settings.release}-blue", f"{self.settings.release}-green"

    @property
    def version(self) -> str:
        """Version of the bundle that was installed."""
        return self.bundle_url.rpartition("/")[2]

    def s3(self) -> Any:
        """A client of the object storage in the cluster."""
        return boto3.client("s3", endpoint_url=self.url("service/s3", 7070), **CREDENTIALS)

    @contextmanager
    def storage_environment(self) -> Iterator[None]:
        """AWS_* variables of the object storage, as libraries read them, while the block runs."""
        given = {
            "AWS_ENDPOINT_URL": self.url("service/s3", 7070),
            **{name.upper().replace("REGION_NAME", "AWS_DEFAULT_REGION"): value for name, value in CREDENTIALS.items()},
        }
        with mock.patch.dict(os.environ, given):
            yield

    def url(self, target: str, port: int, namespace: str = "") -> str:
        """http://127.0.0.1:… that is forwarded to a Service or pod until the run ends."""
        return self.forwards.enter_context(forwarded(namespace or self.cluster.namespace, target, port))

    @cached_property
    def prometheus_url(self) -> str:
        """The Prometheus of this run."""
        return self.url("service/prometheus", 9090)


@contextmanager
def forwarded(namespace: str, target: str, port: int) -> Iterator[str]:
    """A local address of something in the cluster, by kubectl port-forward."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        local: int = probe.getsockname()[1]
    command = ["kubectl", "--namespace", namespace, "port-forward", target, f"{local}:{port}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(f"port-forward to {target}", lambda: _listens(local), 30, 0.2)
        yield f"http://127.0.0.1:{local}"
    finally:
        process.terminate()
        process.wait(timeout=10)


def _listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


def way_in(world: World) -> str:
    """URL of the gateway: its own address if it can be reached from here, else its Service, else a forwarded port.

    Knative brings a gateway of its own, which is known by its Service alone.
    """
    addresses, service = [], world.settings.gateway_service
    if world.settings.mode == "standard":
        namespace, name = world.settings.gateway.split("/")
        gateway = Cluster(namespace).get("gateway", name)
        addresses = [address["value"] for address in gateway.get("status", {}).get("addresses", [])]
    if service:
        addresses.append(Cluster(service.split("/")[0]).get("service", service.split("/")[1])["spec"]["clusterIP"])
    for address in addresses:
        if _answers(address):
            return f"http://{address}"
    if not service:
        raise TimeoutError(
            f"Gateway {world.settings.gateway} has no address that answers from here ({addresses or 'none given'}). "
            "Name its Service in E2E_GATEWAY_SERVICE, namespace/name, to have its port forwarded."
        )
    return world.url(f"service/{service.split('/')[1]}", 80, service.split("/")[0])


def _answers(address: str) -> bool:
    try:
        with socket.create_connection((address, 80), timeout=2):
            return True
    except OSError:
        return False


def elapsed(started: float) -> str:
    """Seconds since a moment of time.monotonic(), for a scenario's line."""
    return f"{time.monotonic() - started:.0f} s"
