"""The tests' own redis-server does to a client what a real one would."""

from collections.abc import Callable

import pytest
import redis

from tests.support.real_parts.redis_server import DURABLE, RedisServer


def test_a_durable_server_brings_back_after_a_kill_what_it_had_answered(
    redis_server: Callable[..., RedisServer],
) -> None:
    server = redis_server(*DURABLE)
    with redis.Redis.from_url(server.url) as client:
        client.set("key", "kept")
    server.kill()
    with redis.Redis.from_url(server.start().url) as client:
        assert client.get("key") == b"kept"


def test_a_stopped_server_refuses_and_a_paused_one_is_silent(redis_server: Callable[..., RedisServer]) -> None:
    server = redis_server()
    options = {"socket_timeout": 0.1, "socket_connect_timeout": 0.1, "retry": None}
    with redis.Redis.from_url(server.url, **options) as client:
        client.set("key", "held")
        server.pause()
        with pytest.raises(redis.TimeoutError):
            client.get("key")
        server.resume()
        assert client.get("key") == b"held"
    server.stop()
    with redis.Redis.from_url(server.url, **options) as client, pytest.raises(redis.ConnectionError):
        client.get("key")
