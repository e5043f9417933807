"""What clients must not notice: a pod that goes, an upgrade, a rollback of the chart, features that are renewed."""

import json
import time
from pathlib import Path

from tests.e2e import install
from tests.e2e.cluster import until
from tests.e2e.world import World, elapsed

QUIET_SECONDS = 3  # of load before and after what is done
PREVIOUS_CHART = Path(__file__).resolve().parents[2] / "fixtures" / "version_0_1" / "chart.tgz"


def a_pod_is_deleted(world: World) -> str:
    """A drained node: the pod leaves the endpoints, answers what it has, and ends."""
    pod = _pods(world, world.slots[0])[0]
    with world.gateway.under_load(world.user_ids, world.settings.requests_per_second) as traffic:
        time.sleep(QUIET_SECONDS)
        started = time.monotonic()
        world.cluster.kubectl("delete", "pod", pod, "--timeout=90s")
        until("the pods of the slot", lambda: len(_ready_pods(world, world.slots[0])) >= 2, 120)
        recovered = elapsed(started)
        time.sleep(QUIET_SECONDS)
    assert not traffic.failed, f"{len(traffic.failed)} of {len(traffic.answers)} failed: {traffic.faults()}"
    return f"{len(traffic.answers)} requests, 0 failed; two pods again after {recovered}"


def a_pod_is_killed(world: World) -> str:
    """A crash: requests in that pod are lost, a client that asks again is answered."""
    pod = _pods(world, world.slots[0])[0]
    with world.gateway.under_load(world.user_ids, world.settings.requests_per_second) as traffic:
        time.sleep(QUIET_SECONDS)
        world.cluster.kubectl("delete", "pod", pod, "--grace-period=0", "--force")
        until("the pods of the slot", lambda: len(_ready_pods(world, world.slots[0])) >= 2, 120)
        time.sleep(QUIET_SECONDS)
    share = len(traffic.failed) / len(traffic.answers)
    assert share < 0.05, f"{share:.1%} failed: {traffic.faults()}"
    again = [world.gateway.recommend(user) for user in world.user_ids]
    assert all(answer.status == 200 for answer in again)
    return f"{len(traffic.answers)} requests, {len(traffic.failed)} failed at the first try, 0 when asked again"


def helm_upgrade_and_rollback(world: World) -> str:
    """Every pod of both slots is replaced, twice."""
    with world.gateway.under_load(world.user_ids, world.settings.requests_per_second) as traffic:
        time.sleep(QUIET_SECONDS)
        started = time.monotonic()
        install.upgrade(world, "server.logLevel=ERROR")
        wait_replaced(world, "ERROR")
        upgraded = elapsed(started)
        started = time.monotonic()
        world.cluster.helm("rollback", world.settings.release)
        wait_replaced(world, "WARNING")
        rolled_back = elapsed(started)
        time.sleep(QUIET_SECONDS)
    assert not traffic.failed, f"{len(traffic.failed)} of {len(traffic.answers)} failed: {traffic.faults()}"
    return (
        f"{len(traffic.answers)} requests, 0 failed; upgraded in {upgraded}, rolled back in {rolled_back}, "
        f"p99 {traffic.milliseconds(0.99):.0f} ms"
    )


def upgrade_from_the_previous_chart(world: World) -> str:
    """The chart of version 0.1 with its values, then this one: weights stay and no request is lost."""
    from tests.e2e.scenarios.requests import set_weights

    install.upgrade(world, "server.logLevel=ERROR", chart=PREVIOUS_CHART)
    wait_replaced(world, "ERROR")
    set_weights(world, blue=70, green=30)
    try:
        with world.gateway.under_load(world.user_ids, world.settings.requests_per_second) as traffic:
            time.sleep(QUIET_SECONDS)
            started = time.monotonic()
            install.upgrade(world)
            wait_replaced(world, "WARNING")
            upgraded = elapsed(started)
            time.sleep(QUIET_SECONDS)
        backends = world.cluster.get("httproute", world.settings.release)["spec"]["rules"][-1]["backendRefs"]
        assert sorted(backend["weight"] for backend in backends) == [30, 70], backends
    finally:
        set_weights(world, blue=100, green=0)
    assert not traffic.failed, f"{len(traffic.failed)} of {len(traffic.answers)} failed: {traffic.faults()}"
    return f"{len(traffic.answers)} requests, 0 failed; upgraded in {upgraded}, weights 70 and 30 kept"


def helm_upgrade_keeps_the_state(world: World) -> str:
    """Weights and bundles that were changed in the cluster are the ones after an upgrade."""
    from tests.e2e.scenarios.requests import set_weights

    set_weights(world, blue=70, green=30)
    try:
        install.upgrade(world)
        backends = world.cluster.get("httproute", world.settings.release)["spec"]["rules"][-1]["backendRefs"]
        kept = {backend["name"]: backend["weight"] for backend in backends}
        assert sorted(kept.values()) == [30, 70], kept
    finally:
        set_weights(world, blue=100, green=0)
    return "weights 70 and 30 after helm upgrade as before it"


def features_are_renewed(world: World) -> str:
    """The materialize job writes the online store while the servers read it."""
    with world.gateway.under_load(world.user_ids, world.settings.requests_per_second) as traffic:
        started = time.monotonic()
        job = f"renew-{int(time.time())}"
        world.cluster.kubectl("create", "job", job, f"--from=cronjob/{world.settings.release}-materialize")
        until("the materialize job", lambda: install.finished(world, job), 600, 3)
        renewed = elapsed(started)
    assert not traffic.failed, f"{len(traffic.failed)} failed: {traffic.faults()}"
    return f"{len(traffic.answers)} requests, 0 failed; features renewed in {renewed}"


def _pods(world: World, service: str) -> list[str]:
    selector = f"--selector=serving.kserve.io/inferenceservice={service}"
    return [pod["metadata"]["name"] for pod in world.cluster.items("pods", selector)]


def _ready_pods(world: World, service: str) -> list[str]:
    selector = f"--selector=serving.kserve.io/inferenceservice={service}"
    return [
        pod["metadata"]["name"]
        for pod in world.cluster.items("pods", selector)
        if "deletionTimestamp" not in pod["metadata"]
        and any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))
    ]


def wait_replaced(world: World, wanted: str) -> None:
    """Until both Deployments ask for pods with that text in their specification and have all of them."""
    for service in world.slots:
        deployment = f"{service}-predictor"
        until(
            f"{deployment} with {wanted}",
            lambda: wanted in json.dumps(world.cluster.get("deployment", deployment)["spec"]["template"]),  # noqa: B023
            60,
        )
        world.cluster.kubectl("rollout", "status", f"deployment/{deployment}", "--timeout=300s")


SCENARIOS = (
    a_pod_is_deleted,
    a_pod_is_killed,
    helm_upgrade_and_rollback,
    upgrade_from_the_previous_chart,
    helm_upgrade_keeps_the_state,
    features_are_renewed,
)
