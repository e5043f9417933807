"""What a replay sends: every kind of line, each user's features once, and samples without the users' names."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.api.records import ImpressionRecord
from contracts.api.replays import COLD, KNOWN
from contracts.api.requests import RecommendationRequest
from contracts.errors import InvalidInput, MissingArtifact
from serving.features.lookup import UserFeatures
from serving.replay.lists import GivenFeatures, segments_of
from serving.replay.requests import Requests, Sent, read_requests
from serving.replay.sample import made_up, sampled, write_bare, write_sample


class Store:
    """Knows a and b; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def user(self, user_id: str) -> UserFeatures | None:
        self.asked.append(user_id)
        return {"age_band": user_id} if user_id in "ab" else None

    def bought_before(self, user_id: str) -> list[str] | None:
        return []

    def companions(self, item_id: str) -> list[tuple[str, int]]:
        return []


def never() -> Store:
    raise AssertionError("the file brings all features along")


def impression(**fields: Any) -> str:
    return ImpressionRecord.model_validate(
        {
            "request_id": "r",
            "served_at": "2026-01-01T00:00:00+00:00",
            "user_id": "a",
            "bundle_version": "v",
            "degraded_level": "full",
            "request": {"n": 3, "surface": "mail", "variant": "stable"},
            "item_ids": ["x"],
            "scores": [1.0],
            "features": {},
        }
        | fields
    ).model_dump_json()


def test_each_kind_of_line_is_a_request(tmp_path: Path) -> None:
    file, store = tmp_path / "requests.jsonl", Store()
    sample = json.dumps({"request": {"user_id": "s", "n": 5}, "features": {"age_band": "old"}})
    bare = '{"user_id": "a", "n": 4, "explain": true}'
    later = '{"user_id": "a", "page": "token"}'
    lines = [impression(), impression(page_offset=3), sample, "", bare, later, '{"user_id": "new"}']
    file.write_text("\n".join(lines))
    requests = read_requests(file, None, lambda: store)
    assert requests.skipped == 2
    assert [(one.number, one.user, one.request.user_id, one.request.n) for one in requests.sent] == [
        (1, 1, "a", 3), (2, 2, "s", 5), (3, 1, "a", 4), (4, 3, "new", 10),
    ]  # fmt: skip
    assert [one.features for one in requests.sent] == [{"age_band": "a"}, {"age_band": "old"}, {"age_band": "a"}, None]
    assert store.asked == ["a", "new"]  # once a user
    first = requests.sent[0].request
    assert (first.surface, first.variant, requests.sent[2].request.explain) == ("mail", None, False)


def test_the_latest_requests_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text("\n".join(json.dumps({"user_id": user}) for user in "abc"))
    assert [one.request.user_id for one in read_requests(file, 2, Store).sent] == ["b", "c"]


@pytest.mark.parametrize("block", [1, 7, 100, 1 << 20])
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_what_is_before_the_latest_requests_is_not_read(
    tmp_path: Path, block: int, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log of a year took as long for its latest thousand requests as for all."""
    monkeypatch.setattr("serving.replay.requests.BLOCK", block)
    file = tmp_path / "requests.jsonl"
    asked = [json.dumps({"user_id": f"{user}é"}) for user in "abc"]
    text = (end or "\n").join(["of another release", *asked, '{"user_id": "c", "page": "token"}']) + end
    file.write_bytes(text.encode())
    requests = read_requests(file, 3, Store)
    assert [one.request.user_id for one in requests.sent] == ["aé", "bé", "cé"]
    assert requests.skipped == 1
    with pytest.raises(InvalidInput, match="line 1, is not one of"):
        read_requests(file, 4, Store)


def test_what_is_no_request_is_refused_by_its_line(tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    with pytest.raises(MissingArtifact, match="no file of requests"):
        read_requests(file, None, Store)
    for line, why in {
        '{"user": 1}': "line 2: user_id",
        "[]": "line 2: as a whole",
        "1": "line 2, is not one of",
        "{": "line 2, is not one of",
    }.items():
        file.write_text(f'{{"user_id": "a"}}\n{line}')
        with pytest.raises(InvalidInput, match=why):
            read_requests(file, None, Store)
    file.write_text(impression(page_offset=3))
    with pytest.raises(InvalidInput, match="no request to replay: 1 lines, all for later pages"):
        read_requests(file, None, Store)


def sent(number: int, user: int, user_id: str, features: UserFeatures | None) -> Sent:
    return Sent(number, user, RecommendationRequest(user_id=user_id), features)


def test_a_sample_has_other_names_and_the_features(tmp_path: Path) -> None:
    known = {"age_band": "35-44", "sequence_item_ids": np.array([1, 2])}
    asked = [sent(1, 1, "anna", known), sent(2, 2, "bert", None), sent(3, 1, "anna", known)]
    file = tmp_path / "out" / "sample.jsonl"
    assert write_sample(file, sampled(asked, 3, seed=1)) == 3
    assert "anna" not in file.read_text() and "bert" not in file.read_text()
    again = read_requests(file, None, never)
    users = {one.request.user_id for one in again.sent}
    assert users == {"user-000001", "user-000002"}
    assert sorted(str(one.features) for one in again.sent) == sorted(
        ["None", *2 * [str({"age_band": "35-44", "sequence_item_ids": [1, 2]})]]
    )
    assert len(list(sampled(asked, 2, seed=1))) == 2
    assert list(sampled(asked, 3, seed=1)) == list(sampled(asked, 3, seed=1))


def test_bare_requests_keep_their_users_and_leave_the_features_to_another_store(tmp_path: Path) -> None:
    file = tmp_path / "bare.jsonl"
    assert write_bare(file, [sent(1, 1, "a", {"x": 1}).request]) == 1
    (read,) = read_requests(file, None, Store).sent
    assert (read.request.user_id, read.features) == ("a", {"age_band": "a"})


def test_the_digest_is_of_what_is_asked() -> None:
    one = Requests([sent(1, 1, "a", {"x": 1})], 0)
    assert one.sha256() == Requests([sent(1, 1, "a", {"x": 2})], 0).sha256()
    assert one.sha256() != Requests([sent(1, 1, "b", {"x": 1})], 0).sha256()


def test_made_up_requests_have_one_cold_user_in_ten() -> None:
    asked = made_up(["a", "b", "c"], 20, seed=1)
    assert [one.user_id for one in asked if one.user_id.startswith("cold-")] == ["cold-9", "cold-19"]
    assert {one.user_id for one in asked} >= {"a", "b", "c"}
    with pytest.raises(InvalidInput, match="knows no users"):
        made_up([], 1, seed=1)


def test_segments_are_what_is_known_of_a_user() -> None:
    assert segments_of(sent(1, 1, "a", {"age_band": "35-44", "income_band": "unknown"})) == (KNOWN, "age_band=35-44")
    request = RecommendationRequest(user_id="a", segment=["age_band=19-24"])
    assert segments_of(Sent(1, 1, request, None)) == (COLD, "age_band=19-24")


def test_given_features_are_a_copy_for_each_answer() -> None:
    lookup, features = GivenFeatures(), {"x": 1}
    assert lookup.user("a") is None and lookup.companions("i") == []
    lookup.give(features)
    read = lookup.user("a")
    assert read == features and read is not features
