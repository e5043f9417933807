"""One behaviour suite over both event logs, and what each refuses."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis

from contracts.errors import InvalidInput
from contracts.events.interactions import Interaction
from contracts.events.log import INTERACTIONS, ITEMS, redis_key
from contracts.events.schema import EventType
from serving.events.intake import key_of
from serving.events.log import ConsumedLog, Entry, EventLogError, EventLogRefused, LeaseLost
from serving.events.open_log import open_log
from tests.support.each import each
from tests.support.odd_ids import ODD_IDS
from tests.support.real_parts.redis_server import DURABLE, RedisServer

RedisFactory = Callable[..., RedisServer]


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'log' / 'events.db'}"
    server: RedisServer = request.getfixturevalue("redis_server")(*DURABLE)
    return server.url


@pytest.fixture
def log(url: str) -> Iterator[ConsumedLog]:
    opened = open_log(url, INTERACTIONS)
    yield opened
    opened.close()


def entries(*keys: str) -> list[Entry]:
    return [Entry(key, f'{{"key":"{key}"}}') for key in keys]


def test_entries_come_back_in_order_with_their_moment(log: ConsumedLog) -> None:
    before = time.time()
    assert log.append(entries("a", "b", "c")) == [True, True, True]
    found = log.read(0, 10)
    assert [(entry.position, entry.key) for entry in found] == [(1, "a"), (2, "b"), (3, "c")]
    assert [entry.payload for entry in found] == ['{"key":"a"}', '{"key":"b"}', '{"key":"c"}']
    assert all(before <= entry.received_seconds <= time.time() for entry in each(found))
    assert [entry.key for entry in log.read(1, 1)] == ["b"]
    assert log.read(3, 10) == []
    assert log.end() == 3


def test_an_empty_log_ends_at_zero(log: ConsumedLog) -> None:
    assert (log.end(), log.read(0, 5), log.position("features")) == (0, [], 0)
    assert log.append([]) == []


def test_a_key_is_kept_once_within_a_batch_and_across(log: ConsumedLog) -> None:
    assert log.append(entries("a", "b", "a")) == [True, True, False]
    assert log.append([Entry("b", "another payload"), *entries("c")]) == [False, True]
    assert [(entry.key, entry.payload) for entry in log.read(0, 10)][1] == ("b", '{"key":"b"}')
    assert log.end() == log.read(0, 10)[-1].position


def test_streams_do_not_see_each_other(log: ConsumedLog, url: str) -> None:
    log.append(entries("a"))
    other = open_log(url, ITEMS)
    assert other.read(0, 10) == []
    assert other.append(entries("a")) == [True]
    other.close()


def test_another_process_sees_what_was_appended(log: ConsumedLog, url: str) -> None:
    log.append(entries("a"))
    again = open_log(url, INTERACTIONS)
    assert [entry.key for entry in again.read(0, 10)] == ["a"]
    again.close()


def test_many_writers_at_once_keep_each_key_once(log: ConsumedLog, url: str) -> None:
    logs = [log, open_log(url, INTERACTIONS)]

    def post(worker: int) -> int:
        return sum(sum(logs[worker % 2].append(entries(*(f"{i}-{j}" for j in range(5))))) for i in range(20))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(post, range(8))) == 100  # 20 x 5 distinct keys, posted by eight
    kept = log.read(0, 200)
    assert len({entry.key for entry in kept}) == len(kept) == 100
    assert kept[-1].position == log.end()
    logs[1].close()


def test_a_consumer_has_one_holder_at_a_time_and_a_durable_position(log: ConsumedLog, url: str) -> None:
    assert log.lease("features", "one", 30.0)
    assert log.lease("features", "one", 30.0)
    assert not log.lease("features", "two", 30.0)
    assert log.lease("another", "two", 30.0)
    log.commit("features", "one", 7)
    with pytest.raises(LeaseLost, match="Another process consumes interactions for features"):
        log.commit("features", "two", 9)
    again = open_log(url, INTERACTIONS)
    assert (again.position("features"), again.position("another")) == (7, 0)
    again.close()


def test_a_lease_that_runs_out_is_taken_over_with_its_position(log: ConsumedLog) -> None:
    assert log.lease("features", "one", 0.05)
    log.commit("features", "one", 7)
    time.sleep(0.1)
    assert log.lease("features", "two", 30.0)
    assert log.position("features") == 7
    with pytest.raises(LeaseLost):
        log.commit("features", "one", 8)


def test_trimming_removes_what_is_old_and_consumed_and_nothing_else(log: ConsumedLog) -> None:
    log.append(entries("a", "b", "c"))
    assert log.trim(time.time() - 60, up_to=3) == 0
    assert log.trim(time.time() + 1, up_to=2) == 2
    assert [entry.key for entry in log.read(0, 10)] == ["c"]
    assert log.append(entries("d")) == [True]
    assert [entry.position for entry in log.read(0, 10)] == [3, 4]  # positions are never used again
    assert log.append(entries("a")) == [True]  # the key went with its entry


@pytest.mark.parametrize("url", ["postgres://somewhere", "sqlite:///", "events.db"])
def test_another_kind_of_log_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="neither sqlite:///path/to/file nor redis://"):
        open_log(url, INTERACTIONS)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "appendonly no and appendfsync everysec"),
        (("--appendonly", "yes"), "appendonly yes and appendfsync everysec"),
        ((*DURABLE, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"), "evicts keys"),
        ((*DURABLE, "--rename-command", "CONFIG", ""), "does not let its settings be read"),
    ],
)
def test_a_redis_that_could_lose_events_is_refused_unless_vouched_for(
    redis_server: RedisFactory, options: tuple[str, ...], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = redis_server(*options)
    with pytest.raises(EventLogRefused, match=said):
        open_log(server.url, INTERACTIONS)
    open_log(server.url, INTERACTIONS, vouched=True).close()
    assert "the operator vouches for it" in caplog.text


def test_a_redis_that_is_gone_is_an_event_log_error(redis_server: RedisFactory) -> None:
    server = redis_server(*DURABLE)
    log = open_log(server.url, INTERACTIONS)
    server.stop()
    with pytest.raises(EventLogError, match="did not answer: ConnectionError"):
        log.append(entries("a"))
    server.start()
    assert log.append(entries("a")) == [True]
    log.close()


def test_a_redis_that_comes_later_is_checked_before_its_first_use(redis_server: RedisFactory) -> None:
    """A server must start without it, for its recommendations."""
    durable, forgetful = redis_server(*DURABLE), redis_server()
    for server in (durable, forgetful):
        server.stop()
    early, refused = (open_log(server.url, INTERACTIONS) for server in (durable, forgetful))
    with pytest.raises(EventLogError):
        early.append(entries("a"))
    for server in (durable, forgetful):
        server.start()
    assert early.append(entries("a")) == [True]
    with pytest.raises(EventLogRefused, match="appendonly no"):
        refused.append(entries("a"))
    early.close()
    refused.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    path.write_bytes(b"something else, and longer than a header" * 10)
    with pytest.raises(EventLogRefused, match="cannot be opened: file is not a database"):
        open_log(f"sqlite:///{path}", INTERACTIONS)
    with pytest.raises(EventLogRefused, match="without write-ahead log"):
        open_log("sqlite:///:memory:", INTERACTIONS)


def test_a_table_that_has_vanished_is_an_event_log_error_and_the_log_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    log = open_log(f"sqlite:///{path}", INTERACTIONS)
    with sqlite3.connect(path) as other:
        other.execute("ALTER TABLE interactions RENAME TO hidden")
    with pytest.raises(EventLogError, match="written"):
        log.append(entries("a"))
    with pytest.raises(EventLogError, match="read"):
        log.read(0, 1)
    with sqlite3.connect(path) as other:
        other.execute("ALTER TABLE hidden RENAME TO interactions")
    other.close()
    assert log.append(entries("a")) == [True]
    log.close()


def test_there_are_only_the_streams_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no stream 'orders'"):
        open_log(f"sqlite:///{tmp_path / 'events.db'}", "orders")


def test_a_lease_that_is_given_back_is_free_at_once(log: ConsumedLog) -> None:
    assert log.lease("features", "one", 30.0)
    log.release("features", "two")  # it has none
    assert not log.lease("features", "two", 30.0)
    log.commit("features", "one", 7)
    log.release("features", "one")
    assert log.lease("features", "two", 30.0)
    assert log.position("features") == 7


@pytest.mark.parametrize("ahead_seconds", [3600.0, -3600.0, 450 * 86_400.0])
def test_a_clock_that_was_wrong_does_not_stretch_a_lease(
    url: str, ahead_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In SQLite the waiting one counts, in Redis the server does: nobody's clock is compared with another's."""
    wrong, right = open_log(url, INTERACTIONS), open_log(url, INTERACTIONS)
    now = time.time()
    with monkeypatch.context() as clock:
        clock.setattr(time, "time", lambda: now + ahead_seconds)
        assert wrong.lease("features", "killed", 0.2)
    assert not right.lease("features", "next", 0.2)  # it begins to count here
    assert wrong.lease("features", "killed", 0.2)  # it was alive after all, by a clock that is right again
    time.sleep(0.15)
    assert not right.lease("features", "next", 0.2)
    time.sleep(0.25)
    assert right.lease("features", "next", 0.2)
    with pytest.raises(LeaseLost):
        wrong.commit("features", "killed", 1)
    for one in (wrong, right):
        one.close()


