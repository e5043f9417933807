"""Releases that decide for themselves, while clients ask: a good one is promoted, a bad one rolled back."""

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e import bundles, install
from tests.e2e.cluster import Cluster, until
from tests.e2e.traffic import Traffic
from tests.e2e.world import BUCKET, World

PROMOTED, ABORTED = 0, 3
LONGEST_SECONDS = 420
LONGEST_TRAINING_SECONDS = 1200
SETTLE_SECONDS = 3


@dataclass(frozen=True)
class Outcome:
    """How a rollout ended, and what clients saw meanwhile."""

    exit_code: int
    seconds: float
    largest_share: int  # percent that the canary had at most
    last_line: str
    traffic: Traffic  # of everybody, by the weights
    stable: Traffic  # of clients that ask for the stable slot by header


def a_good_bundle_promotes_itself(world: World) -> str:
    """To 100 %, without a failed request."""
    outcome = _release(world, _publish(world, bundles.good))
    assert outcome.exit_code == PROMOTED, outcome.last_line
    assert not outcome.traffic.failed + outcome.stable.failed, outcome.traffic.faults()
    shares = outcome.traffic.by_variant()
    assert max(_weights(world).values()) == 100 and len(shares) == 2, shares
    return f"promoted in {outcome.seconds:.0f} s, {_figures(outcome)}, {dict(shares)} by slot"


def helm_rollback_keeps_what_was_promoted(world: World) -> str:
    """The older revision has the weights and bundles of before; what the rollout came to is put back."""
    before, serving = _weights(world), world.gateway.recommend(world.user_ids[0]).bundle_version
    install.upgrade(world, *_rollout_values(world))
    with world.gateway.under_load(world.user_ids, world.settings.requests_per_second) as traffic:
        started = time.monotonic()
        world.cluster.helm("rollback", world.settings.release)
        until("weights of before", lambda: _weights(world) == before, 180)
        seconds = time.monotonic() - started
        for slot in world.slots:
            world.cluster.kubectl("rollout", "status", f"deployment/{slot}-predictor", "--timeout=300s")
        time.sleep(SETTLE_SECONDS)
    assert not traffic.failed, traffic.faults()
    assert world.gateway.recommend(world.user_ids[0]).bundle_version == serving
    elsewhere = sum(answer.bundle_version != serving for answer in traffic.answers)
    return f"put back after {seconds:.0f} s, {len(traffic.answers)} requests, 0 failed, {elsewhere} of an older bundle"


def rollback_takes_seconds(world: World) -> str:
    """`tandem rollback` to the bundle that was promoted before, which is still loaded."""
    before = _weights(world)
    with world.gateway.under_load(world.user_ids, world.settings.requests_per_second) as traffic:
        started = time.monotonic()
        _tandem("rollback", "--release", world.settings.release, "--namespace", world.settings.namespace)
        until(
            "the bundle of before",
            lambda: world.gateway.recommend(world.user_ids[0]).bundle_version == world.version,
            60,
            0.1,
        )
        seconds = time.monotonic() - started
        time.sleep(SETTLE_SECONDS)
    assert _weights(world) != before and seconds < 30, seconds
    assert not traffic.failed, traffic.faults()
    return f"back in {seconds:.1f} s, {len(traffic.answers)} requests, 0 failed"


def a_slow_bundle_is_rolled_back(world: World) -> str:
    """A ranker that takes a third of a second longer; every list is right."""
    return _rolled_back(world, bundles.slow)


def an_erroring_bundle_is_rolled_back(world: World) -> str:
    """A catalogue from which no answer can be written."""
    return _rolled_back(world, bundles.erroring)


def a_bundle_with_empty_lists_is_rolled_back(world: World) -> str:
    """One candidate a user: no error anywhere, and nothing to show to those who have bought it."""
    return _rolled_back(world, bundles.empty)


def a_bundle_with_mixed_up_items_is_rolled_back(world: World) -> str:
    """Full lists that have nothing to do with stable's, nor with anybody's taste."""
    return _rolled_back(world, bundles.mixed_up)


def a_training_run_releases_itself(world: World) -> str:
    """The scheduled job by hand: it trains, publishes, and its second container releases what the first has made."""
    before = world.gateway.recommend(world.user_ids[0]).bundle_version
    install.upgrade(world, *_rollout_values(world), "training.rollout=true", params="params-again.yaml")
    job = f"retrain-{int(time.time())}"
    with world.gateway.under_load(world.user_ids, world.settings.requests_per_second) as traffic:
        started = time.monotonic()
        world.cluster.kubectl("create", "job", job, f"--from=cronjob/{world.settings.release}-train")
        until("the training job", lambda: install.finished(world, job), LONGEST_TRAINING_SECONDS, 3)
        seconds = time.monotonic() - started
        time.sleep(SETTLE_SECONDS)
    after = world.gateway.recommend(world.user_ids[0]).bundle_version
    assert max(_weights(world).values()) == 100 and after != before, f"{before} serves: {_weights(world)}"
    assert not traffic.failed, f"{len(traffic.failed)} of {len(traffic.answers)} failed: {traffic.faults()}"
    return f"{after} trained and promoted in {seconds:.0f} s, {len(traffic.answers)} requests, 0 failed"


