"""One suite over the cluster in memory and a real API server: what the rollout relies on holds in both.

The real one is the cluster of the current kubeconfig, with KServe and, in Standard mode, the Gateway API. E2E_IMAGE
names an image that answers on port 8080, so that slots become ready there; E2E_MODE=Knative is for KServe in that mode.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout.cluster.objects import (
    CONFIG_MAP,
    HTTP_ROUTE,
    INFERENCE_SERVICE,
    KNATIVE_SERVICE,
    ClusterProblem,
    Conflict,
    Kind,
    Object,
    Objects,
    modify,
)
from rollout.controller import Clock
from rollout.record.state import Phase, Record
from rollout.record.store import RolloutHeld, Store
from rollout.release import slots_of
from rollout.settings import Mode, RolloutSettings
from rollout.slots.knative import KnativeSlots
from rollout.slots.slots import Slots, bundle_of, container_of
from rollout.slots.standard import StandardSlots
from tests.support.rollouts.memory_cluster import (
    RELEASE,
    MemoryObjects,
    inference_service,
    knative_release,
    standard_release,
)
from tests.support.rollouts.world import Says, good, release_of

IMAGE = os.environ.get("E2E_IMAGE", "")
E2E_MODE = os.environ.get("E2E_MODE", "Standard")
READY_SECONDS = 90
TANDEM = (sys.executable, "-m", "tandem")
MISSING = Kind("tandem.example.com", "v1", "missings", "Missing")


class RealObjects:
    """Objects of a real namespace; pods of this test ask for next to nothing."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.namespace = objects.namespace
        self.get, self.replace = objects.get, objects.replace

    def create(self, kind: Kind, body: Object) -> None:
        if kind == INFERENCE_SERVICE:
            small = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "500m", "memory": "64Mi"}}
            predictor = body["spec"]["predictor"]
            predictor["containers"][0] |= {"image": IMAGE, "resources": small, "ports": [{"containerPort": 8080}]}
            predictor |= {"minReplicas": 1, "maxReplicas": 1}
        self._objects.create(kind, body)


def kubectl(*arguments: str) -> str:
    command = [shutil.which("kubectl") or "kubectl", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def real() -> Iterator[RealObjects]:
    if not IMAGE or not os.environ.get("KUBECONFIG"):
        pytest.skip("needs KUBECONFIG of a cluster with KServe and E2E_IMAGE, an image that answers on port 8080")
    from rollout.cluster.kubernetes import connect  # takes seconds to load

    namespace = f"tandem-rollout-{secrets.token_hex(3)}"
    kubectl("create", "namespace", namespace)
    yield RealObjects(connect(namespace))
    kubectl("delete", "namespace", namespace, "--wait=false")


def on(mode: str) -> pytest.MarkDecorator:
    """Where a test runs: in memory always, on the real cluster if its KServe is in that mode."""
    other = pytest.mark.skipif(mode != E2E_MODE, reason=f"E2E_MODE is {E2E_MODE}; KServe runs in one mode, not in both")
    real = pytest.param("real", marks=[pytest.mark.e2e, other])
    return pytest.mark.parametrize("objects", ["memory", real], indirect=True)


standard, knative = on("Standard"), on("Knative")


@pytest.fixture(params=["memory", pytest.param("real", marks=pytest.mark.e2e)])
def objects(request: pytest.FixtureRequest) -> Objects:
    found: Objects = MemoryObjects() if request.param == "memory" else request.getfixturevalue("real")
    return found


def put_up(objects: Objects) -> StandardSlots:
    """The release, ready."""
    for kind, body in standard_release():
        create_when_the_webhook_answers(objects, kind, body)
    slots = StandardSlots(objects, RELEASE)
    wait_until_ready(slots, "blue", "v1")
    return slots


def create_when_the_webhook_answers(objects: Objects, kind: Kind, body: Object) -> None:
    """KServe's webhook may refuse connections for a moment after it was started."""
    for attempt in range(20):
        try:
            return objects.create(kind, body)
        except Conflict:
            return
        except ClusterProblem:
            if attempt == 19:
                raise
            time.sleep(1)


def wait_until_ready(slots: Slots, slot: str, bundle: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not (readiness := slots.readiness(slot, bundle)).ready:
        assert time.monotonic() < deadline, readiness.sentence
        time.sleep(0.2)


def test_a_lost_update_is_refused(objects: Objects) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": objects.namespace}}
    objects.create(CONFIG_MAP, body | {"data": {"a": "1"}})
    with pytest.raises(Conflict):
        objects.create(CONFIG_MAP, body)
    stale = objects.get(CONFIG_MAP, "c")
    assert stale
    modify(objects, CONFIG_MAP, "c", lambda found: found["data"].update(a="2"))
    with pytest.raises(Conflict):
        objects.replace(CONFIG_MAP, stale | {"data": {"a": "3"}})
    latest = objects.get(CONFIG_MAP, "c")
    assert latest and latest["data"] == {"a": "2"}


def test_nothing_is_written_when_nothing_changes(objects: Objects) -> None:
    objects.create(CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}})
    before = objects.get(CONFIG_MAP, "c")
    modify(objects, CONFIG_MAP, "c", lambda found: found["data"].update(a="1"))
    assert objects.get(CONFIG_MAP, "c") == before


