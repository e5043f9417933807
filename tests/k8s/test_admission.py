"""The chart's admission policy, asked about pods in the policy's own language (CEL), without a cluster."""

import subprocess
from pathlib import Path
from typing import Any

import celpy
import pytest
import yaml
from celpy.adapter import json_to_cel

from tests.support.each import each
from tests.support.real_parts.programs import program

CHART = Path(__file__).resolve().parents[2] / "k8s" / "tandem"
HELM = program("helm")
OURS, DIGEST = "registry.example.com/tandem-", "@sha256:" + "0" * 64
Object = dict[str, Any]

pytestmark = pytest.mark.skipif(HELM is None, reason="helm is not there; `make test-tools` brings it, with Go")


def rendered(*options: str) -> dict[str, Object]:
    """Objects of the release `shop` in the namespace `stores`, by kind; one of each kind that is asked for here."""
    values = ["--values", str(CHART / "ci" / "admission-values.yaml")]
    command = [str(HELM), "template", "shop", str(CHART), "--namespace", "stores", "--kube-version", "1.34.0"]
    done = subprocess.run([*command, *values, *options], capture_output=True, text=True, check=True)
    return {item["kind"]: item for item in yaml.safe_load_all(done.stdout) if item}


def pod(*images: str, **more: list[str]) -> Object:
    """A pod with containers of these images; more: initContainers and ephemeralContainers."""
    spec = {kind: [{"name": "c", "image": image} for image in named] for kind, named in more.items()}
    return {"spec": {"containers": [{"name": "c", "image": image} for image in images], **spec}}


def refused(policy: Object, asked: Object) -> list[str]:
    """What the API server would answer: one message for each validation that does not hold."""
    environment = celpy.Environment()

    def value(expression: str, variables: Object) -> Any:
        activation = {"object": json_to_cel(asked), "variables": json_to_cel(variables)}
        return environment.program(environment.compile(expression)).evaluate(activation)

    variables: Object = {}
    for variable in policy["spec"]["variables"]:
        variables[variable["name"]] = [str(image) for image in value(variable["expression"], variables)]
    return [
        str(value(one["messageExpression"], variables))
        for one in each(policy["spec"]["validations"])
        if not value(one["expression"], variables)
    ]


@pytest.fixture(scope="module")
def policy() -> Object:
    return rendered()["ValidatingAdmissionPolicy"]


@pytest.mark.parametrize(
    "asked",
    [
        pod(f"{OURS}serving{DIGEST}"),
        pod("docker.io/library/redis:7.4-bookworm"),
        pod(f"{OURS}serving{DIGEST}", initContainers=["kserve/storage-initializer:v0.17.0"]),
    ],
)
def test_what_the_release_runs_is_admitted(policy: Object, asked: Object) -> None:
    assert refused(policy, asked) == []


@pytest.mark.parametrize(
    "asked",
    [
        pod("docker.io/somebody/miner:1"),
        pod(f"{OURS}serving{DIGEST}", "docker.io/somebody/miner:1"),
        pod(f"{OURS}serving{DIGEST}", initContainers=["docker.io/somebody/miner:1"]),
        pod(f"{OURS}serving{DIGEST}", ephemeralContainers=["docker.io/somebody/miner:1"]),
    ],
)
def test_an_image_from_elsewhere_is_refused_in_any_container(policy: Object, asked: Object) -> None:
    (message,) = refused(policy, asked)
    assert message.startswith(f"docker.io/somebody/miner:1 may not run here: image names begin with one of {OURS}, ")


def test_a_name_that_only_looks_alike_is_refused(policy: Object) -> None:
    assert refused(policy, pod(f"evil.example.com/{OURS}serving{DIGEST}"))
    assert refused(policy, pod(f"registry.example.com/tandem.evil/serving{DIGEST}"))


def test_a_tag_is_refused_unless_the_values_allow_it(policy: Object) -> None:
    asked = pod(f"{OURS}serving:0.1.0")
    (message,) = refused(policy, asked)
    assert "it is named by a tag, which can be moved" in message
    assert refused(rendered("--set", "admission.images.requireDigests=false")["ValidatingAdmissionPolicy"], asked) == []


def test_the_releases_own_pods_are_admitted() -> None:
    objects = rendered()
    predictor, redis = objects["InferenceService"]["spec"]["predictor"], objects["StatefulSet"]["spec"]["template"]
    for spec in (predictor, redis["spec"]):
        assert refused(objects["ValidatingAdmissionPolicy"], {"spec": spec}) == []


def test_it_holds_in_the_namespace_of_the_release_alone_and_denies() -> None:
    objects = rendered()
    policy, binding = objects["ValidatingAdmissionPolicy"], objects["ValidatingAdmissionPolicyBinding"]["spec"]
    assert binding["policyName"] == policy["metadata"]["name"] == "shop-stores-images"
    assert binding["matchResources"]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "stores"}
    assert "Deny" in binding["validationActions"] and policy["spec"]["failurePolicy"] == "Fail"


def test_provenance_is_of_one_workflow_and_is_enforced() -> None:
    policy = rendered()["Policy"]
    (rule,) = policy["spec"]["rules"]
    (verified,) = rule["verifyImages"]
    assert verified["imageReferences"] == [f"{OURS}*"]
    assert verified["failureAction"] == "Enforce" and verified["required"] and verified["verifyDigest"]
    (attestation,) = verified["attestations"]
    assert attestation["type"] == "https://slsa.dev/provenance/v1"  # of actions/attest-build-provenance
    keyless = attestation["attestors"][0]["entries"][0]["keyless"]
    assert keyless["subjectRegExp"].endswith(r"/release\.yml@refs/heads/main")
    assert keyless["issuer"] == "https://token.actions.githubusercontent.com"


def test_without_the_values_no_policy_is_rendered() -> None:
    off = rendered("--set", "admission.images.enabled=false,admission.provenance.enabled=false")
    assert not off.keys() & {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "Policy"}