def _rolled_back(world: World, change: bundles.Change) -> str:
    before, bundle = _weights(world), _publish(world, change)
    outcome = _release(world, bundle)
    assert outcome.exit_code == ABORTED, f"exit code {outcome.exit_code}: {outcome.last_line}"
    assert _weights(world) == before, _weights(world)
    assert not outcome.stable.failed, f"{len(outcome.stable.failed)} failed on stable: {outcome.stable.faults()}"
    harmed, allowed = outcome.traffic.harmed, outcome.largest_share / 100 * len(outcome.traffic.answers)
    # Requests are drawn at random: three standard deviations of their number are no harm done to others.
    assert harmed <= allowed + 3 * allowed**0.5, (
        f"{harmed} harmed, a canary of {outcome.largest_share} % has {allowed:.0f}"
    )
    return (
        f"rolled back in {outcome.seconds:.0f} s at {outcome.largest_share} %, {_figures(outcome)}; {outcome.last_line}"
    )


def _release(world: World, bundle: str) -> Outcome:
    """One value is changed, and the chart's Job does the rest."""
    rate, before = world.settings.requests_per_second, _weights(world)
    slot = max(before, key=lambda name: before[name])
    load = world.gateway.under_load
    with load(world.user_ids, rate) as traffic, load(world.user_ids, rate / 4, slot) as stable:
        started = time.monotonic()
        install.upgrade(world, *_rollout_values(world), f"rollout.bundle={bundle}")
        job = next(
            item["metadata"]["name"]
            for item in world.cluster.items("jobs")
            if any(f"--bundle={bundle}" in container["args"] for container in _containers(item))
        )
        code = until(f"job {job}", lambda: _exit_code(world, job), LONGEST_SECONDS)[0]
        seconds = time.monotonic() - started
        time.sleep(SETTLE_SECONDS)
    lines = world.cluster.kubectl("logs", f"job/{job}").strip().splitlines()
    decisions = [json.loads(line) for line in lines if line.startswith("{")]
    largest = max((one["percent"] for one in decisions), default=0)
    return Outcome(code, seconds, largest, _why(decisions) or "".join(lines[-1:]), traffic, stable)


def _why(decisions: list[Any]) -> str:
    """What the gates that were not successful said last."""
    said = [gate["sentence"] for one in decisions for gate in one["gates"] if gate["verdict"] == "failed"]
    return "; ".join(said[-2:]) or (decisions[-1]["sentence"] if decisions else "")


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


def _rollout_values(world: World) -> list[str]:
    namespace, name = world.settings.gateway_service.split("/")
    service = Cluster(namespace).get("service", name)
    return [
        "rollout.enabled=true",
        f"rollout.mirror.url=http://{service['spec']['clusterIP']}",
        f"rollout.mirror.host={world.settings.host}",
        f"rollout.users={{{','.join(world.user_ids)}}}",
    ]


def _steps(world: World) -> list[int]:
    settings = world.cluster.get("configmap", f"{world.settings.release}-rollout-settings")["data"]["rollout.yaml"]
    import yaml

    steps: list[int] = yaml.safe_load(settings)["steps"]
    return steps


def _publish(world: World, change: bundles.Change) -> str:
    """URL of a bundle made from the installed one, in the cluster's object storage."""
    with tempfile.TemporaryDirectory() as folder:
        installed = Path(folder) / world.version
        client = world.s3()
        listed = client.list_objects_v2(Bucket=BUCKET, Prefix=f"bundles/{world.version}/")["Contents"]
        for key in (entry["Key"] for entry in listed):
            target = installed / key.split("/", 2)[2]
            target.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(BUCKET, key, str(target))
        with world.storage_environment():
            return bundles.release(installed, change, f"s3://{BUCKET}/bundles")


def _weights(world: World) -> dict[str, int]:
    backends = world.cluster.get("httproute", world.settings.release)["spec"]["rules"][-1]["backendRefs"]
    prefix = f"{world.settings.release}-"
    return {one["name"].removeprefix(prefix).removesuffix("-predictor"): one.get("weight", 1) for one in backends}


def _tandem(*arguments: str) -> str:
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-m", "tandem", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr or done.stdout}"
    return done.stdout


def _figures(outcome: Outcome) -> str:
    traffic = outcome.traffic
    return (
        f"{len(traffic.answers)} requests, {len(traffic.failed)} failed, {traffic.harmed} harmed, "
        f"on stable {len(outcome.stable.answers)} and {len(outcome.stable.failed)} failed"
    )


SCENARIOS = (
    a_good_bundle_promotes_itself,
    helm_rollback_keeps_what_was_promoted,
    rollback_takes_seconds,
    a_slow_bundle_is_rolled_back,
    an_erroring_bundle_is_rolled_back,
    a_bundle_with_empty_lists_is_rolled_back,
    a_bundle_with_mixed_up_items_is_rolled_back,
    a_training_run_releases_itself,
)
