"""Policies that every rendered object of the chart keeps, for every values file in ci/."""

import json
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.each import each
from tests.support.real_parts.programs import program

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "k8s" / "tandem"
VALUES = each(sorted((CHART / "ci").glob("*-values.yaml")))
HELM = program("helm")
Object = dict[str, Any]

pytestmark = pytest.mark.skipif(HELM is None, reason="helm is not there; `make test-tools` brings it, with Go")
every_values_file = pytest.mark.parametrize("values", VALUES, ids=lambda path: path.name.removesuffix("-values.yaml"))


@cache
def rendered(values: Path) -> list[Object]:
    command = [str(HELM), "template", "shop", str(CHART), "--kube-version", "1.34.0", "--values", str(values)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def pods(values: Path) -> Iterator[tuple[str, Object]]:
    """(name of the object, its pod specification)."""
    for item in rendered(values):
        spec, name = item.get("spec", {}), f"{item['kind']} {item['metadata']['name']}"
        if item["kind"] == "InferenceService":
            yield name, spec["predictor"]
        elif item["kind"] == "CronJob":
            yield name, spec["jobTemplate"]["spec"]["template"]["spec"]
        elif item["kind"] == "TrainingRuntime":
            [workers] = spec["template"]["spec"]["replicatedJobs"]
            yield name, workers["template"]["spec"]["template"]["spec"]
        elif "template" in spec:
            yield name, spec["template"]["spec"]


def named(kind: str, name: str, values: Path) -> Object:
    return next(item for item in rendered(values) if (item["kind"], item["metadata"]["name"]) == (kind, name))


@every_values_file
def test_no_container_has_more_rights_than_its_work_needs(values: Path) -> None:
    for name, pod in each(pods(values)):
        assert not pod.get("hostNetwork") and not pod.get("hostPID"), name
        for container in pod["containers"] + pod.get("initContainers", []):
            security = container["securityContext"]
            assert security["runAsNonRoot"] and security["readOnlyRootFilesystem"], name
            assert security["allowPrivilegeEscalation"] is False and security["capabilities"] == {"drop": ["ALL"]}, name
            assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name


@every_values_file
def test_every_container_says_what_it_needs_and_may_take(values: Path) -> None:
    for name, pod in each(pods(values)):
        for container in each(pod["containers"]):
            for bound in ("requests", "limits"):
                assert {"cpu", "memory"} <= container["resources"][bound].keys(), f"{name} {bound}"


@every_values_file
def test_no_pod_gets_a_token_of_the_api_server_unless_it_asks_there(values: Path) -> None:
    accounts = [item for item in rendered(values) if item["kind"] == "ServiceAccount"]
    assert all(
        item["automountServiceAccountToken"] is False for item in accounts if "rollout" not in item["metadata"]["name"]
    )


@every_values_file
def test_no_secret_is_rendered(values: Path) -> None:
    assert [item for item in rendered(values) if item["kind"] == "Secret"] == []
    for _, pod in each(pods(values)):
        for variable in (variable for container in pod["containers"] for variable in container.get("env", [])):
            assert (
                "value" not in variable
                or not variable["name"].endswith(("KEY", "PASSWORD", "SECRET"))
                or (
                    variable["name"].endswith(("_SIGNING_KEY", "_PUBLIC_KEY", "_RECEIPT_KEY"))  # paths, and no secrets
                )
            )


@every_values_file
def test_images_have_a_tag_or_digest_and_none_is_latest(values: Path) -> None:
    for name, pod in each(pods(values)):
        for container in each(pod["containers"]):
            image = container["image"].rpartition("/")[2]
            assert ("@sha256:" in image or ":" in image) and not image.endswith(":latest"), name


@every_values_file
def test_everything_is_denied_before_something_is_allowed(values: Path) -> None:
    policies = [item for item in rendered(values) if item["kind"] == "NetworkPolicy"]
    if values.name == "no-network-policy-values.yaml":
        assert policies == []
        return
    deny = next(item for item in policies if item["metadata"]["name"] == "shop-default-deny")["spec"]
    assert deny["podSelector"] == {"matchLabels": {"app.kubernetes.io/instance": "shop"}}
    assert set(deny["policyTypes"]) == {"Ingress", "Egress"} and "ingress" not in deny and "egress" not in deny


@every_values_file
def test_no_object_is_rendered_twice(values: Path) -> None:
    names = [(item["kind"], item["metadata"]["name"]) for item in rendered(values)]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)