ODD = "o'Hara/ü %27\"\\ 🙂"


def of_user(key: str, user_id: str) -> Entry:
    return Entry(key, json.dumps({"event_id": key, "user_id": user_id}, ensure_ascii=False))


def test_an_erasure_takes_all_entries_of_one_user_and_no_others(log: ConsumedLog) -> None:
    log.append([of_user("a", ODD), of_user("b", "u12"), of_user("c", ODD), of_user("d", "u1"), Entry("e", "no JSON")])
    assert log.erase({ODD, "u1"}.__contains__) == 3
    assert [(entry.position, entry.key) for entry in log.read(0, 10)] == [(2, "b"), (5, "e")]
    assert log.end() == 5  # positions are not used again
    assert log.erase({ODD}.__contains__) == 0


def test_an_erasure_takes_the_entries_of_exactly_that_id_whatever_is_in_it(log: ConsumedLog) -> None:
    left = list(ODD_IDS)
    log.append([of_user(f"e{number}", user_id) for number, user_id in enumerate(left)])
    for user_id in ODD_IDS:
        assert log.erase({user_id}.__contains__) == 1, user_id
        left.remove(user_id)
        assert [json.loads(entry.payload)["user_id"] for entry in log.read(0, 100)] == left


def bought(user_id: str, event_id: str) -> Interaction:
    return Interaction(event_id=event_id, event_type=EventType.PURCHASE, user_id=user_id, item_id="milk")


