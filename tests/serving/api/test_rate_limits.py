"""What one caller may ask for a second, by hand on a clock of our own."""

from collections.abc import Sequence

import pytest
from pydantic import SecretStr

from serving.api.access import Access, Caller
from serving.api.rate_limits import InFlight, RateLimit, TooManyRequests
from serving.settings import ServingSettings


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_burst_and_then_so_many_a_second() -> None:
    clock = Clock()
    limit = RateLimit(10, 64, clock)
    for _ in range(64):
        limit.charge("one", 1)
    with pytest.raises(TooManyRequests, match=r"10 a second for one caller, and 64 at once\. Try again in 1 s"):
        limit.charge("one", 1)
    limit.charge("other", 64)
    clock.seconds = 0.5
    for _ in range(5):
        limit.charge("one", 1)
    with pytest.raises(TooManyRequests) as refused:
        limit.charge("one", 64)
    assert refused.value.retry_seconds == 7  # 64 / 10


def test_what_is_more_than_a_burst_is_answered_when_the_bucket_is_full_and_then_waited_for() -> None:
    clock = Clock()
    limit = RateLimit(10, 64, clock)
    limit.charge("one", 256)
    clock.seconds = 19.0  # 192 are owed
    with pytest.raises(TooManyRequests):
        limit.charge("one", 1)
    clock.seconds = 19.4
    limit.charge("one", 1)


def test_what_a_request_was_charged_for_before_is_a_part_of_its_burst() -> None:
    """Else a body that asks for a burst or more is never answered: one list is charged before it is read."""
    access = Access(ServingSettings(lists_per_second=1, lists_at_once=64))
    caller = Caller(access, [], "10.0.0.8")
    caller.charge(1)
    caller.charge(255)
    with pytest.raises(TooManyRequests):
        Caller(access, [], "10.0.0.8").charge(1)


def named(access: Access, key: str = "", address: str = "10.0.0.8", forwarded: Sequence[str] = ("",)) -> str:
    headers = [(b"authorization", f"Bearer {key}".encode())] if key else []
    headers += [(b"x-forwarded-for", line.encode()) for line in forwarded]
    return Caller(access, headers, address)._name()


def test_a_caller_is_a_key_that_is_known_or_an_address() -> None:
    access = Access(ServingSettings(api_key=SecretStr("a key of many letters"), lists_per_second=1))
    assert (
        named(access) == named(access, "another key of letters") == named(access, forwarded=["1.1.1.1"]) == "10.0.0.8"
    )
    assert named(access, "a key of many letters") == named(access, "a key of many letters", "10.0.0.9") != "10.0.0.8"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "caller"),
    [
        (1, ["6.6.6.6, 1.1.1.1"], "1.1.1.1"),
        (2, ["6.6.6.6, 1.1.1.1, 10.0.0.1"], "1.1.1.1"),
        (2, ["1.1.1.1"], "10.0.0.8"),
        (1, ["6.6.6.6", "1.1.1.1"], "1.1.1.1"),  # the proxy has added a line of its own
        (2, ["6.6.6.6", "7.7.7.7,1.1.1.1", "10.0.0.1"], "1.1.1.1"),
        (1, ["1.1.1.1", ""], "10.0.0.8"),
        (1, ["1.1.1.1:1001"], "1.1.1.1"),
        (1, ["::ffff:1.1.1.1"], "1.1.1.1"),
        (1, ["2001:db8::1"], "2001:db8::/64"),
        (1, ["[2001:0DB8::ffff:1]:443"], "2001:db8::/64"),
        (1, ["2001:db8::2%i am the boss"], "2001:db8::/64"),
        (1, ["2001:db8:0:1::1"], "2001:db8:0:1::/64"),
        (1, ["i am the boss"], "10.0.0.8"),
        (1, ["1.1.1.1" + " " * 100_000], "10.0.0.8"),
    ],
)
def test_behind_proxies_the_address_is_the_one_that_they_saw(
    proxies: int, forwarded: Sequence[str], caller: str
) -> None:
    access = Access(ServingSettings(lists_per_second=1, trusted_proxies=proxies))
    assert named(access, forwarded=forwarded) == caller


