"""What one server has of a person is gone, also where another process has erased them."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from contracts.erasure.suppression import SuppressionList
from contracts.events.log import INTERACTIONS
from serving.erasure.server_erasure import RECEIPTS, ErasureWatch, Stores, receipt_of
from serving.events.log import ConsumedLog, Entry, EventLogError
from serving.events.open_log import open_log
from serving.features.lookup import OnlineStoreError
from serving.features.remembered import RememberedFeatures
from serving.recommendation.answer_cache import AnswerCache, NoCache

ODD = "o'Hara/ü\"\\ 🙂"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ConsumedLog]:
    opened = open_log(f"sqlite:///{tmp_path / 'events.db'}", INTERACTIONS)
    yield opened
    opened.close()


@pytest.fixture
def suppressed(tmp_path: Path) -> SuppressionList:
    return SuppressionList(tmp_path / "erasures")


def stores(log: ConsumedLog | None, remembered: RememberedFeatures, erased: list[str]) -> Stores:
    def erase_online(user_id: str) -> int:
        erased.append(user_id)
        return 7

    return Stores(log, erase_online, None, remembered, NoCache())


def test_every_store_says_what_it_held(log: ConsumedLog, suppressed: SuppressionList) -> None:
    log.append([Entry("a", '{"user_id":"u1"}'), Entry("b", '{"user_id":"u2"}')])
    remembered, online = RememberedFeatures(), list[str]()
    remembered.keep("u1", {"a": 1})
    remembered.keep("u2", {"a": 1})
    found = stores(log, remembered, online).erase(suppressed, "u1")
    assert {one.store: one.found for one in found} == {
        "event log": 1, "online store": 7, "impressions": 0, "remembered features": 1, "cached lists": 0,
    }  # fmt: skip
    assert online == ["u1"] and remembered.recall("u1") is None and remembered.recall("u2") == {"a": 1}
    assert "u1" in suppressed


@pytest.mark.parametrize("shared", [True, False])
def test_logs_of_servers_that_run_no_more_are_gone_through_where_the_folder_is_theirs_too(
    suppressed: SuppressionList, tmp_path: Path, shared: bool
) -> None:
    folder = tmp_path / "impressions"
    folder.mkdir()
    for name in ("blue-1.jsonl", "blue-2.jsonl", "green-1.jsonl.1", "green-1.jsonl.2026-01-01", "notes.txt"):
        (folder / name).write_text('{"user_id": "u1"}\n{"user_id": "u2"}\n')
    own = Stores(None, lambda _: 0, folder / "blue-1.jsonl", RememberedFeatures(), NoCache(), shared)
    found = {one.store: one.found for one in own.erase(suppressed, "u1")}
    assert found["impressions"] == 1
    assert found.get("impressions of other servers") == (3 if shared else None)
    assert "u1" not in (folder / "blue-1.jsonl").read_text() and "u1" in (folder / "notes.txt").read_text()
    others = [(folder / name).read_text() for name in ("blue-2.jsonl", "green-1.jsonl.1", "green-1.jsonl.2026-01-01")]
    assert all(("u1" in text) is not shared and "u2" in text for text in others)


def test_a_store_that_does_not_answer_is_an_error_and_the_list_holds_already(
    log: ConsumedLog, suppressed: SuppressionList
) -> None:
    def down(_: str) -> int:
        raise OnlineStoreError("down")

    with pytest.raises(OnlineStoreError):
        Stores(log, down, None, RememberedFeatures(), NoCache()).erase(suppressed, "u1")
    assert "u1" in suppressed


def test_what_another_process_erased_is_forgotten_here_at_the_next_look(tmp_path: Path) -> None:
    remembered = RememberedFeatures()
    remembered.keep(ODD, {"a": 1})
    watch = ErasureWatch(SuppressionList(tmp_path / "erasures"), stores(None, remembered, []))
    assert watch.step() == 0
    SuppressionList(tmp_path / "erasures").add(ODD)
    assert watch.step() == 1
    assert remembered.recall(ODD) is None
    assert watch.step() == 0


def test_cached_lists_go_and_so_does_the_note_that_a_user_did_something() -> None:
    cache = AnswerCache(100_000, 60)
    for user_id in ("u1", "u2"):
        cache.forget(user_id)
        cache._lists[user_id, b"digest"] = cast(Any, SimpleNamespace(bytes=1))
    assert cache.erase({"u1"}.__contains__) == 1
    assert list(cache._forgotten) == ["u2"] and [key[0] for key in cache._lists] == ["u2"]
    assert NoCache().erase({"u1"}.__contains__) == 0


def test_a_receipt_is_kept_and_names_nobody(suppressed: SuppressionList) -> None:
    receipt = receipt_of(suppressed, ODD, [], [], None, ["elsewhere"])
    (kept,) = (suppressed.folder / RECEIPTS).iterdir()
    assert kept.read_text() == receipt.model_dump_json(indent=2) + "\n"
    assert receipt.person == suppressed.pseudonym(ODD)
    assert receipt.not_reached == ["elsewhere"]
    assert "Hara" not in kept.read_text() + kept.name


def test_a_log_that_fails_is_said(suppressed: SuppressionList, log: ConsumedLog) -> None:
    log.close()
    with pytest.raises(EventLogError):
        stores(log, RememberedFeatures(), []).erase(suppressed, "u1")
