"""Addresses of callers in one spelling, so that nobody is somebody else by another port or another text."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final

MAX_ADDRESS: Final = 64
"""Letters of an address with its port; what is longer is none, and is not remembered either."""
REMEMBERED: Final = 1000
SITE_BITS: Final = 64
"""Of an IPv6 address these name the network of one customer, who has the other half to choose from (RFC 6177)."""


def address_in(entry: str) -> str | None:
    """The address of one entry of X-Forwarded-For, without the port that some proxies write; None for no address."""
    return _read(entry.strip()) if len(entry) <= MAX_ADDRESS else None


@lru_cache(REMEMBERED)  # to parse one takes 2 to 6 us, and the same callers come again
def _read(entry: str) -> str | None:
    if entry.startswith("["):
        entry = entry[1:].partition("]")[0]
    elif entry.count(":") == 1:
        entry = entry.partition(":")[0]
    try:
        address = ip_address(entry.partition("%")[0])  # what follows is the name of an interface, any text
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


@lru_cache(REMEMBERED)
def network_of(address: str) -> str:
    """Under what the rate of an address is counted: an IPv6 address by the network that one customer has."""
    read = _read(address)
    if read is None or ":" not in read:
        return read or address
    free = 128 - SITE_BITS
    return f"{IPv6Address(int(IPv6Address(read)) >> free << free)}/{SITE_BITS}"
