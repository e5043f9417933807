"""Ids of lists: what an interaction names, so that it counts for the variant whose list it followed.

An id is told by its keyed MAC, and so needs no lookup, whichever of several servers has made the list. Without a key
anybody can write one down, and clicks on lists that nobody was given would decide over a canary.
"""

import hashlib
import hmac
from collections.abc import Collection
from typing import Final

from serving.runtime.random_ids import random_id

MAC_BYTES: Final = 8
"""Each guess is a posted event, and 2^63 of them hit once."""
PURPOSE: Final = b"tandem list ids"
"""Keeps the key apart from other uses of the secret that it is made from."""
UNCOUNTED: Final = ".forced"
"""Behind the variant, which has no dot in its name: no interaction counts for that."""


class ListIds:
    """Makes and reads ids with one secret, which all servers of a shop must share."""

    def __init__(self, secret: str = "") -> None:
        """secret: without one ids have no MAC."""
        key = hashlib.blake2b(secret.encode(), digest_size=32, person=PURPOSE).digest() if secret else b""
        self._mac = hashlib.blake2b(digest_size=MAC_BYTES, key=key) if key else None

    def new(self, variant: str, *, is_counted: bool = True) -> str:
        """Unique. is_counted: whether interactions with it count for the variant, as the list does."""
        drawn = random_id()
        if not is_counted:
            variant += UNCOUNTED
        return f"{drawn}{self._mac_of(drawn, variant)}-{variant}"

    def variant(self, request_id: str, variants: Collection[str]) -> str | None:
        """Which of the variants' lists it names; None for an id that no server has given, and for one not counted."""
        digits, _, variant = request_id.partition("-")
        if variant not in variants or not digits.isascii():
            return None
        if self._mac is None:
            return variant
        at = len(digits) - 2 * MAC_BYTES
        given, mac = digits[at:].encode(), self._mac_of(digits[:at], variant).encode()
        return variant if at > 0 and hmac.compare_digest(given, mac) else None

    def _mac_of(self, drawn: str, variant: str) -> str:
        if self._mac is None:
            return ""
        mac = self._mac.copy()
        mac.update(f"{drawn}-{variant}".encode())
        return mac.hexdigest()
