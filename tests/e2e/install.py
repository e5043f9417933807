"""From an empty namespace to two slots that answer: the way a platform team goes."""

import re
import time
from pathlib import Path

from tests.e2e.cluster import CHART, CommandFailed, until
from tests.e2e.traffic import Gateway
from tests.e2e.world import BUCKET, KEY, MANIFESTS, World, elapsed, way_in

READY_SECONDS = 300


def stores(world: World) -> str:
    """Object storage and Prometheus of this run, each a real server, and the volume of the audit log."""
    started = time.monotonic()
    settings, cluster = world.settings, world.cluster
    for name, image in (("s3", settings.s3_image), ("prometheus", settings.prometheus_image)):
        cluster.apply((MANIFESTS / f"{name}.yaml").read_text().replace("IMAGE", image))
    of_a_run_before = f"{settings.namespace}-audit"
    cluster.kubectl("delete", "persistentvolume", of_a_run_before, "--ignore-not-found")
    records = (MANIFESTS / "records.yaml").read_text().replace("NAMESPACE", settings.namespace)
    cluster.apply(records.replace("IMAGE", settings.redis_image))
    for name in ("s3", "prometheus"):
        cluster.kubectl("rollout", "status", f"deployment/{name}", "--timeout=180s")
    cluster.kubectl("wait", "--for=condition=complete", "job/empty-audit-log", "--timeout=180s")
    until("a bucket", lambda: world.s3().create_bucket(Bucket=BUCKET), 30)
    return f"S3 and Prometheus up in {elapsed(started)}"


def values(world: World, *extra: str, params: str = "params.yaml", chart: Path = CHART) -> list[str]:
    """Options of every helm command of the run; those that the chart of the version before lacks for ours alone."""
    settings = world.settings
    given = [
        f"images.prefix={settings.images}",
        f"images.tag={settings.tag}",
        f"redis.image={settings.redis_image}",
        f"route.hostnames={{{settings.host}}}",
        f"mode={settings.mode.capitalize()}",
        *([f"bundle.uri={world.bundle_url}"] if world.bundle_url else []),
        *(_later(world) if chart == CHART else []),
        *extra,
    ]
    return [
        "--values",
        str(MANIFESTS / "values.yaml"),
        "--set-file",
        f"training.params={MANIFESTS / params}",
        *(part for value in given for part in ("--set-string" if "users=" in value else "--set", value)),
    ]


def _later(world: World) -> list[str]:
    """Values that version 0.1 did not know."""
    audit_log = ["auditLog.claimName=audit-log"] if world.settings.mode == "standard" else []  # Knative mounts no claim
    return ["server.openScopes={metrics}", *audit_log]


def upgrade(world: World, *extra: str, params: str = "params.yaml", chart: Path = CHART) -> None:
    """`helm upgrade --install`; again where KServe's webhook was not yet there."""
    options = values(world, *extra, params=params, chart=chart)
    command = ["upgrade", "--install", world.settings.release, str(chart), *options]
    until("helm upgrade", lambda: world.cluster.helm(*command) or True, 60, 3)


def first_bundle(world: World) -> str:
    """The chart without a bundle, and its own training job for the first one."""
    started = time.monotonic()
    cluster, release = world.cluster, world.settings.release
    upgrade(world)
    cluster.kubectl("rollout", "status", f"statefulset/{release}-redis", "--timeout=180s")
    cluster.kubectl("create", "job", "first-bundle", f"--from=cronjob/{release}-train")
    until("the training job", lambda: finished(world, "first-bundle"), 1200, 3)
    log = cluster.kubectl("logs", "job/first-bundle")
    found = re.search(r"published (s3://\S+)", log)
    if not found:
        raise AssertionError(f"the training job published nothing: {log[-1500:]}")
    world.bundle_url = found[1]
    return f"trained, published {world.version} and its features in {elapsed(started)}"


def finished(world: World, job: str) -> bool:
    status = world.cluster.get("job", job).get("status", {})
    if status.get("failed"):
        raise AssertionError(f"job {job} failed: {last_words(world, job)}")
    return bool(status.get("succeeded"))


def last_words(world: World, job: str) -> str:
    """End of the log of every container of a job that failed; one that never started has none."""
    said = []
    for pod in world.cluster.items("pods", f"--selector=job-name={job}"):
        for one in pod["status"].get("initContainerStatuses", []) + pod["status"].get("containerStatuses", []):
            if one["state"].get("terminated", {}).get("exitCode"):
                name = pod["metadata"]["name"]
                said.append(world.cluster.kubectl("logs", name, f"--container={one['name']}", "--tail=40"))
    return "\n".join(said)


def slots(world: World) -> str:
    """Both slots Ready, and a list through the gateway."""
    started = time.monotonic()
    upgrade(world)
    until("both slots Ready", lambda: all(_ready(world, name) for name in inference_services(world)), READY_SECONDS)
    ready = elapsed(started)
    manifest = world.s3().get_object(Bucket=BUCKET, Key=f"bundles/{world.version}/manifest.json")["Body"].read()
    world.user_ids = _example_users(manifest)
    world.host = _host(world)
    world.gateway = Gateway(way_in(world), world.host, KEY)
    answer = until("an answer through the gateway", lambda: _first_answer(world), 60)
    return f"slots Ready {ready} after helm upgrade, first list after {elapsed(started)} by slot {answer.variant!r}"


def inference_services(world: World) -> tuple[str, ...]:
    """Names of the InferenceServices of this mode."""
    return world.slots if world.settings.mode == "standard" else (world.settings.release,)


def _ready(world: World, name: str) -> bool:
    conditions = world.cluster.get("inferenceservice", name).get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _host(world: World) -> str:
    """The chart's own route has the host from the settings; Knative makes one up."""
    if world.settings.mode == "standard":
        return world.settings.host
    url: str = world.cluster.get("inferenceservice", world.settings.release)["status"]["url"]
    return url.removeprefix("http://").removeprefix("https://")


def _first_answer(world: World) -> object:
    answer = world.gateway.recommend(world.user_ids[0])
    if answer.status != 200:
        raise CommandFailed(f"{answer.status} {answer.fault}")
    return answer


def _example_users(manifest: bytes) -> list[str]:
    import json

    users: list[str] = json.loads(manifest)["example_user_ids"]
    return users


def write_down(world: World, folder: Path) -> None:
    """What the cluster says of the run's pods, for a failed run."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, command in {
        "pods.txt": ("get", "pods", "--output", "wide"),
        "events.txt": ("get", "events", "--sort-by=.lastTimestamp"),
        "services.yaml": ("get", "inferenceservices,httproutes", "--output", "yaml"),
    }.items():
        (folder / name).write_text(world.cluster.kubectl(*command))