def test_without_proxies_an_ipv6_caller_is_its_network_too() -> None:
    access = Access(ServingSettings(lists_per_second=1))
    assert named(access, address="2001:db8::1") == named(access, address="2001:db8::2%eth0") == "2001:db8::/64"
    assert named(access, address="testclient") == "testclient"


def test_a_change_is_by_a_whole_address_and_by_nothing_that_is_none() -> None:
    access = Access(ServingSettings(trusted_proxies=1))
    for forwarded, address in [("2001:db8::1%boss", "2001:db8::1"), ("9.9.9.9:5", "9.9.9.9"), ("boss", "10.0.0.8")]:
        caller = Caller(
            access, [(b"x-forwarded-for", b"7.7.7.7"), (b"x-forwarded-for", forwarded.encode())], "10.0.0.8"
        )
        assert caller.actor().address == address


def test_without_a_limit_nothing_is_counted() -> None:
    caller = Caller(Access(ServingSettings()), [], "10.0.0.8")
    for _ in range(10_000):
        caller.charge(64)


def test_a_caller_waits_for_its_answers_before_it_asks_for_more_than_the_limit() -> None:
    limit = InFlight(100)
    limit.take("one", 256)  # in one request, as it waits for nothing
    with pytest.raises(TooManyRequests, match=r"256 lists are being made for this caller, and 100 may be at once"):
        limit.take("one", 1)
    limit.take("other", 64)
    limit.take("other", 36)
    with pytest.raises(TooManyRequests) as refused:
        limit.take("other", 1)
    assert refused.value.retry_seconds == 1
    limit.give_back("one", 256)
    limit.give_back("other", 36)
    limit.take("one", 1)
    limit.take("other", 1)
    limit.give_back("other", 65)
    limit.give_back("one", 1)
    assert limit._held == {}


def test_a_request_gives_back_what_it_took_also_where_it_was_refused_half_way() -> None:
    access = Access(ServingSettings(lists_in_flight=64))
    assert access.in_flight is not None
    first, second = Caller(access, [], "10.0.0.8"), Caller(access, [], "10.0.0.8")
    first.charge(1)
    first.charge(255)  # the same request, once its body has been read
    with pytest.raises(TooManyRequests):
        second.charge(1)
    second.done()
    assert access.in_flight._held == {"10.0.0.8": 256}
    first.done()
    first.done()
    assert access.in_flight._held == {}
    first, second = Caller(access, [], "10.0.0.8"), Caller(access, [], "10.0.0.8")
    first.charge(1)
    second.charge(1)
    with pytest.raises(TooManyRequests):
        second.charge(63)
    second.done()
    assert access.in_flight._held == {"10.0.0.8": 1}


def test_who_forces_a_slot_without_a_key_is_one_caller_with_all_the_others_and_has_an_eighth_in_flight() -> None:
    key = SecretStr("a key of many letters")
    access = Access(ServingSettings(api_key=key, lists_in_flight=64, lists_per_second=0.001, lists_at_once=64))

    def caller(address: str, *sent: tuple[bytes, bytes]) -> Caller:
        return Caller(access, [(b"x-tandem-slot", b"green"), *sent], address)

    waiting = [caller(f"10.0.0.{number}") for number in range(8)]
    for one in waiting:
        one.charge(1)
    with pytest.raises(TooManyRequests, match="Without a key, 8 lists at once are made in slots"):
        caller("10.0.0.9").charge(1)
    caller("10.0.0.9", (b"authorization", b"Bearer a key of many letters")).charge(64)
    Caller(access, [], "10.0.0.9").charge(1)
    for one in waiting:
        one.done()
    with pytest.raises(TooManyRequests):
        caller("10.0.0.9").charge(63)  # in one body, though nothing is waited for
    for number in range(56):
        one = caller(f"10.0.1.{number}")
        one.charge(1)
        one.done()
    with pytest.raises(TooManyRequests):  # the rate of one caller
        caller("10.0.2.1").charge(1)
