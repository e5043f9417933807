"""Whole environments against an AWS on loopback: made, unchanged, and gone. scripts/check-terraform runs these."""

import json
import os
import re
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import yaml

from .terraform import ROOT, Environment, aws_on_loopback

MIRROR = os.environ.get("TF_PLUGIN_MIRROR", "")
CHART = ROOT / "k8s" / "tandem"

COUNTED = [
    ("amp", "list_workspaces", "workspaces"),
    ("ec2", "describe_addresses", "Addresses"),
    ("ec2", "describe_flow_logs", "FlowLogs"),
    ("ec2", "describe_internet_gateways", "InternetGateways"),
    ("ec2", "describe_launch_templates", "LaunchTemplates"),
    ("ec2", "describe_route_tables", "RouteTables"),
    ("ec2", "describe_security_groups", "SecurityGroups"),
    ("ec2", "describe_subnets", "Subnets"),
    ("ec2", "describe_vpcs", "Vpcs"),
    ("ecr", "describe_repositories", "repositories"),
    ("eks", "list_clusters", "clusters"),
    ("elasticache", "describe_cache_clusters", "CacheClusters"),
    ("elasticache", "describe_cache_subnet_groups", "CacheSubnetGroups"),
    ("elasticache", "describe_replication_groups", "ReplicationGroups"),
    ("iam", "list_open_id_connect_providers", "OpenIDConnectProviderList"),
    ("iam", "list_roles", "Roles"),
    ("logs", "describe_log_groups", "logGroups"),
    ("s3", "list_buckets", "Buckets"),
    ("secretsmanager", "list_secrets", "SecretList"),
]

pytestmark = [
    pytest.mark.terraform,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not there"),
    pytest.mark.skipif(not MIRROR, reason="TF_PLUGIN_MIRROR names no mirror of the AWS provider"),
]


@pytest.fixture
def aws() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with aws_on_loopback(port) as address:
        urllib.request.urlopen(urllib.request.Request(f"{address}/state-of-terraform", method="PUT")).close()
        yield address


def held_by(aws: str) -> dict[str, int]:
    """Number of objects by kind that an AWS on loopback holds; a secret that waits for its end is not counted by it."""
    named = {"region_name": "eu-central-1", "aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    counts = {}
    for service, question, answer in COUNTED:
        client = boto3.client(service, endpoint_url=aws, **named)
        counts[f"{service} {answer}"] = len(getattr(client, question)()[answer])
    return counts


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_an_environment_is_made_unchanged_and_gone(name: str, aws: str, tmp_path: Path) -> None:
    environment = Environment(name, tmp_path, aws, MIRROR)
    environment.init("state-of-terraform", f"tandem/{name}.tfstate")
    before = held_by(aws)

    applied = environment.done("apply", "-parallelism=4", "-auto-approve", "-input=false", "-no-color")
    [made] = re.findall(r"(\d+) added, 0 changed, 0 destroyed", applied)
    assert environment.planned() == []
    assert_chart_takes(environment.done("output", "-raw", "helm_values"), environment, tmp_path)

    destroyed = environment.done("destroy", "-auto-approve", "-input=false", "-no-color")
    [gone] = re.findall(r"(\d+) destroyed", destroyed)
    assert gone == made and environment.done("state", "list") == ""
    assert held_by(aws) == before
    # A key of KMS is deleted after 30 days: it waits, and is not counted.
    print(f"terraform {name}: {made} made, 0 changed by a second plan, {gone} destroyed, 0 left")  # noqa: T201


def assert_chart_takes(text: str, environment: Environment, scratch: Path) -> None:
    """helm accepts the values by values.schema.json, and the rendered images lie in the repositories that were made."""
    assert yaml.safe_load(text)["images"]["prefix"]
    (scratch / "values.yaml").write_text(text)
    helm = shutil.which("helm") or shutil.which("helm", path=ROOT / ".tools" / "bin")
    assert helm is not None, "helm is not there; `make tools` installs it"
    command = [helm, "template", "tandem", str(CHART), "--kube-version=1.34.0", f"--values={scratch / 'values.yaml'}"]
    command += ["--set=bundle.uri=s3://shop/bundles/3f4a0503dde1"]
    rendered = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    images = {match.rpartition(":")[0] for match in re.findall(r'image: "?([^"\s]+)', rendered)}
    repositories = set(json.loads(environment.done("output", "-json", "repository_urls")).values())
    assert images and images <= repositories


def test_a_state_that_somebody_changes_is_locked(aws: str, tmp_path: Path) -> None:
    environment = Environment("dev", tmp_path, aws, MIRROR)
    environment.init("state-of-terraform", "tandem/dev.tfstate")
    lock = json.dumps({"ID": "1", "Operation": "OperationTypeApply", "Who": "another@machine", "Version": "1.11.4"})
    address = f"{aws}/state-of-terraform/tandem/dev.tfstate.tflock"
    urllib.request.urlopen(urllib.request.Request(address, data=lock.encode(), method="PUT")).close()
    refused = environment.run("plan", "-input=false", "-no-color", "-lock-timeout=0s")
    assert refused.returncode == 1 and "Error acquiring the state lock" in refused.stderr


def test_bucket_and_registry_of_version_0_1_are_taken_over(aws: str, tmp_path: Path) -> None:
    environment = Environment("prod", tmp_path, aws, MIRROR)
    environment.init("state-of-terraform", "tandem/prod.tfstate")
    state = Path(__file__).parent / "state_0_1.json"
    environment.done("state", "push", str(state))
    changes = environment.planned("-refresh=false")
    kept = [change for change in changes if change.get("previous_address", change["address"]) != change["address"]]
    assert not [change["address"] for change in changes if "delete" in change["change"]["actions"]]
    created = {change["address"] for change in changes if change["change"]["actions"] == ["create"]}
    assert not [address for address in created if ".aws_s3_bucket" in address]
    assert 'module.stack.module.registry.aws_ecr_repository.this["serving"]' not in created
    assert all(change["change"]["actions"] in (["no-op"], ["update"]) for change in kept)
