"""kill -9 while events are posted: what was answered 202 is in the log afterwards."""

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from contracts.events.log import INTERACTIONS
from serving.events.open_log import open_log
from tests.attack.sending import WITH_KEY
from tests.attack.server import Attacked, attacked
from tests.support.real_parts import asking
from tests.support.real_parts.redis_server import DURABLE, RedisServer
from tests.support.real_parts.servers import free_port

BATCH = 100
READ_AT_ONCE = 1000


class Killed(NamedTuple):
    """Result for one kind of log."""

    sent: int
    acknowledged: int
    lost: int
    doubled: int


def killed_in_sqlite(root: Path, folder: Path, rounds: int, events: int) -> Killed:
    """The server is killed once a round, while it takes this number of events."""
    return _killed(root, folder, f"sqlite:///{folder}/killed.db", rounds, events, None)


def killed_in_redis(root: Path, folder: Path, rounds: int, events: int) -> Killed:
    """The server and its Redis are killed."""
    redis = RedisServer(folder, free_port(), *DURABLE).start()
    try:
        return _killed(root, folder, redis.url, rounds, events, redis)
    finally:
        redis.stop()


def _killed(root: Path, folder: Path, log: str, rounds: int, events: int, redis: RedisServer | None) -> Killed:
    draw = random.Random(9)
    acknowledged: set[str] = set()
    sent = 0
    for number in range(rounds):
        left = [f"{number}-{event}" for event in range(events)]
        after = draw.randrange(len(left) // 4, len(left) * 3 // 4)  # events of this round, when it is killed
        for is_killed in (True, False):
            with attacked(root, log, folder) as server, _killer(server, redis) if is_killed else _nobody() as kill:
                before = len(acknowledged)
                for ids in _batches(left):
                    sent += len(ids)
                    if is_killed and len(acknowledged) - before >= after:
                        kill.set()  # somewhere in one of the next batches
                    if not _posted(server, ids):
                        break
                    acknowledged.update(ids)
            left = [one for one in left if one not in acknowledged]
    kept = _kept(log)
    return Killed(sent, len(acknowledged), len(acknowledged - set(kept)), len(kept) - len(set(kept)))


def _batches(ids: list[str]) -> Iterator[list[str]]:
    for first in range(0, len(ids), BATCH):
        yield ids[first : first + BATCH]


def _posted(server: Attacked, ids: list[str]) -> bool:
    """Whether all of them were acknowledged; those that were there already are, too."""
    events = [{"event_id": one, "event_type": "view", "user_id": "1", "item_id": "1"} for one in ids]
    try:
        answer = asking.post(f"{server.url}/events", headers=WITH_KEY, json={"events": events}, timeout=30)
    except httpx.HTTPError:
        return False
    return answer.status_code == httpx.codes.ACCEPTED and not answer.json()["rejected"]


@contextmanager
def _killer(server: Attacked, redis: RedisServer | None) -> Iterator[threading.Event]:
    """Kills once the event is set, from a thread of its own: in the middle of whatever is going on."""
    go = threading.Event()

    def kill() -> None:
        go.wait()
        if redis is not None:
            redis.kill()
        server.process.kill()

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield go
    finally:
        go.set()
        thread.join()
        server.process.wait()
        if redis is not None:
            redis.start()


@contextmanager
def _nobody() -> Iterator[threading.Event]:
    yield threading.Event()


def _kept(url: str) -> list[str]:
    """Ids of the events in the log, in order."""
    log = open_log(url, INTERACTIONS)
    ids: list[str] = []
    position = 0
    while entries := log.read(position, READ_AT_ONCE):
        ids += [json.loads(entry.payload)["event_id"] for entry in entries]
        position = entries[-1].position
    return ids
