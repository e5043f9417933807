"""From the log to the online store: each event has its effect once, whatever fails in between."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from contracts.events.interactions import Interaction
from contracts.events.log import INTERACTIONS
from contracts.features.freshness import MAX_RECENT_EVENTS
from serving.events import consumer as event_consumer
from serving.events.cache_invalidator import Follower, follow
from serving.events.consumer import CONSUMER, EventConsumer
from serving.events.intake import NoEventLog, key_of, open_intake, required
from serving.events.log import ConsumedLog, Entry, EventLogError
from serving.events.metrics import ConsumerMetrics
from serving.events.open_log import open_log
from serving.events.writer import MAX_WAITING, EventLogBusy, EventWriter
from serving.features.lookup import OnlineStoreError
from serving.features.recent_events import Recent
from serving.runtime.background import Background
from serving.settings import ServingSettings
from tests.support.each import each


class MemoryStore:
    """An online store that fails a chosen number of times."""

    def __init__(self) -> None:
        self.rows: dict[str, Recent] = {}
        self.failing = 0
        self.writes = 0

    def read(self, user_ids: Sequence[str]) -> dict[str, Recent]:
        return {user_id: self.rows.get(user_id, Recent([], 0)) for user_id in user_ids}

    def write(self, recent: Mapping[str, Recent]) -> None:
        if self.failing:
            self.failing -= 1
            raise OnlineStoreError("down")
        self.writes += 1
        self.rows |= recent

    def items_of(self, user_id: str) -> list[str | None]:
        return [event.item_id for event in self.rows[user_id].events]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ConsumedLog]:
    opened = open_log(f"sqlite:///{tmp_path / 'events.db'}", INTERACTIONS)
    yield opened
    opened.close()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def consumer(log: ConsumedLog, store: MemoryStore, registry: CollectorRegistry) -> EventConsumer:
    return EventConsumer(log, store, ConsumerMetrics(registry))


def entry(event_id: str, user_id: str, item_id: str, minute: int = 0) -> Entry:
    event = Interaction(event_id=event_id, event_type="purchase", user_id=user_id, item_id=item_id)
    return Entry(event_id, event.at(datetime(2024, 1, 1, 0, minute, tzinfo=UTC)).model_dump_json())


def test_a_micro_batch_is_one_write_for_all_its_users(
    log: ConsumedLog, store: MemoryStore, consumer: EventConsumer, registry: CollectorRegistry
) -> None:
    log.append([entry("1", "a", "milk"), entry("2", "b", "salt"), entry("3", "a", "bread", 1)])
    assert consumer.step() == 3
    assert (store.items_of("a"), store.items_of("b"), store.writes) == (["milk", "bread"], ["salt"], 1)
    assert log.position(CONSUMER) == 3
    assert consumer.step() == 0
    assert registry.get_sample_value("tandem_events_applied_total") == 3
    assert registry.get_sample_value("tandem_event_lag") == 0
    assert registry.get_sample_value("tandem_event_freshness_seconds_count") == 3


def test_a_batch_whose_position_was_not_noted_is_applied_again_without_effect(
    log: ConsumedLog, store: MemoryStore, consumer: EventConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the process dies between the write and the commit."""
    log.append([entry("1", "a", "milk"), entry("2", "a", "salt", 1)])
    with monkeypatch.context() as broken:
        broken.setattr(log, "commit", lambda *_: (_ for _ in ()).throw(EventLogError("gone")))
        with pytest.raises(EventLogError):
            consumer.step()
    assert consumer.step() == 2
    assert store.items_of("a") == ["milk", "salt"]
    assert store.writes == 2


def test_a_store_that_is_down_loses_nothing(
    log: ConsumedLog, store: MemoryStore, consumer: EventConsumer, registry: CollectorRegistry
) -> None:
    log.append([entry("1", "a", "milk")])
    store.failing = 2
    background = Background()
    background.start("consumer", consumer.run)
    deadline = time.monotonic() + 10
    while not store.rows and time.monotonic() < deadline:
        time.sleep(0.01)
    background.close()
    assert store.items_of("a") == ["milk"]
    assert registry.get_sample_value("tandem_event_consumer_failures_total") == 2


def test_a_second_consumer_stands_by_until_the_first_is_gone(
    log: ConsumedLog, store: MemoryStore, consumer: EventConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_consumer, "LEASE_SECONDS", 0.2)
    log.append([entry("1", "a", "milk")])
    second = EventConsumer(log, store, ConsumerMetrics(CollectorRegistry()))
    assert consumer.step() == 1
    log.append([entry("2", "a", "salt", 1)])
    assert second.step() == 0
    time.sleep(0.3)
    assert second.step() == 1
    assert store.items_of("a") == ["milk", "salt"]


