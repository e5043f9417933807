"""A real server whose bundle changes back and forth under load: no request fails, none mixes parts, rollback is quick.

Its limits and keys are asked here too, on the same server.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from contracts.bundle.files import CURRENT
from contracts.bundle.manifest import read_manifest
from contracts.bundle.promotions import current_version, promote
from tandem.__main__ import app
from tests.support.bundles.variations import variation
from tests.support.each import each
from tests.support.real_parts import asking
from tests.support.real_parts.servers import KEY, WITH_KEY, serving
from training.workspace import Workspace

pytestmark = pytest.mark.tf

CLIENTS = 3


@pytest.fixture(scope="module")
def shop(trained: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root folder with two bundles, both promoted once; the second serves."""
    root = tmp_path_factory.mktemp("shop")
    for mark in "AB":
        promote(variation((trained.bundles / CURRENT).resolve(), root / "bundles", mark))
    return root


@pytest.fixture(scope="module")
def experiment(shop: Path) -> Path:
    path = shop / "experiment.yaml"
    challenger = current_version(shop / "bundles")
    path.write_text(f"{{name: itself, challenger: {challenger}, share: 0.0}}")
    return path


@pytest.fixture(scope="module")
def server(trained: Workspace, shop: Path, experiment: Path) -> Iterator[str]:
    settings = {"BUNDLE_DIR": str(shop / "bundles" / CURRENT), "API_KEY": KEY, "EXPERIMENT": str(experiment)}
    log = str(shop / "shown.jsonl")
    with serving(trained, MAX_BODY_BYTES="20000", IMPRESSION_LOG=log, **settings) as url:
        yield url


@pytest.fixture(scope="module")
def users(shop: Path) -> list[str]:
    return read_manifest(shop / "bundles" / CURRENT).example_user_ids[:6]


def lists(server: str, users: list[str]) -> dict[str, Any]:
    return {
        user: asking.get(f"{server}/recommendations/{user}?n=20").raise_for_status().json()["items"] for user in users
    }


def change(server: str, version: str) -> httpx.Response:
    return asking.post(f"{server}/admin/bundle", json={"version": version}, headers=WITH_KEY, timeout=60)


def test_under_load_no_request_fails_and_every_answer_is_wholly_of_one_bundle(
    server: str, shop: Path, users: list[str]
) -> None:
    first, second = sorted(
        path.name for path in (shop / "bundles").iterdir() if path.is_dir() and not path.is_symlink()
    )
    expected = {version: lists(server, users) for version in (first, second) if change(server, version).is_success}
    assert expected[first].keys() == expected[second].keys()
    assert all(expected[first][user] != expected[second][user] for user in each(users))
    stop, seen = threading.Event(), Counter[str]()

    def ask(client_number: int) -> Counter[str]:
        mine = Counter[str]()
        with httpx.Client(base_url=server, timeout=30) as client:
            while not stop.is_set():
                user = users[(client_number + mine.total()) % len(users)]
                answer = client.get(f"/recommendations/{user}?n=20")
                assert answer.status_code == 200, answer.text
                body = answer.json()
                assert body["items"] == expected[body["bundle_version"]][user], "an answer of mixed parts"
                assert body["degraded_level"] == "full"
                mine[body["bundle_version"]] += 1
        return mine

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(ask, number) for number in range(CLIENTS)]
        try:
            for version in (first, second) * 2:
                assert change(server, version).json()["bundle_version"] == version
                time.sleep(0.2)
        finally:
            stop.set()
        for client in clients:
            seen += client.result()
    assert min(seen[first], seen[second]) > 20


def test_rollback_is_answered_with_in_less_than_five_seconds(server: str, shop: Path) -> None:
    before = current_version(shop / "bundles")
    asking.post(f"{server}/admin/bundle", json={}, headers=WITH_KEY, timeout=60).raise_for_status()
    started = time.monotonic()
    said = (
        CliRunner()
        .invoke(app, ["rollback", "--root", str(shop), "--url", server], catch_exceptions=False, env={"COLUMNS": "200"})
        .output
    )
    seconds = time.monotonic() - started
    assert "answers with it after" in said
    assert asking.get(f"{server}/bundle").json()["bundle_version"] == current_version(shop / "bundles") != before
    assert seconds < 5, said