def kept(log: ConsumedLog, *events: Interaction) -> list[bool]:
    return log.append([Entry(key_of(event), event.model_dump_json()) for event in events])


def test_an_event_is_kept_once_of_its_user_and_suppresses_nobody_elses(log: ConsumedLog) -> None:
    same = [bought(user_id, "order-18") for user_id in ODD_IDS]
    assert kept(log, *same) == [True] * len(ODD_IDS)
    assert kept(log, *same) == [False] * len(ODD_IDS)
    own = [bought("anna", event_id) for event_id in ODD_IDS]
    assert kept(log, *own, *own) == [True] * len(ODD_IDS) + [False] * len(ODD_IDS)
    # what follows the colon of one does not make it another's
    assert kept(log, bought("a", "b:1"), bought("a:b", "1"), bought("a:b:", "1"), bought("1:a", "b:1")) == [True] * 4


def test_after_an_erasure_entries_and_keys_go_on_as_before(log: ConsumedLog) -> None:
    log.append([of_user("a", "u1"), of_user("b", "u2")])
    log.erase({"u1"}.__contains__)
    assert log.append([of_user("a", "u3"), of_user("b", "u2"), of_user("c", "u2")]) == [True, False, True]
    assert [(entry.position, entry.key) for entry in log.read(0, 10)] == [(2, "b"), (3, "a"), (4, "c")]