def test_what_is_not_there_is_none_or_named(objects: Objects) -> None:
    assert objects.get(CONFIG_MAP, "nobody") is None
    with pytest.raises(ClusterProblem, match="HTTPRoute shop is not in namespace"):
        StandardSlots(objects, RELEASE).stable()


def test_two_controllers_share_one_record(objects: Objects) -> None:
    one, two = (Store(objects, RELEASE, holder) for holder in ("pod-a", "pod-b"))
    assert one.read() == Record()
    one.claim(1, time.sleep)

    def beat(_: float) -> None:
        one.beat()

    with pytest.raises(RolloutHeld, match="in the hands of pod-a"):
        two.claim(0.1, beat)
    two.claim(0.1, time.sleep)  # pod-a gives no sign
    with pytest.raises(RolloutHeld, match="taken over by pod-b"):
        one.beat()


@standard
def test_slots_take_bundles_and_shares(objects: Objects) -> None:
    slots = put_up(objects)
    assert (slots.stable(), slots.bundle("blue"), slots.bundle("green")) == ("blue", "v1", "v0")
    slots.put("green", "v2")
    wait_until_ready(slots, "green", "v2")
    assert not slots.readiness("green", "v3").ready

    slots.share("green", 25)
    route = objects.get(HTTP_ROUTE, RELEASE)
    assert route
    weights = [[backend["weight"] for backend in rule["backendRefs"]] for rule in route["spec"]["rules"]]
    assert weights == [[1], [1], [75, 25]]  # forced slots are left alone
    slots.share("green", 100)
    assert slots.stable() == "green"


@knative
def test_one_service_takes_a_revision_and_its_percent(objects: Objects) -> None:
    for kind, body in knative_release():
        create_when_the_webhook_answers(objects, kind, body)
    slots = KnativeSlots(objects, RELEASE, "shop.example.com")
    wait_until_ready(slots, "blue", "v1")
    assert (slots.stable(), slots.bundle("blue"), slots.bundle("green")) == ("blue", "v1", None)
    slots.share("green", 0)  # of a revision that is not there yet: nothing to do
    assert slots.stable() == "blue"

    slots.put("green", "v2")
    slots.put("green", "v2")
    wait_until_ready(slots, "green", "v2")
    slots.share("green", 25)
    assert percent(objects) == 25
    assert (slots.stable(), slots.bundle("green")) == ("blue", None)
    assert slots.headers("green") == {"Host": "latest-shop.example.com"}
    assert slots.headers("blue") == {"Host": "prev-shop.example.com"}

    slots.share("green", 0)
    assert (slots.stable(), percent(objects)) == ("blue", 0)
    slots.share("green", 100)
    assert (slots.stable(), slots.bundle("green"), percent(objects)) == ("green", "v2", None)


def test_a_percent_that_nobody_would_read_is_refused() -> None:
    """KServe's default mode is Standard, the release was installed for Knative: a new bundle would be everybody's."""
    objects = MemoryObjects()
    objects.create(INFERENCE_SERVICE, inference_service(RELEASE, "v1", "blue", "Standard"))
    settings = RolloutSettings(mode=Mode.KNATIVE)
    with pytest.raises(ClusterProblem, match="runs InferenceService shop in mode Standard, where nobody reads canary"):
        release_of(objects, Clock(), Says(good), settings, "one").controller.start("v2")
    service = objects.get(INFERENCE_SERVICE, RELEASE)
    assert service and bundle_of(container_of(service)) == "v1"


def knative_slots(status: Object) -> tuple[MemoryObjects, KnativeSlots]:
    """A release with this status; Knative's service below it has it too."""
    objects = MemoryObjects()
    for kind, body in knative_release():
        objects.create(kind, body)
    objects.overlay(INFERENCE_SERVICE, RELEASE, status.get("kserve", {}))
    objects.overlay(KNATIVE_SERVICE, f"{RELEASE}-predictor", status.get("knative", {}))
    return objects, KnativeSlots(objects, RELEASE)


@pytest.mark.parametrize(
    ("knative", "missing"),
    [
        ({"observedGeneration": 0}, "Knative has not looked at shop-predictor yet"),
        ({"latestCreatedRevisionName": "shop-v2"}, "revision shop-v2 is not ready"),
        ({"latestCreatedRevisionName": None}, "revision of shop-predictor is not ready"),
    ],
)
def test_a_revision_is_ready_when_knative_says_so(knative: Object, missing: str) -> None:
    """KServe's own observedGeneration is a copy of Knative's, so its lag behind the generation proves nothing."""
    _, slots = knative_slots({"kserve": {"observedGeneration": 0}})
    assert slots.readiness("blue", "v1").ready
    _, slots = knative_slots({"knative": knative})
    assert slots.readiness("blue", "v1").sentence == missing


