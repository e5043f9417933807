"""The served slice over HTTP: every protocol, every refusal, the page, the metrics."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from contracts.api.records import MIRROR_HEADER
from contracts.bundle.manifest import read_manifest
from monitoring.drift import DriftSettings, drift_report
from tests.support.each import each
from tests.support.real_parts import asking
from training.workspace import Workspace

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def user(trained: Workspace) -> str:
    return read_manifest(trained.bundles / "current").example_user_ids[0]


def error_of(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    text: str = response.json()["error"]
    assert "Traceback" not in text
    return text


def test_a_known_user_gets_n_distinct_items_with_names(server: str, user: str) -> None:
    answer = asking.get(f"{server}/recommendations/{user}?n=10").raise_for_status().json()
    ids = [item["item_id"] for item in answer["items"]]
    assert len(set(ids)) == 10
    assert answer["degraded_level"] == "full"
    assert all(item["title"] and item["department"] and item["source"] for item in each(answer["items"]))
    scores = [item["score"] for item in answer["items"]]
    assert scores == sorted(scores, reverse=True)
    assert any("repeat" in item["source"] for item in each(answer["items"]))


def test_the_same_request_gets_the_same_list(server: str, user: str) -> None:
    first, second = (asking.get(f"{server}/recommendations/{user}").json()["items"] for _ in range(2))
    assert first == second


def test_an_unknown_user_gets_popular_items_and_is_told(server: str) -> None:
    answer = asking.get(f"{server}/recommendations/nobody?n=5").raise_for_status().json()
    assert (answer["degraded_level"], answer["degraded_reason"]) == ("popularity", "unknown_user")
    assert [item["source"] for item in answer["items"]] == ["popular"] * 5


def test_a_server_for_which_nothing_is_computed_says_so(server: str) -> None:
    progress = asking.get(f"{server}/progress").raise_for_status().json()
    assert (progress["state"], progress["steps"]) == ("none", [])


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/recommendations/1?n=0", "greater than or equal to 1"),
        ("/recommendations/1?n=1000", "less than or equal to 100"),
        ("/recommendations/1?n=ten", "valid integer"),
        (
            "/recommendations/1?count=3",
            "query.count: unknown parameter; there is brand, category, context, department, exclude",
        ),
        (f"/recommendations/{'x' * 200}", "at most 128 characters"),
    ],
)
def test_bad_parameters_are_refused_with_what_was_expected(server: str, path: str, said: str) -> None:
    assert said in error_of(asking.get(f"{server}{path}"), 400)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (
            "/v1/models/recomender",
            "There is no model 'recomender' (did you mean 'recommender'?); there are recommender",
        ),
        ("/v2/models/nosuch/ready", "There is no model 'nosuch'; there are recommender, retrieval, ranking."),
        ("/v2/models/nosuch", "There is no model 'nosuch'; there are recommender, retrieval, ranking."),
        ("/v2/models/recommender/versions/3", "leave /versions/3 out of the path"),
    ],
)
def test_an_unknown_model_is_named_with_those_there_are(server: str, path: str, said: str) -> None:
    assert said in error_of(asking.get(f"{server}{path}"), 404)


def test_an_unknown_model_is_asked_in_vain(server: str) -> None:
    asked = {"instances": [{"user_id": "1"}]}
    assert "there are recommender" in error_of(asking.post(f"{server}/v1/models/nosuch:predict", json=asked), 404)
    body = {"inputs": [{"name": "user_id", "datatype": "BYTES", "shape": [1], "data": ["1"]}]}
    assert "there are recommender" in error_of(asking.post(f"{server}/v2/models/nosuch/infer", json=body), 404)


def test_history_is_latest_first_and_404_for_strangers(server: str, user: str) -> None:
    items = asking.get(f"{server}/users/{user}/history?n=20").raise_for_status().json()["items"]
    dates = [item["last_purchased_at"] for item in items]
    assert len(items) == 20
    assert dates == sorted(dates, reverse=True)
    assert "not in the online store" in error_of(asking.get(f"{server}/users/nobody/history"), 404)


def test_also_bought_names_companions_and_is_empty_for_strangers(server: str, user: str) -> None:
    top = asking.get(f"{server}/recommendations/{user}?n=1").json()["items"][0]["item_id"]
    items = asking.get(f"{server}/items/{top}/also-bought").raise_for_status().json()["items"]
    assert 1 <= len(items) <= 5
    assert all(item["title"] and item["item_id"] != top for item in each(items))
    counts = [item["baskets"] for item in items]
    assert counts == sorted(counts, reverse=True)
    assert asking.get(f"{server}/items/no-such-item/also-bought").json() == {"item_id": "no-such-item", "items": []}
    assert "there is none" in error_of(asking.get(f"{server}/items/{top}/also-bought?n=3"), 400)


def predict(server: str, model: str, body: Any, content_type: str = "application/json") -> httpx.Response:
    content = body if isinstance(body, str) else json.dumps(body)
    return asking.post(f"{server}/v1/models/{model}:predict", content=content, headers={"content-type": content_type})


def test_v1_answers_each_instance_in_order(server: str, user: str) -> None:
    body = {"instances": [{"user_id": user, "n": 3}, {"user_id": "nobody", "n": 2}]}
    predictions = predict(server, "recommender", body).raise_for_status().json()["predictions"]
    assert [(p["user_id"], len(p["items"])) for p in predictions] == [(user, 3), ("nobody", 2)]


def test_v1_takes_every_spelling_of_the_json_content_type(server: str, user: str) -> None:
    """KServe hands the raw bytes over for this one."""
    body = {"instances": [{"user_id": user, "n": 1}]}
    assert predict(server, "recommender", body, "application/json; charset=utf-8").status_code == 200


def test_retrieval_and_ranking_are_models_of_their_own(server: str, user: str) -> None:
    (near,) = predict(server, "retrieval", {"instances": [{"user_id": user, "k": 20}]}).json()["predictions"]
    assert len(near["item_ids"]) == 20
    assert near["scores"] == sorted(near["scores"], reverse=True)
    body = {"instances": [{"user_id": user, "item_ids": near["item_ids"][::-1]}]}
    (ranked,) = predict(server, "ranking", body).json()["predictions"]
    assert set(ranked["item_ids"]) == set(near["item_ids"])
    assert ranked["scores"] == sorted(ranked["scores"], reverse=True)


@pytest.mark.parametrize(
    ("model", "body", "said"),
    [
        ("recommender", '{"instances": [', "Unrecognized request format"),  # KServe's own words
        ("recommender", {"inputs": []}, '{"instances": [...]}'),
        ("recommender", {"instances": []}, "1 to 64 are answered at once"),
        ("recommender", {"instances": [{"user_id": "1"}] * 65}, "65 instances"),
        ("recommender", {"instances": [{"user": "1"}]}, "Expected user_id (string, required), category (array)"),
        ("recommender", {"instances": [{"user_id": 1}]}, "valid string"),
        ("recommender", {"instances": [{"user_id": "1", "n": "3"}]}, "valid integer"),
        (
            "recommender",
            {"instances": [{"user_id": "1", "n": 3, "m": 1}]},
            "m: there is no such field. Expected user_id",
        ),
        ("ranking", {"instances": [{"user_id": "1", "item_ids": ["no such item"]}]}, "not in the catalogue"),
        ("retrieval", {"instances": [{"user_id": "nobody"}]}, "not in the online store"),
    ],
)
def test_v1_refuses_with_what_was_expected(server: str, model: str, body: Any, said: str) -> None:
    assert said in error_of(predict(server, model, body), 400)


def tensor(name: str, datatype: str, data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [len(data)], "data": data}


def infer(server: str, model: str, *inputs: dict[str, Any], **more: Any) -> httpx.Response:
    return asking.post(f"{server}/v2/models/{model}/infer", json={"id": "q", "inputs": list(inputs)} | more)


def test_v2_gives_aligned_tensors(server: str, user: str) -> None:
    answer = infer(server, "recommender", tensor("user_id", "BYTES", [user, "nobody"]), tensor("n", "INT32", [4]))
    outputs = {output["name"]: output for output in answer.raise_for_status().json()["outputs"]}
    assert outputs["item_ids"]["shape"] == outputs["scores"]["shape"] == [2, 4]
    plain = asking.get(f"{server}/recommendations/{user}?n=4").json()["items"]
    assert outputs["item_ids"]["data"][:4] == [item["item_id"] for item in plain]


def test_v2_refuses_uneven_inputs_and_unknown_names(server: str) -> None:
    uneven = infer(server, "recommender", tensor("user_id", "BYTES", ["1", "2", "3"]), tensor("n", "INT32", [4, 5]))
    assert "3 rows or 1" in error_of(uneven, 400)
    assert "user_id: Field required" in error_of(infer(server, "recommender", tensor("user", "BYTES", ["1"])), 400)


def test_v2_gives_the_outputs_that_are_asked_for_and_names_them_for_another(server: str, user: str) -> None:
    asking = tensor("user_id", "BYTES", [user])
    only = infer(server, "recommender", asking, outputs=[{"name": "scores"}]).raise_for_status().json()["outputs"]
    assert [output["name"] for output in only] == ["scores"]
    refused = infer(server, "recommender", asking, outputs=[{"name": "titles"}])
    assert error_of(refused, 400) == "There is no output 'titles'; there is item_ids, scores."


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/models/recommender:predict", '{"instances": [{"user_id": "1", "n": 3, "n": 4}]}'),
        ("/v2/models/recommender/infer", '{"inputs": [{"name": "n", "n": 1, "n": 2}]}'),
        ("/recommendations", '{"requests": [{"user_id": "1", "n": 3, "n": 4}]}'),
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_a_key_twice_is_refused_over_every_protocol(server: str, path: str, body: str, content_type: str) -> None:
    refused = asking.post(server + path, content=body, headers={"content-type": content_type})
    assert error_of(refused, 400) == "The body has the key 'n' twice in one object. Send each key once."


def test_every_model_is_ready(server: str) -> None:
    for model in ("recommender", "retrieval", "ranking"):
        assert asking.get(f"{server}/v1/models/{model}").json() == {"name": model, "ready": True}


def test_the_page_the_api_page_and_the_bundle_card(server: str, trained: Workspace) -> None:
    assert "<title>Tandem" in asking.get(f"{server}/").text
    assert "/swagger/swagger-ui-bundle.js" in asking.get(f"{server}/docs").text
    assert asking.get(f"{server}/swagger/swagger-ui-bundle.js").status_code == 200
    card = asking.get(f"{server}/bundle").json()
    assert card["bundle_version"] == (trained.bundles / "current").resolve().name
    assert "final_list" in card["metrics"]["all_items"]


def samples(server: str) -> dict[tuple[str, tuple[str, ...]], float]:
    families = text_string_to_metric_families(asking.get(f"{server}/metrics").text)
    return {
        (s.name, tuple(value for _, value in sorted(s.labels.items()))): s.value
        for family in families
        for s in family.samples
    }


def test_metrics_count_requests_stages_and_fallbacks(server: str, user: str) -> None:
    before = samples(server)
    asking.get(f"{server}/recommendations/{user}")
    asking.get(f"{server}/recommendations/stranger")
    asking.get(f"{server}/recommendations/{user}?n=0")
    after = samples(server)

    def grown(name: str, *labels: str) -> float:
        return after[name, labels] - before.get((name, labels), 0.0)

    route = "/recommendations/{user_id}"
    assert grown("tandem_http_requests_total", route, "200", "stable") == 2
    assert grown("tandem_http_requests_total", route, "400", "stable") == 1
    assert grown("tandem_degraded_answers_total", "popularity", "unknown_user") == 1
    assert grown("tandem_impressions_total", "written") == 2
    for stage in ("features", "query", "retrieval", "candidates", "ranking"):
        assert grown("tandem_stage_seconds_count", stage) >= 1
    buckets = {float(labels[0]) for name, labels in after if name == "tandem_stage_seconds_bucket"}
    assert (min(buckets), sorted(buckets)[-2]) == (0.00025, 0.1)


def test_a_mirrored_list_leaves_no_impression(server: str, user: str, trained: Workspace) -> None:
    mirrored = {MIRROR_HEADER: "1"}
    before, lines = samples(server), trained.impression_log.read_text().count("\n")
    alone = asking.get(f"{server}/recommendations/{user}", headers=mirrored).raise_for_status().json()
    both = {"requests": [{"user_id": user}, {"user_id": "stranger"}]}
    asking.post(f"{server}/recommendations", json=both, headers=mirrored).raise_for_status()
    after = samples(server)
    assert alone["items"]
    assert after["tandem_impressions_total", ("written",)] == before.get(("tandem_impressions_total", ("written",)), 0)
    assert trained.impression_log.read_text().count("\n") == lines
    answered = "tandem_answers_total", ("full", "stable")
    assert after[answered] - before.get(answered, 0) == 2  # they cost what others cost, and count as answers


def test_served_requests_can_be_compared_with_the_reference(server: str, trained: Workspace) -> None:
    """Drift end to end: the server's own log against the bundle's own sample finds nothing of note."""
    bundle = trained.bundles / "current"
    users = sorted(json.loads((bundle / "vocabularies.json").read_text())["user_id"])
    for user_id in users[:150]:
        asking.get(f"{server}/recommendations/{user_id}?n=10").raise_for_status()
    result = drift_report(bundle, trained.impression_log, trained.reports / "drift", DriftSettings())
    assert result.verdict == "stable"
    assert (trained.reports / "drift" / "drift.html").stat().st_size > 100_000


def test_a_bundle_with_one_changed_byte_does_not_start(
    start_server: Callable[..., str], trained: Workspace, tmp_path: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    import shutil

    from contracts.errors import TandemError

    current = (trained.bundles / "current").resolve()
    altered = trained.bundles / "altered"
    shutil.copytree(current, altered)
    path = altered / "item_embeddings.npy"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(TandemError, match="exit code 2"):
        start_server("--historical", "--bundle", "altered")
    said = capfd.readouterr().err
    assert "Bundle altered is refused: item_embeddings.npy is altered" in said.replace("\n", " ")
    shutil.rmtree(altered)