def test_what_no_release_can_read_is_passed_over_and_counted(
    log: ConsumedLog, store: MemoryStore, consumer: EventConsumer, registry: CollectorRegistry
) -> None:
    without_moment = Interaction(event_id="3", event_type="visit", user_id="a")
    log.append([Entry("1", "{}"), entry("2", "a", "milk"), Entry("3", without_moment.model_dump_json())])
    assert consumer.step() == 3
    assert store.items_of("a") == ["milk"]
    assert registry.get_sample_value("tandem_events_unreadable_total") == 2
    log.append([Entry("4", "{}")])
    assert consumer.step() == 1


def test_a_user_keeps_the_latest_events_and_the_others_are_counted(
    log: ConsumedLog, store: MemoryStore, consumer: EventConsumer, registry: CollectorRegistry
) -> None:
    log.append([entry(str(n), "a", str(n), n % 60) for n in range(MAX_RECENT_EVENTS + 5)])
    consumer.step()
    assert len(store.items_of("a")) == MAX_RECENT_EVENTS
    assert registry.get_sample_value("tandem_events_crowded_out_total") == 5


def test_old_events_are_removed_by_the_consumer_that_works(
    log: ConsumedLog, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_consumer, "TRIM_SECONDS", 0.0)
    log.append([entry("1", "a", "milk")])
    consumer = EventConsumer(log, store, ConsumerMetrics(CollectorRegistry()), retention_days=1e-9)
    background = Background()
    background.start("consumer", consumer.run)
    deadline = time.monotonic() + 10
    while log.read(0, 1) and time.monotonic() < deadline:
        time.sleep(0.01)
    background.close()
    assert log.read(0, 1) == []
    assert log.end() == 1


def test_a_server_forgets_a_user_when_the_consumer_is_done_and_not_before(
    log: ConsumedLog, consumer: EventConsumer
) -> None:
    """An answer made in between would be cached again, without the event."""
    forgotten: list[str] = []
    log.append([entry("0", "before", "milk")])
    consumer.step()
    follower = Follower(log, forgotten.append)
    assert follower.step() == 0
    log.append([entry("1", "a", "milk"), entry("2", "b", "milk"), Entry("3", "{}")])
    assert (follower.step(), forgotten) == (0, [])
    consumer.step()
    assert (follower.step(), sorted(forgotten)) == (3, ["a", "b"])
    assert follower.step() == 0


def test_following_goes_on_after_the_log_was_away() -> None:
    calls: list[int] = []
    stop = threading.Event()

    def step() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise EventLogError("away")
        stop.set()
        return 0

    follow([step], stop)
    assert len(calls) == 2


def test_a_server_without_a_log_says_how_to_start_it_with_one() -> None:
    assert open_intake(ServingSettings()) is None
    with pytest.raises(NoEventLog, match="TANDEM_EVENT_LOG="):
        required(None)


def test_an_event_that_version_0_1_has_kept_has_its_effect_once_when_it_is_sent_again(
    log: ConsumedLog, store: MemoryStore, consumer: EventConsumer
) -> None:
    """0.1 wrote the event's id alone as its key."""
    earlier = entry("e1", "u", "milk")
    again = Interaction.model_validate_json(earlier.payload)
    assert log.append([earlier]) == [True]
    log.append([Entry(key_of(again), earlier.payload), entry("e1", "v", "milk")])
    while consumer.step():
        pass
    assert store.items_of("u") == ["milk"]


