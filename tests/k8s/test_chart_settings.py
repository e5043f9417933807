"""Every setting of the server can be given on a cluster, and reaches the parts that read it."""

import json
from pathlib import Path

import pytest
import yaml

from serving.bundles.experiment import read_experiment
from serving.rules.rule_file import read_rules
from serving.settings import ServingSettings
from tests.k8s.test_chart import CHART, HELM, VALUES, Object, named, pods
from tests.support.each import each

pytestmark = pytest.mark.skipif(HELM is None, reason="helm is not there; `make test-tools` brings it, with Go")
WITH_RECORDS = CHART / "ci" / "erasure-values.yaml"
WITH_FILES = CHART / "ci" / "server-files-values.yaml"
NOT_ON_A_CLUSTER = {
    "TANDEM_HTTP_PORT",  # probes, Services and policies name 8080
    "TANDEM_PROGRESS_FILE",  # of the demo
    "TANDEM_EVENT_CONSUMER",  # a Deployment of its own consumes
}
WRITERS_OF_THE_LOG = (
    "InferenceService shop-blue",
    "InferenceService shop-green",
    "CronJob shop-train",
    "Job shop-rollout",
)


def variables(pod: Object) -> dict[str, str]:
    """Of the containers of a pod, by name; where a value comes from a Secret it is empty."""
    containers = [*pod["containers"], *pod.get("initContainers", [])]
    return {one["name"]: one.get("value", "") for part in containers for one in part.get("env", [])}


def claims(pod: Object) -> dict[str, str]:
    """Path by claim, of what the containers of a pod mount."""
    volumes = {one["name"]: one.get("persistentVolumeClaim", {}).get("claimName") for one in pod["volumes"]}
    containers = [*pod["containers"], *pod.get("initContainers", [])]
    mounts = [mount for part in containers for mount in part["volumeMounts"]]
    return {claim: one["mountPath"] for one in mounts if (claim := volumes[one["name"]])}


def other_settings() -> set[str]:
    """What server.extraEnv takes."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    return set(schema["properties"]["server"]["properties"]["extraEnv"]["propertyNames"]["enum"])


def test_every_setting_of_the_server_has_one_way_to_be_given() -> None:
    known = {f"TANDEM_{name.upper()}" for name in ServingSettings.model_fields}
    set_by_values = {
        name
        for values in VALUES
        for kind, pod in pods(values)
        if kind.startswith("InferenceService") or kind.endswith("-events")
        for name in variables(pod)
        if name.startswith("TANDEM_")
    } - {"TANDEM_CACHE_SECONDS"}  # WITH_FILES shows server.extraEnv by it
    assert set_by_values | other_settings() | NOT_ON_A_CLUSTER == known
    assert not set_by_values & other_settings(), "a variable would be there twice"


def test_values_show_the_servers_own_defaults() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    shown = (values["server"]["notInterestedDays"], values["events"]["retentionDays"])
    fields = ServingSettings.model_fields
    assert shown == (fields["not_interested_days"].default, fields["event_retention_days"].default)
    assert values["erasure"]["bundleLifeDays"] == fields["bundle_life_days"].default


def test_who_was_erased_is_known_to_servers_consumer_and_pipeline() -> None:
    found = {
        name: (variables(pod).get("TANDEM_ERASURES"), claims(pod).get("erasures")) for name, pod in pods(WITH_RECORDS)
    }
    assert found["InferenceService shop-blue"] == found["InferenceService shop-green"] == ("/erasures", "/erasures")
    assert found["Deployment shop-events"] == ("/erasures", "/erasures")
    assert found["CronJob shop-train"] == (None, "/workspace/erasures")  # where Workspace.erasures looks
    assert found["CronJob shop-materialize"] == (None, "/workspace/erasures")


def test_the_claim_is_writable_for_the_user_of_every_pod_that_has_it() -> None:
    for name, pod in each(
        (name, pod) for name, pod in pods(WITH_RECORDS) if claims(pod).keys() & {"erasures", "audit"}
    ):
        assert pod["securityContext"]["fsGroup"] == 1000, name


def test_receipts_are_signed_with_a_key_that_only_servers_have() -> None:
    with_key = {name for name, pod in pods(WITH_RECORDS) if "TANDEM_RECEIPT_KEY" in variables(pod)}
    assert with_key == {"InferenceService shop-blue", "InferenceService shop-green"}
    pod = dict(pods(WITH_RECORDS))["InferenceService shop-blue"]
    [volume] = [one for one in pod["volumes"] if one["name"] == "receipt-key"]
    [mount] = [one for one in pod["containers"][0]["volumeMounts"] if one["name"] == "receipt-key"]
    assert volume["secret"]["secretName"] == "tandem-receipts"
    assert variables(pod)["TANDEM_RECEIPT_KEY"] == f"{mount['mountPath']}/receipt-key"


def test_servers_and_rollouts_write_one_audit_log() -> None:
    found = {name: claims(pod)["audit"] for name, pod in pods(WITH_RECORDS) if "TANDEM_AUDIT_LOG" in variables(pod)}
    assert len(found) == len(WRITERS_OF_THE_LOG)
    assert all(name.startswith(WRITERS_OF_THE_LOG) and path == "/audit" for name, path in each(found.items()))


def test_rules_and_experiment_are_files_that_the_server_can_read(tmp_path: Path) -> None:
    pod = dict(pods(WITH_FILES))["InferenceService shop-blue"]
    data = named("ConfigMap", "shop-server-files", WITH_FILES)["data"]
    for name, text in each(data.items()):
        (tmp_path / name).write_text(text)
    assert {variables(pod)[name] for name in ("TANDEM_RULES", "TANDEM_EXPERIMENT")} == {
        f"/server-files/{name}" for name in data
    }
    assert [rule.name for rule in read_rules(tmp_path / "rules.yaml").rules] == ["recalled"]
    assert read_experiment(tmp_path / "experiment.yaml").share == 0.1


def test_other_settings_reach_servers_and_consumer() -> None:
    found = {name for name, pod in pods(WITH_FILES) if variables(pod).get("TANDEM_CACHE_SECONDS") == "5"}
    assert found == {"InferenceService shop-blue", "InferenceService shop-green", "Deployment shop-events"}
