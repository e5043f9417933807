"""The server against requests made up from its own OpenAPI page: whatever is sent, no answer is a server error."""

from collections.abc import Iterator

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error

from contracts.promotions import CURRENT
from tests.test_swap import KEY, WITH_KEY, serving
from training.workspace import Workspace

pytestmark = pytest.mark.tf
EXAMPLES = 40  # per operation; `pytest tests/test_fuzz.py` with more of them is how a longer search is made


@pytest.fixture(scope="module")
def server(trained: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of its own: what is posted here must not reach other tests."""
    with serving(trained, BUNDLE_DIR=str(trained.bundles / CURRENT), API_KEY=KEY) as url:
        yield url


@pytest.fixture
def page(server: str) -> schemathesis.schemas.BaseSchema:
    return schemathesis.openapi.from_url(f"{server}/openapi.json")


schema = schemathesis.pytest.from_fixture("page")


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_is_a_server_error(case: schemathesis.Case) -> None:
    case.call_and_validate(headers=WITH_KEY, checks=[not_a_server_error])


def test_after_all_that_the_server_still_answers(server: str) -> None:
    assert httpx.get(f"{server}/recommendations/1").status_code == 200