class SlowLog:
    """A log that takes its time, and fails for one key."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.go = threading.Event()

    def append(self, entries: Sequence[Entry]) -> list[bool]:
        self.go.wait(10)
        self.batches.append(len(entries))
        if any(one.key == "poison" for one in entries):
            raise EventLogError("disk full")
        return [not one.key.startswith("again") for one in entries]


def test_requests_that_wait_together_are_written_together_and_hear_of_their_own() -> None:
    log = SlowLog()
    writer = EventWriter(log)
    first = writer.submit([Entry("a", "")])
    time.sleep(0.1)  # the first is being written
    second, third = writer.submit([Entry("b", ""), Entry("again", "")]), writer.submit([Entry("again", "")])
    third.cancel()  # its client has hung up
    fourth = writer.submit([Entry("c", "")])
    log.go.set()
    assert (first.result(5), second.result(5), fourth.result(5)) == ([True], [True, False], [True])
    assert log.batches == [1, 4]
    writer.close()


def test_a_write_that_fails_fails_every_request_in_it_and_the_writer_goes_on() -> None:
    log = SlowLog()
    log.go.set()
    writer = EventWriter(log)
    with pytest.raises(EventLogError, match="disk full"):
        writer.submit([Entry("poison", "")]).result(5)
    assert writer.submit([Entry("a", "")]).result(5) == [True]
    writer.close()


def test_beyond_what_may_wait_requests_are_turned_away() -> None:
    log = SlowLog()
    writer = EventWriter(log)
    waiting = [writer.submit([Entry("a", "")] * (MAX_WAITING // 4)) for _ in range(4)]
    with pytest.raises(EventLogBusy, match="wait for the disk"):
        writer.submit([Entry("b", "")])
    log.go.set()
    assert all(len(one.result(5)) == MAX_WAITING // 4 for one in each(waiting))
    time.sleep(0.05)
    assert writer.submit([Entry("b", "")]).result(5) == [True]
    writer.close()


def test_a_consumer_that_ends_gives_its_lease_back(log: ConsumedLog, store: MemoryStore) -> None:
    stop = threading.Event()
    stop.set()
    first = EventConsumer(log, store, ConsumerMetrics(CollectorRegistry()))
    first.step()
    registry = CollectorRegistry()
    second = EventConsumer(log, store, ConsumerMetrics(registry))
    second.step()
    assert registry.get_sample_value("tandem_event_consumer_leads") == 0
    first.run(stop)
    second.step()
    assert registry.get_sample_value("tandem_event_consumer_leads") == 1


def test_who_stands_by_measures_the_lag_too(log: ConsumedLog, store: MemoryStore) -> None:
    assert log.lease(CONSUMER, "somebody who hangs", 30.0)
    log.append([Entry(str(number), "{}") for number in range(5)])
    registry = CollectorRegistry()
    EventConsumer(log, store, ConsumerMetrics(registry)).step()
    assert registry.get_sample_value("tandem_event_lag") == 5


@pytest.mark.parametrize("ahead_days", [450, 10_000])
def test_a_clock_that_is_ahead_removes_nothing(log: ConsumedLog, store: MemoryStore, ahead_days: int) -> None:
    log.append([Entry(str(number), "{}") for number in range(3000)])
    consumer = EventConsumer(log, store, ConsumerMetrics(CollectorRegistry()))
    log.lease(CONSUMER, consumer._holder, 30.0)
    log.commit(CONSUMER, consumer._holder, 3000)
    consumer._remove_old(time.time() + ahead_days * 86_400)
    assert len(log.read(0, 5000)) == 3000


def test_entries_of_a_clock_that_was_ahead_cost_a_part_of_the_log_and_a_line_in_the_servers(
    log: ConsumedLog, store: MemoryStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log.append([Entry(str(number), "{}") for number in range(30_000)])
    later = time.time() + 450 * 86_400
    with monkeypatch.context() as clock:
        clock.setattr(time, "time", lambda: later)
        log.append([Entry("ahead", "{}")])
    registry = CollectorRegistry()
    consumer = EventConsumer(log, store, ConsumerMetrics(registry))
    log.lease(CONSUMER, consumer._holder, 30.0)
    log.commit(CONSUMER, consumer._holder, 30_001)
    consumer._remove_old(later)
    assert len(log.read(0, 40_000)) == 30_001 - 1501  # 5 % of 30,000, and the first
    assert "is the clock right?" in caplog.text
    consumer._remove_old(time.time())
    assert "this clock is behind, or another was ahead" in caplog.text
    assert (registry.get_sample_value("tandem_event_clock_skew_seconds") or 0) > 449 * 86_400


def test_events_of_somebody_who_was_erased_have_no_effect(log: ConsumedLog, store: MemoryStore) -> None:
    consumer = EventConsumer(log, store, ConsumerMetrics(CollectorRegistry()), is_erased={"a"}.__contains__)
    log.append([entry("1", "a", "milk"), entry("2", "b", "salt")])
    assert consumer.step() == 2
    assert list(store.rows) == ["b"]


def test_a_row_that_was_written_while_its_user_was_erased_is_taken_back(log: ConsumedLog, store: MemoryStore) -> None:
    erased: set[str] = set()
    gone: list[str] = []

    def erase(user_id: str) -> int:
        gone.append(user_id)
        return 1

    class Slow(MemoryStore):
        def write(self, recent: Mapping[str, Recent]) -> None:
            erased.add("a")  # the erasure goes through the online store before this write does
            super().write(recent)

    consumer = EventConsumer(
        log, Slow(), ConsumerMetrics(CollectorRegistry()), is_erased=erased.__contains__,
        erase_online=erase,
    )  # fmt: skip
    log.append([entry("1", "a", "milk"), entry("2", "b", "salt")])
    assert consumer.step() == 2
    assert gone == ["a"]


def test_feedback_is_kept_whatever_else_happens(
    log: ConsumedLog, store: MemoryStore, consumer: EventConsumer, registry: CollectorRegistry
) -> None:
    hide = Interaction(event_id="h", event_type="hide", user_id="a", item_id="salt")
    log.append([Entry("h", hide.at(datetime(2023, 1, 1, tzinfo=UTC)).model_dump_json())])
    log.append([entry(str(number), "a", "milk", number % 60) for number in range(MAX_RECENT_EVENTS + 5)])
    while consumer.step():
        pass
    kept = store.rows["a"].events
    assert (len(kept), kept[0].event_type) == (MAX_RECENT_EVENTS + 1, "hide")
    assert registry.get_sample_value("tandem_events_crowded_out_total") == 5
