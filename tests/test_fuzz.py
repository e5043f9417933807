"""The server against requests made up from its own OpenAPI page: whatever is sent, no answer is a server error."""

from collections.abc import Iterator

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup

from contracts.promotions import CURRENT
from tests.test_swap import KEY, WITH_KEY, serving
from training.workspace import Workspace

pytestmark = pytest.mark.tf
SETTINGS = settings(
    max_examples=40,  # per operation; more of them are how a longer search is made
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def server(trained: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of its own: what is posted here must not reach other tests."""
    with serving(trained, BUNDLE_DIR=str(trained.bundles / CURRENT), API_KEY=KEY) as url:
        yield url


def test_no_request_is_a_server_error(server: str) -> None:
    """Operations by their own test function: schemathesis 4.32's pytest plugin does not run under pytest 9.2."""
    operations = [found.ok() for found in schemathesis.openapi.from_url(f"{server}/openapi.json").get_all_operations()]
    faults = [fault for operation in operations if (fault := _fault(operation))]
    assert not faults, "\n\n".join(faults)
    assert len(operations) > 10


def _fault(operation: schemathesis.schemas.APIOperation) -> str | None:
    """What the first request said that was answered with a server error."""

    @given(case=operation.as_strategy())
    @SETTINGS
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(headers=WITH_KEY, checks=[not_a_server_error], timeout=60)

    try:
        ask()
    except FailureGroup as failed:
        return f"{operation.label}: {failed.exceptions[0]}"
    return None


def test_the_api_page_offers_no_model_repository(server: str) -> None:
    paths = httpx.get(f"{server}/openapi.json").json()["paths"]
    assert "/v1/models/{model_name}:predict" in paths
    assert [path for path in paths if "repository" in path] == []
    assert httpx.post(f"{server}/v2/repository/models/a%0Ab/unload").status_code == 404


def test_after_all_that_the_server_still_answers(server: str) -> None:
    assert httpx.get(f"{server}/recommendations/1").status_code == 200