def test_a_revision_of_another_bundle_is_not_the_one_asked_for() -> None:
    _, slots = knative_slots({})
    assert slots.readiness("green", "v2").sentence == "KServe has not passed v2 on to shop-predictor yet"


def test_nothing_is_put_while_kserve_has_not_noted_the_last_promotion() -> None:
    """It would give 100 % to the revision that was rolled out before."""
    behind = {"components": {"predictor": {"latestReadyRevision": "shop-v1", "latestRolledoutRevision": "shop-v0"}}}
    objects, slots = knative_slots({"kserve": behind})
    slots.put("green", "v2")
    assert (slots.bundle("blue"), percent(objects)) == ("v1", None)
    objects.overlay(INFERENCE_SERVICE, RELEASE, {"components": {}})  # a first revision that never became ready
    slots.put("green", "v2")
    assert percent(objects) == 0


def percent(objects: Objects) -> int | None:
    service = objects.get(INFERENCE_SERVICE, RELEASE)
    assert service
    found: int | None = service["spec"]["predictor"].get("canaryTrafficPercent")
    return found


@pytest.mark.e2e
def test_a_whole_rollout_on_a_real_cluster(real: RealObjects) -> None:
    """Started, promoted, rolled back; each decision an Event that kubectl shows."""
    mode = Mode(E2E_MODE)
    for kind, body in standard_release() if mode is Mode.STANDARD else knative_release():
        create_when_the_webhook_answers(real, kind, body)
    settings = RolloutSettings(mode=mode, interval_seconds=0.1, analyses_per_step=1, ready_seconds=READY_SECONDS)
    slots = slots_of(real, RELEASE, settings)
    wait_until_ready(slots, "blue", "v1")
    release = release_of(real, Clock(), Says(good), settings, "one")
    rollout = release.controller.start("v2")
    assert rollout and rollout.phase is Phase.PROMOTED
    assert slots.stable() == "green"

    began = time.monotonic()
    back = release.controller.roll_back()
    assert back.phase is Phase.PROMOTED, back.aborted_because
    assert time.monotonic() - began < 30
    assert (slots.stable(), slots.bundle("blue")) == ("blue", "v1")
    about = ("--field-selector", f"involvedObject.name={RELEASE}-rollout")
    told = kubectl("-n", real.namespace, "get", "events", "-o", "jsonpath={.items[*].reason}", *about).split()
    assert told.count("CanaryPromoted") == 2
    assert told.count("CanaryShifted") == len(RolloutSettings().steps)


@pytest.mark.e2e
def test_a_killed_command_and_the_people_after_it(real: RealObjects, tmp_path: Path) -> None:
    """`start` waits for a Prometheus that is not there, is killed; `promote` takes over; `rollback` goes back."""
    mode = Mode(E2E_MODE)
    for kind, body in standard_release() if mode is Mode.STANDARD else knative_release():
        create_when_the_webhook_answers(real, kind, body)
    wait_until_ready(slots_of(real, RELEASE, RolloutSettings(mode=mode)), "blue", "v1")
    settings = tmp_path / "rollout.yaml"
    settings.write_text(
        f"mode: {mode}\nintervalSeconds: 0.2\nclaimSeconds: 3\nsteps: [25]\nanalysis: {{gates: [errors]}}\n"
        "metrics: {prometheusUrl: 'http://127.0.0.1:9'}\n"
    )
    rest = ("--release", RELEASE, "--namespace", real.namespace)
    started = subprocess.Popen([*TANDEM, "rollout", "start", "--bundle", "v2", *rest, "--settings", str(settings)])
    deadline = time.monotonic() + READY_SECONDS
    while "waits for: errors: Prometheus at http://127.0.0.1:9 does not answer" not in tandem(
        "rollout", "status", *rest
    ):
        assert time.monotonic() < deadline
    started.kill()
    started.wait()

    tandem("rollout", "promote", *rest, "--settings", str(settings))
    assert "v2: promoted in slot green, 100 % of the traffic" in tandem("rollout", "status", *rest)
    told = [json.loads(line) for line in tandem("rollback", *rest, "--settings", str(settings)).splitlines()]
    assert [line["choice"] for line in told] == ["Started", "Staged", "Promoted"]
    assert {line["bundle"] for line in told} == {"v1"}


def tandem(*arguments: str) -> str:
    return subprocess.run([*TANDEM, *arguments], check=True, capture_output=True, text=True).stdout


@pytest.mark.e2e
def test_a_kind_that_the_cluster_lacks_is_named(real: RealObjects) -> None:
    with pytest.raises(ClusterProblem, match="the cluster has no Missing"):
        real.get(MISSING, "x")


@pytest.mark.e2e
def test_what_the_api_server_refuses_is_told_in_its_words(real: RealObjects) -> None:
    body = inference_service("Not_A_Name", "v1", "blue", "Standard")
    with pytest.raises(ClusterProblem, match="create InferenceService Not_A_Name"):
        real.create(INFERENCE_SERVICE, body)