def test_a_refused_bundle_leaves_the_old_one_and_a_line_on_the_card(server: str, shop: Path) -> None:
    serves = asking.get(f"{server}/bundle").json()["bundle_version"]
    refused = change(server, "0000000000ff")
    assert refused.status_code == 409
    assert refused.json()["error"].startswith("There is no bundle 0000000000ff. There is ")
    card = asking.get(f"{server}/bundle").json()
    assert (card["bundle_version"], card["last_refusal"]["asked"]) == (serves, "0000000000ff")
    assert str(shop) not in json.dumps(card)
    assert (
        'tandem_bundle_refusals_total{reason="MissingArtifact"}'
        in asking.get(f"{server}/metrics", headers=WITH_KEY).text
    )


def test_an_experiment_can_be_turned_up_while_it_runs_and_a_variant_forced(
    server: str, shop: Path, experiment: Path, users: list[str]
) -> None:
    def variants() -> set[str]:
        return {asking.get(f"{server}/recommendations/{user}").json()["variant"] for user in users}

    assert variants() == {"stable"}
    forced = asking.get(f"{server}/recommendations/{users[0]}", headers={"x-tandem-variant": "challenger"}).json()
    assert forced["variant"] == "challenger"
    assert forced["request_id"].endswith("-challenger")
    instance = {"user_id": users[0], "variant": "challenger"}
    predicted = asking.post(f"{server}/v1/models/recommender:predict", json={"instances": [instance]}).json()
    assert predicted["predictions"][0]["variant"] == "challenger"
    unknown = asking.get(f"{server}/recommendations/{users[0]}", headers={"x-tandem-variant": "canary"})
    assert unknown.status_code == 400
    assert "there is stable and challenger" in unknown.json()["error"]
    experiment.write_text(experiment.read_text().replace("share: 0.0", "share: 1.0"))
    deadline = time.monotonic() + 10
    while variants() != {"challenger"} and time.monotonic() < deadline:
        time.sleep(0.2)
    assert variants() == {"challenger"}
    records = [json.loads(line) for line in (shop / "shown.jsonl").read_text().splitlines()]
    assert {(one["variant"], one["forced"]) for one in records} == {
        ("stable", False), ("challenger", True), ("challenger", False),
    }  # fmt: skip
    experiment.write_text(experiment.read_text().replace("share: 1.0", "share: 0.0"))


def test_a_long_body_is_refused_with_the_limit_whether_its_length_is_said_or_not(server: str) -> None:
    url = f"{server}/v1/models/recommender:predict"
    declared = asking.post(url, content=b"x" * 20_001)
    chunked = asking.post(url, content=(b"x" * 1000 for _ in range(30)))
    for refused in (declared, chunked):
        assert refused.status_code == 413
        assert "20,000 bytes" in refused.json()["error"]
    assert asking.post(url, content=b"x" * 20_000).status_code == 400


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {KEY}"}])
def test_administration_needs_the_key(server: str, headers: dict[str, str]) -> None:
    refused = asking.post(f"{server}/admin/bundle", json={}, headers=headers)
    assert refused.status_code == 401
    assert "Authorization: Bearer KEY" in refused.json()["error"]
    assert refused.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["index", "models/recommender/unload", "models/recommender/load"])
def test_the_model_repository_is_off(server: str, method: str, path: str) -> None:
    refused = asking.request(method, f"{server}/v2/repository/{path}")
    assert refused.status_code == 404
    assert "repository is off here" in refused.json()["error"]
    assert asking.get(f"{server}/v1/models/recommender").json()["ready"] is True


@pytest.mark.parametrize(("sent", "kept"), [("caller-1.a", True), ("x" * 65, False), ("two words", False), ("", False)])
def test_every_answer_has_a_request_id_and_keeps_the_callers(server: str, sent: str, kept: bool) -> None:
    got = asking.get(f"{server}/bundle", headers={"x-request-id": sent}).headers["x-request-id"]
    assert (got == sent) is kept
    assert 1 <= len(got) <= 64


def test_what_the_protocol_knows_and_this_server_does_not_is_no_server_error(server: str) -> None:
    for path in ("/v1/models/recommender:explain", "/v2/models/recommender/versions/1/infer"):
        refused = asking.post(f"{server}{path}", json={"inputs": [], "instances": []})
        assert refused.status_code in (400, 404), refused.text
