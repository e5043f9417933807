"""The server against requests made up from its own OpenAPI page: whatever is sent, no answer is a server error."""

import json
import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation.case import Case

from contracts.bundle.files import CURRENT
from tests.support.real_parts import asking
from tests.support.real_parts.s3 import s3_bucket
from tests.support.real_parts.servers import KEY, WITH_KEY, serving
from training.release.publish import publish
from training.workspace import Workspace

pytestmark = pytest.mark.tf
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))
"""Requests for each operation; `.ci/full` searches longer."""
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def server(trained: Workspace, s3: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of its own, as what is posted here must not reach other tests; its bundle comes from S3."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as environment, s3_bucket(s3, environment):
        published = publish((trained.bundles / CURRENT).resolve(), "s3://shop/bundles")
        with serving(
            trained,
            BUNDLE_DIR=published,
            BUNDLE_CACHE=str(cache),
            EVENT_LOG=f"sqlite:///{cache}/log.db",
            ERASURES=str(cache / "erasures"),
            API_KEY=KEY,
        ) as url:
            yield url


def test_no_request_is_a_server_error(server: str) -> None:
    """Operations by their own test function: schemathesis 4.32's pytest plugin does not run under pytest 9.2."""
    page = schemathesis.openapi.from_url(f"{server}/openapi.json")
    operations = [found.ok() for found in page.get_all_operations() if isinstance(found, Ok)]
    faults = [fault for operation in operations if (fault := _fault(operation))]
    assert not faults, "\n\n".join(faults)
    assert len(operations) > 10


def _fault(operation: schemathesis.schemas.APIOperation[Any, Any, Any, Any]) -> str | None:
    """What the first request said that was answered with a server error."""

    @given(case=operation.as_strategy())
    @SETTINGS
    def ask(case: Case[Any]) -> None:
        case.call_and_validate(headers=WITH_KEY, checks=[not_a_server_error], timeout=60)

    try:
        ask()
    except FailureGroup as failed:
        return f"{operation.label}: {failed.exceptions[0]}"
    return None


NAMES = [
    *("instances", "inputs", "outputs", "parameters", "binary_data_size", "name", "shape", "datatype", "data", "id"),
    *("user_id", "n", "k", "item_ids", "variant", "specversion", "source", "type"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=20,
)
TENSOR = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["user_id", "n", "k", "item_ids", ""]),
        "shape": st.lists(st.integers(-2, 5), max_size=3),
        "datatype": st.sampled_from(["BYTES", "INT32", "INT64", "FP32", "FP16", "BOOL", "UINT8", "NONE", ""]),
    },
    optional={"data": JSON, "parameters": st.dictionaries(st.just("binary_data_size"), JSON)},
)
INFER = st.fixed_dictionaries({"inputs": st.lists(TENSOR, max_size=4)}, optional={"id": JSON, "parameters": JSON})
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "content-type": st.sampled_from(
            ["application/json", "application/octet-stream", "application/cloudevents+json", "text/plain", "x"]
        ),
        "inference-header-content-length": st.sampled_from(["0", "-1", "10", "x", "99999999999"]),
        "ce-specversion": st.sampled_from(["1.0", "0", "x"]),
        "ce-id": st.just("1"),
        "ce-source": st.just("a"),
        "ce-type": st.just("b"),
    },
)
BODY = st.binary(max_size=30) | (JSON | INFER).map(lambda body: json.dumps(body).encode())


@pytest.mark.parametrize("path", ["v1/models/{}:predict", "v2/models/{}/infer"])
def test_no_body_of_kserves_protocols_is_a_server_error(server: str, path: str) -> None:
    """Their bodies are not on the API page: KServe reads them as they come."""
    with httpx.Client(base_url=server, timeout=60) as client:

        @given(body=BODY, headers=HEADERS, model=st.sampled_from(["recommender", "retrieval", "ranking"]))
        @settings(SETTINGS, max_examples=10 * EXAMPLES)
        def ask(body: bytes, headers: dict[str, str], model: str) -> None:
            answer = client.post(path.format(model), content=body, headers=headers)
            assert answer.status_code < 500, f"{headers} {body!r}: {answer.text}"

        ask()


def test_the_api_page_offers_no_model_repository(server: str) -> None:
    paths = asking.get(f"{server}/openapi.json").json()["paths"]
    assert "/v1/models/{model_name}:predict" in paths
    assert [path for path in paths if "repository" in path] == []
    assert asking.post(f"{server}/v2/repository/models/a%0Ab/unload").status_code == 404


def test_a_bundle_from_s3_serves_under_its_version(server: str, trained: Workspace) -> None:
    assert asking.get(f"{server}/bundle").json()["bundle_version"] == (trained.bundles / CURRENT).resolve().name
    answer = asking.post(f"{server}/admin/bundle", json={"version": "absent"}, headers=WITH_KEY, timeout=60)
    assert answer.status_code == 409
    assert "cannot be read" in answer.json()["error"]


def test_after_all_that_the_server_still_answers(server: str) -> None:
    assert asking.get(f"{server}/recommendations/1").status_code == 200
