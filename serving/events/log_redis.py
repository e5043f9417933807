"""The event log in Redis Streams, in a Redis that syncs its append-only file before it answers."""

import logging
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from contracts.events.log import PAYLOAD, redis_key
from serving.events.log import Entry, EventLogError, EventLogRefused, LeaseLost, Logged, user_of

ANSWER_SECONDS = 5.0
TRIMMED_AT_ONCE = 1000
ERASING_SECONDS = 3600

# A script runs as one: no entry without its key remembered, no key without its entry. Stream ids are our own positions.
APPEND = """
local kept = {}
for i = 2, #ARGV, 2 do
    if redis.call('ZADD', KEYS[2], 'NX', ARGV[1], ARGV[i]) == 1 then
        local position = redis.call('INCR', KEYS[3])
        redis.call('XADD', KEYS[1], position .. '-0', 'received', ARGV[1], 'key', ARGV[i], 'payload', ARGV[i + 1])
        kept[#kept + 1] = 1
    else
        kept[#kept + 1] = 0
    end
end
return kept
"""
LEASE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""
COMMIT = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
return 1
"""

SWAP = """
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+')) do
    redis.call('XADD', KEYS[2], entry[1], unpack(entry[2]))
end
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if redis.call('EXISTS', KEYS[2]) == 0 then
    redis.call('DEL', KEYS[1])
    return 1