def test_a_log_of_one_user_alone_is_empty_after_the_erasure(log: ConsumedLog) -> None:
    log.append([of_user("a", "u1"), of_user("b", "u1")])
    assert log.erase({"u1"}.__contains__) == 2
    assert log.read(0, 10) == []
    assert log.append([of_user("c", "u2")]) == [True]
    assert [(entry.position, entry.key) for entry in log.read(0, 10)] == [(3, "c")]


def test_an_erasure_goes_through_more_than_one_chunk(log: ConsumedLog) -> None:
    log.append([of_user(f"e{number}", f"u{number % 3}") for number in range(2500)])
    assert log.erase({"u1"}.__contains__) == 833
    after, keys = 0, []
    while entries := log.read(after, 1000):
        keys += [entry.key for entry in entries]
        after = entries[-1].position
    assert keys == [f"e{number}" for number in range(2500) if number % 3 != 1]


def test_nothing_of_an_erased_user_is_left_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    log = open_log(f"sqlite:///{path}", INTERACTIONS)
    log.append([of_user(f"zebra-{number}", "zebra") for number in range(200)])
    log.append([of_user("b", "u1")])
    log.erase({"zebra"}.__contains__)
    assert b"zebra" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    log.close()


def test_nothing_of_an_erased_user_is_left_in_redis_nor_in_its_file(redis_server: RedisFactory) -> None:
    server = redis_server(*DURABLE)
    log = open_log(server.url, INTERACTIONS)
    log.append([of_user(f"zebra-{number}" if number % 2 else f"b-{number}", "zebra" if number % 2 else "u1")
                for number in range(300)])  # fmt: skip
    log.erase({"zebra"}.__contains__)
    with closing(redis.Redis.from_url(server.url)) as client:
        asked: Any = client  # typed for both of its kinds
        keys = list(asked.scan_iter())
        assert b"zebra" not in b"".join(keys) + b"".join(asked.dump(key) or b"" for key in each(keys))
        deadline = time.monotonic() + 30
        while asked.info("persistence")["aof_rewrite_in_progress"] and time.monotonic() < deadline:
            time.sleep(0.05)
    files = [file for file in server.folder.rglob("*") if file.is_file()]
    assert b"zebra" not in b"".join(file.read_bytes() for file in each(files))
    log.close()


def test_one_erasure_at_a_time_goes_through_redis(redis_server: RedisFactory) -> None:
    server = redis_server(*DURABLE)
    log = open_log(server.url, INTERACTIONS)
    log.append([of_user("a", "u1")])
    with closing(redis.Redis.from_url(server.url)) as client:
        client.set(redis_key(INTERACTIONS, "erasing"), "another")
        with pytest.raises(EventLogError, match="Another erasure"):
            log.erase({"u1"}.__contains__)
        client.delete(redis_key(INTERACTIONS, "erasing"))
    assert log.erase({"u1"}.__contains__) == 1
    log.close()


def test_events_that_come_during_an_erasure_are_kept(log: ConsumedLog, url: str) -> None:
    log.append([of_user(f"e{number}", f"u{number % 2}") for number in range(3000)])
    writer = open_log(url, INTERACTIONS)
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(lambda: [writer.append([of_user(f"n{number}", "u2")]) for number in range(100)])
        assert log.erase({"u1"}.__contains__) == 1500
        assert written.result() == [[True]] * 100
    found: set[str] = set()
    after = 0
    while entries := log.read(after, 1000):
        found |= {entry.key for entry in entries}
        after = entries[-1].position
    assert found == {f"e{number}" for number in range(0, 3000, 2)} | {f"n{number}" for number in range(100)}
    writer.close()


def test_a_file_that_is_being_read_for_too_long_is_an_error_and_not_a_promise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.events.log_sqlite.BUSY_SECONDS", 0.1)
    log = open_log(f"sqlite:///{tmp_path / 'events.db'}", INTERACTIONS)
    log.append([of_user("a", "u1")])
    with closing(sqlite3.connect(tmp_path / "events.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM interactions").fetchall()
        with pytest.raises(EventLogError, match="rewritten"):
            log.erase({"u1"}.__contains__)
    assert log.erase({"u1"}.__contains__) == 0  # asked again it ends
    log.close()