@every_values_file
def test_names_carry_the_release_and_leave_room_for_what_kserve_appends(values: Path) -> None:
    for item in each(rendered(values)):
        name = item["metadata"]["name"]
        if item["kind"].startswith("ValidatingAdmissionPolicy"):  # in no namespace, so the name carries one
            name = name.removeprefix("default-")
        assert name == "shop" or name.startswith("shop-"), name
        longest = "x" * 40 + name.removeprefix("shop") + "-predictor" * (item["kind"] == "InferenceService")
        assert len(longest) <= 63, name


def test_a_slot_is_a_whole_predictor_of_its_own() -> None:
    values = CHART / "ci" / "default-values.yaml"
    for slot in ("blue", "green"):
        predictor = named("InferenceService", f"shop-{slot}", values)["spec"]["predictor"]
        variables = {one["name"]: one.get("value") for one in predictor["containers"][0]["env"]}
        assert variables["TANDEM_VARIANT"] == slot
        assert variables["TANDEM_BUNDLE_DIR"] == "s3://tandem/bundles/3f4a0503dde1"
        budget = named("PodDisruptionBudget", f"shop-{slot}", values)["spec"]
        assert budget["selector"]["matchLabels"] == {"serving.kserve.io/inferenceservice": f"shop-{slot}"}
        drained = predictor["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert drained < predictor["terminationGracePeriodSeconds"]


def test_the_route_forces_a_slot_by_header_and_splits_the_rest() -> None:
    blue, green, split = named("HTTPRoute", "shop", CHART / "ci" / "slots-values.yaml")["spec"]["rules"]
    for rule, slot in ((blue, "blue"), (green, "green")):
        assert [backend["name"] for backend in rule["backendRefs"]] == [f"shop-{slot}-predictor"]
        assert all(match["headers"] == [{"name": "x-tandem-slot", "value": slot}] for match in each(rule["matches"]))
    assert [(one["name"], one["weight"]) for one in split["backendRefs"]] == [
        ("shop-blue-predictor", 0),
        ("shop-green-predictor", 100),
    ]


def test_the_route_forwards_no_path_of_operators() -> None:
    rules = named("HTTPRoute", "shop", CHART / "ci" / "default-values.yaml")["spec"]["rules"]
    prefixes = {
        match["path"]["value"] for rule in rules for match in rule["matches"] if match["path"]["type"] != "Exact"
    }
    for closed in ("/metrics", "/admin/bundle", "/v2/repository/index"):
        assert not any(closed == prefix or closed.startswith(f"{prefix}/") for prefix in prefixes), closed


def test_without_a_bundle_everything_but_the_slots_is_installed() -> None:
    kinds = {item["kind"] for item in rendered(CHART / "ci" / "first-bundle-values.yaml")}
    assert "CronJob" in kinds and not {"InferenceService", "HTTPRoute"} & kinds


def test_a_training_run_releases_what_it_has_published() -> None:
    values = CHART / "ci" / "training-rollout-values.yaml"
    pod = named("CronJob", "shop-train", values)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [train], [release] = pod["initContainers"], pod["containers"]
    assert train["args"][-1].removeprefix("--receipt=") == release["args"][1].removeprefix("--bundle-file=")
    assert release["command"] == ["tandem", "rollout", "start"] and "-serving:" in release["image"]
    account = {"kind": "ServiceAccount", "name": pod["serviceAccountName"], "namespace": "default"}
    assert account in named("RoleBinding", "shop-rollout", values)["subjects"]
    materialize = named("CronJob", "shop-materialize", values)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert "initContainers" not in materialize and materialize["automountServiceAccountToken"] is False


@every_values_file
def test_mounted_secrets_are_readable_for_the_user_of_the_pod(values: Path) -> None:
    """A volume belongs to root: its files are read by all, or by the group that the pod gives them."""
    for name, pod in each(pods(values)):
        for volume in pod.get("volumes", []):
            mode = volume.get("secret", {}).get("defaultMode", 0o644)
            assert mode & 0o004 or (mode & 0o040 and pod["securityContext"]["fsGroup"] == 1000), (name, volume)


@pytest.mark.parametrize(
    ("values", "kind"), [("rollout", "Job"), ("training-rollout", "CronJob")], ids=["by hand", "after training"]
)
def test_every_release_has_the_key_that_its_settings_name(values: str, kind: str) -> None:
    path = CHART / "ci" / f"{values}-values.yaml"
    settings = yaml.safe_load(named("ConfigMap", "shop-rollout-settings", path)["data"]["rollout.yaml"])
    [release] = [
        container
        for name, pod in pods(path)
        for container in pod["containers"]
        if container.get("command") == ["tandem", "rollout", "start"] and name.startswith(f"{kind} ")
    ]
    assert settings["mirror"]["keyFile"].startswith("/key/")
    assert "/key" in [mount["mountPath"] for mount in release["volumeMounts"]]


def test_jobs_that_write_bundles_have_another_account_than_the_predictors() -> None:
    values = CHART / "ci" / "training-values.yaml"
    accounts = {name: pod["serviceAccountName"] for name, pod in pods(values)}
    assert accounts["CronJob shop-train"] == accounts["CronJob shop-materialize"] == "shop-train"
    assert accounts["InferenceService shop-blue"] == accounts["InferenceService shop-green"] == "shop"
    assert named("ServiceAccount", "shop-train", values)


@pytest.mark.parametrize(("values", "between"), [("registry-folder", "/"), ("training", "-")])
def test_prefix_and_name_of_an_image_are_joined_as_the_registry_has_them(values: str, between: str) -> None:
    images = {
        container["image"].rpartition(":")[0]
        for _, pod in pods(CHART / "ci" / f"{values}-values.yaml")
        for container in pod["containers"]
    }
    assert images == {f"registry.example.com/tandem{between}{image}" for image in ("serving", "training")}


def test_every_worker_knows_all_of_them_and_its_own_place() -> None:
    values = CHART / "ci" / "workers-values.yaml"
    [pod] = [pod for name, pod in pods(values) if name == "TrainingRuntime shop-towers"]
    variables = {one["name"]: one for one in pod["containers"][0]["env"]}
    assert variables["WORKER_INDEX"]["valueFrom"]["fieldRef"]["fieldPath"].endswith("job-completion-index']")
    config = json.loads(variables["TF_CONFIG"]["value"].replace("$(WORKER_INDEX)", "2"))
    assert config["cluster"]["worker"][2] == "shop-towers-node-0-2.shop-towers:2222" and config["task"]["index"] == 2
    job = named("TrainJob", "shop-towers", values)["spec"]
    assert job["suspend"] and job["trainer"]["numNodes"] == len(config["cluster"]["worker"]) == 3


def test_a_cluster_materializes_as_the_repository_does() -> None:
    """With the same engine, in slices of the same size; the server's file names nothing that its image lacks."""
    values = CHART / "ci" / "training-values.yaml"
    files = [named("ConfigMap", f"shop-feature-store{end}", values)["data"] for end in ("", "-offline")]
    server, offline = (yaml.safe_load(file["feature_store.yaml"]) for file in files)
    ours = yaml.safe_load((ROOT / "feature_repo" / "feature_store.yaml").read_text())
    for key in ("batch_engine", "materialization_config", "offline_store", "entity_key_serialization_version"):
        assert offline[key] == ours[key], key
    assert not {"batch_engine", "offline_store"} & server.keys()


def test_alerts_in_the_chart_are_the_ones_of_monitoring() -> None:
    rule = named("PrometheusRule", "shop", CHART / "ci" / "prometheus-operator-values.yaml")
    assert rule["spec"] == yaml.safe_load((ROOT / "monitoring" / "alerts.yaml").read_text())


def test_dashboards_in_the_chart_are_the_ones_of_monitoring() -> None:
    for path in each((ROOT / "monitoring" / "dashboards").glob("*.json")):
        board = named("ConfigMap", f"shop-dashboard-{path.stem}", CHART / "ci" / "prometheus-operator-values.yaml")
        assert board["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert board["data"][path.name].strip() == path.read_text().strip()