end
if first then redis.call('XTRIM', KEYS[2], 'MINID', first[1]) end
redis.call('RENAME', KEYS[2], KEYS[1])
return 1
"""


class RedisLog:
    """One stream; its entries, the keys it remembers and its consumers' positions lie under keys with one hash tag."""

    def __init__(self, url: str, stream: str, *, vouched: bool = False) -> None:
        """Raises EventLogRefused for a Redis that is not durable.

        One that does not answer is asked before its first use: a server answers recommendations without it.
        """
        # No retries: one after a lost answer would call its own entries duplicates. The client decides.
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
        self._name = stream
        self._stream, self._keys, self._last = (redis_key(stream, what) for what in ("stream", "keys", "position"))
        self._positions = redis_key(stream, "consumers")
        self._append = self._redis.register_script(APPEND)
        self._lease = self._redis.register_script(LEASE)
        self._release = self._redis.register_script(RELEASE)
        self._commit = self._redis.register_script(COMMIT)
        self._swap = self._redis.register_script(SWAP)
        self._vouched = vouched
        self._checked = False
        try:
            self._check()
        except EventLogError as error:
            logging.getLogger(__name__).warning("%s Nothing can be posted until it does.", error)

    def append(self, entries: Sequence[Entry]) -> list[bool]:
        """Whether each entry is new; one script and one sync for all. Raises EventLogError."""
        arguments = [repr(time.time())]
        for entry in entries:
            arguments += entry
        kept = self._ask(lambda: self._append(keys=[self._stream, self._keys, self._last], args=arguments))
        return [flag == 1 for flag in kept]

    def read(self, after: int, limit: int) -> list[Logged]:
        """Up to limit entries after a position. Raises EventLogError."""
        found: list[Any] = self._ask(lambda: self._redis.xrange(self._stream, min=f"({after}-0", count=limit))
        return [
            Logged(int(position.split("-")[0]), float(fields["received"]), fields["key"], fields[PAYLOAD])
            for position, fields in found
        ]

    def end(self) -> int:
        """Position of the last entry ever kept. Raises EventLogError."""
        return int(self._ask(lambda: self._redis.get(self._last)) or 0)

    def trim(self, before_seconds: float, up_to: int) -> int:
        """How many entries were removed. Raises EventLogError."""
        removed = 0
        while old := [
            entry
            for entry in self.read(0, TRIMMED_AT_ONCE)
            if entry.received_seconds < before_seconds and entry.position <= up_to
        ]:
            self._remove(old)
            removed += len(old)
        return removed

    def _remove(self, old: Sequence[Logged]) -> None:
        """Keys first: what is interrupted between the two is removed by the next trim."""
        self._ask(lambda: self._redis.zrem(self._keys, *(entry.key for entry in old)))
        self._ask(lambda: self._redis.xtrim(self._stream, minid=f"{old[-1].position + 1}-0", approximate=False))

    def erase(self, chosen: Callable[[str], bool]) -> int:
        """How many entries of chosen users were removed; nothing of them is left in Redis. Raises EventLogError.

        The stream is copied without them, in chunks, and then exchanged: a deleted entry stays in its node, and goes to
        the disk with it. Until then Redis holds the stream twice. One erasure works at a time.
        """
        lease, holder = redis_key(self._name, "erasing"), uuid.uuid4().hex
        if not self._ask(lambda: self._redis.set(lease, holder, nx=True, ex=ERASING_SECONDS)):
            raise EventLogError("Another erasure goes through the event log. Ask again when it is done.")
        copy = redis_key(self._name, f"without:{holder}")
        try:
            keys, last = self._copied(copy, chosen)
            if keys:
                self._ask(lambda: self._swap(keys=[self._stream, copy], args=[f"{last}-0"]))
                self._ask(lambda: self._redis.zrem(self._keys, *keys))
        finally:
            self._ask(lambda: self._redis.delete(copy))
            self._ask(lambda: self._release(keys=[lease], args=[holder]))
        with suppress(EventLogError):  # where it rewrites already, or its operator does
            self._answered(self._redis.bgrewriteaof)
        return len(keys)

    def _copied(self, copy: str, chosen: Callable[[str], bool]) -> tuple[list[str], int]:
        """(keys of entries that were left out, position of the last entry that was looked at)."""
        keys: list[str] = []
        last = 0
        while entries := self.read(last, TRIMMED_AT_ONCE):
            with self._redis.pipeline(transaction=False) as pipe:
                for entry in entries:
                    user_id = user_of(entry.payload)
                    if user_id is not None and chosen(user_id):
                        keys.append(entry.key)
                        continue
                    fields: Any = {
                        "received": repr(entry.received_seconds), "key": entry.key, PAYLOAD: entry.payload
                    }  # fmt: skip
                    pipe.xadd(copy, fields, id=f"{entry.position}-0")
                self._ask(pipe.execute)
            last = entries[-1].position
        return keys, last

    def position(self, consumer: str) -> int:
        """How far the consumer has come. Raises EventLogError."""
        return int(self._ask(lambda: self._redis.hget(self._positions, consumer)) or 0)

    def lease(self, consumer: str, holder: str, seconds: float) -> bool:
        """Whether holder may work for the consumer. Raises EventLogError."""
        keys = [redis_key(self._name, f"lease:{consumer}")]
        return bool(self._ask(lambda: self._lease(keys=keys, args=[holder, int(seconds * 1000)])))

    def release(self, consumer: str, holder: str) -> None:
        """Gives the lease back, if holder has it. Raises EventLogError."""
        self._ask(lambda: self._release(keys=[redis_key(self._name, f"lease:{consumer}")], args=[holder]))

    def commit(self, consumer: str, holder: str, position: int) -> None:
        """Notes the position. Raises LeaseLost unless holder has the lease, EventLogError."""
        keys = [redis_key(self._name, f"lease:{consumer}"), self._positions]
        if not self._ask(lambda: self._commit(keys=keys, args=[holder, consumer, position])):
            raise LeaseLost(f"Another process consumes {self._name} for {consumer} now.")

    def close(self) -> None:
        """Closes the connections."""
        self._redis.close()

    def _check(self) -> None:
        self._answered(lambda: refuse_unless_durable(self._redis, self._vouched))
        self._checked = True

    def _ask(self, question: Callable[[], Any]) -> Any:
        """The answer of a Redis that is known to be durable. Raises EventLogError, EventLogRefused."""
        if not self._checked:
            self._check()
        return self._answered(question)

    def _answered(self, question: Callable[[], Any]) -> Any:  # the client is typed for both of its kinds
        try:
            return question()
        except redis.RedisError as error:
            raise EventLogError(f"The event log in Redis did not answer: {type(error).__name__}.") from error


def refuse_unless_durable(client: "redis.Redis", vouched: bool) -> None:
    """Returns for a Redis that keeps what it has answered, or that the operator vouches for.

    Raises EventLogRefused naming the setting that is missing.
    """
    try:
        settings: Any = client.config_get("append*")
        policy: Any = client.config_get("maxmemory*")
    except redis.ResponseError as error:
        _refuse(f"does not let its settings be read ({error})", vouched)
        return
    if settings["appendonly"] != "yes" or settings["appendfsync"] != "always":
        _refuse(
            f"has appendonly {settings['appendonly']} and appendfsync {settings['appendfsync']}: accepted events would "
            "be lost with it. It needs `appendonly yes` and `appendfsync always`",
            vouched,
        )
    if policy["maxmemory"] != "0" and policy["maxmemory-policy"] != "noeviction":
        _refuse(f"evicts keys ({policy['maxmemory-policy']}). It needs `maxmemory-policy noeviction`", vouched)


def _refuse(why: str, vouched: bool) -> None:
    if not vouched:
        raise EventLogRefused(f"The Redis of the event log {why}; or vouch for it with TANDEM_EVENT_LOG_VOUCHED=true.")
    logging.getLogger(__name__).warning("The Redis of the event log %s; the operator vouches for it.", why)
