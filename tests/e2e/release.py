"""Releases in a run: bundles into the object storage, the chart's Job to its end."""

import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rollout.record.state import Choice
from tests.e2e import bundles, install
from tests.e2e.cluster import Cluster, until
from tests.e2e.traffic import Answer, Traffic
from tests.e2e.world import BUCKET, World

PROMOTED, ABORTED = 0, 3
LONGEST_SECONDS = 420
SETTLE_SECONDS = 3


@dataclass(frozen=True)
class Ended:
    """How the Job of a rollout ended."""

    exit_code: int
    seconds: float
    largest_share: int  # percent that the canary had at most
    last_line: str

    def most_harmed(self, requests: int) -> float:
        """How many of these requests the canary may get: its largest share, and what chance may add.

        Requests are drawn at random: three standard deviations of their number are no harm done to others.
        """
        allowed = self.largest_share / 100 * requests
        return allowed + 3 * math.sqrt(allowed)


@dataclass(frozen=True)
class Clients:
    """What clients saw while something was done."""

    traffic: Traffic  # of everybody, by the weights
    stable: Traffic  # of clients that ask by header for the slot that was stable at first

    @property
    def failed(self) -> list[Answer]:
        """Answers that are not 200, of both."""
        return self.traffic.failed + self.stable.failed

    def faults(self) -> str:
        """The first failures, for the message."""
        return self.traffic.faults() or self.stable.faults()

    def figures(self) -> str:
        """Counts, for a scenario's line."""
        return (
            f"{len(self.traffic.answers)} requests, {len(self.traffic.failed)} failed, {self.traffic.harmed} harmed, "
            f"on stable {len(self.stable.answers)} and {len(self.stable.failed)} failed"
        )


@contextmanager
def clients(world: World) -> Iterator[Clients]:
    """Steady requests while the block runs and a moment longer."""
    rate, before = world.settings.requests_per_second, weights(world)
    slot = max(before, key=lambda name: before[name])
    load = world.gateway.under_load
    with load(world.user_ids, rate) as traffic, load(world.user_ids, rate / 4, slot) as stable:
        yield Clients(traffic, stable)
        time.sleep(SETTLE_SECONDS)


def weights(world: World) -> dict[str, int]:
    """Percent of each slot, as the route has them (Standard mode)."""
    backends = world.cluster.get("httproute", world.settings.release)["spec"]["rules"][-1]["backendRefs"]
    prefix = f"{world.settings.release}-"
    return {one["name"].removeprefix(prefix).removesuffix("-predictor"): one.get("weight", 1) for one in backends}


def released(world: World, bundle: str, *values: str) -> Ended:
    """One value is changed, and the chart's Job does the rest."""
    started = time.monotonic()
    install.upgrade(world, *rollout_values(world), f"rollout.bundle={bundle}", *values)
    job = next(
        item["metadata"]["name"]
        for item in world.cluster.items("jobs")
        if any(f"--bundle={bundle}" in container["args"] for container in _containers(item))
    )
    code = until(f"job {job}", lambda: _exit_code(world, job), LONGEST_SECONDS)[0]
    seconds = time.monotonic() - started
    lines = world.cluster.kubectl("logs", f"job/{job}").strip().splitlines()
    decisions = [json.loads(line) for line in lines if line.startswith("{")]
    largest = max((one["percent"] for one in decisions), default=0)
    return Ended(code, seconds, largest, _why(decisions) or "".join(lines[-1:]))


def rollout_values(world: World) -> list[str]:
    """Options of helm for a release that asks both slots through the gateway."""
    return [
        "rollout.enabled=true",
        f"rollout.mirror.url={_gateway_from_inside(world)}",
        f"rollout.mirror.host={world.host}",
        f"rollout.users={{{','.join(world.user_ids)}}}",
    ]


def tandem(*arguments: str) -> str:
    """What a command of the tool printed, as people run it. Raises AssertionError with its words where it fails."""
    done = subprocess.run([sys.executable, "-m", "tandem", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr or done.stdout}"
    return done.stdout


def gateway_from_here(world: World) -> str:
    """The gateway as the run itself reaches it."""
    return str(world.gateway.client.base_url)


def _gateway_from_inside(world: World) -> str:
    """The gateway as a pod reaches it: its Service, or without one its own address."""
    if not world.settings.gateway_service:
        return gateway_from_here(world)
    namespace, name = world.settings.gateway_service.split("/")
    return f"http://{Cluster(namespace).get('service', name)['spec']['clusterIP']}"


def published(world: World, change: bundles.Change, version: str = "") -> str:
    """URL of a bundle made from a published one: from the installed one where no version is named."""
    with tempfile.TemporaryDirectory() as folder:
        installed = Path(folder) / (version or world.version)
        client = world.s3()
        listed = client.list_objects_v2(Bucket=BUCKET, Prefix=f"bundles/{installed.name}/")["Contents"]
        for key in (entry["Key"] for entry in listed):
            target = installed / key.split("/", 2)[2]
            target.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(BUCKET, key, str(target))
        with world.storage_environment():
            return bundles.release(installed, change, f"s3://{BUCKET}/bundles")


def _why(decisions: list[Any]) -> str:
    """What the gates that were not successful said last; without one, why the release ended."""
    said = [gate["sentence"] for one in decisions for gate in one["gates"] if gate["verdict"] == "failed"]
    ended = [one["sentence"] for one in decisions if one.get("choice") == Choice.ABORTING.value] or [
        one["sentence"] for one in decisions[-1:]
    ]
    return "; ".join(said[-2:] or ended)


def _containers(job: Any) -> list[Any]:
    containers: list[Any] = [one for one in job["spec"]["template"]["spec"]["containers"] if one.get("args")]
    return containers


def _exit_code(world: World, job: str) -> tuple[int] | None:
    """The code of the Job's last pod, in a tuple because 0 is one."""
    for pod in world.cluster.items("pods", f"--selector=job-name={job}"):
        for status in pod["status"].get("containerStatuses", []):
            if ended := status["state"].get("terminated"):
                return (ended["exitCode"],)
    return None
