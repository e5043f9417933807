"""The same users asked of both slots, through the gateway and by the header that forces a slot.

A mirrored list is seen by nobody. Its requests say so (MIRROR_HEADER), so that a server can keep them out of what it
learns from, and their number is known, so that they are taken out of the click rate.
"""

import math
import random
from collections.abc import Callable
from urllib.parse import quote

import httpx

from contracts.api.records import MIRROR_HEADER
from rollout import settings
from rollout.analysis.measurements import Mirrored

List = tuple[str, ...]


class Mirror:
    """Asks for lists of k items; `headers` gives what forces a slot."""

    def __init__(
        self,
        client: httpx.Client,
        headers: Callable[[str], dict[str, str]],
        asked: settings.Mirror,
        seed: int | None = None,
    ) -> None:
        self._client = client
        self._headers = headers
        self._settings = asked
        self._random = random.Random(seed)  # noqa: S311 - which users are asked need not be secret
        self._users: list[str] = []

    def ask(self, stable: str, canary: str) -> Mirrored:
        """Both answers to a fresh sample of users; the slots take turns in being first."""
        users = self._sample(stable)
        answers: dict[str, list[List | None]] = {stable: [], canary: []}
        for row, user in enumerate(users):
            # The second to be asked finds the user's features in warm caches.
            for slot in (stable, canary) if row % 2 else (canary, stable):
                answers[slot].append(self._list(slot, user))
        return Mirrored(tuple(users), tuple(answers[stable]), tuple(answers[canary]))

    def _sample(self, stable: str) -> list[str]:
        """One user for each request; if fewer are known, some of them repeatedly."""
        self._users = self._users or self._settings.users() or self._examples(stable)
        wanted, times = self._settings.requests_per_analysis, 1
        if self._users:
            times = math.ceil(wanted / len(self._users))
        return self._random.sample(self._users * times, min(wanted, len(self._users) * times))

    def _examples(self, stable: str) -> list[str]:
        """Users that stable's bundle names as examples; none while it does not answer."""
        card = self._json(stable, "/bundle")
        return [str(user) for user in card.get("example_user_ids", [])] if isinstance(card, dict) else []

    def _list(self, slot: str, user: str) -> List | None:
        answer = self._json(slot, f"/recommendations/{quote(user, safe='')}?n={self._settings.k}")
        if not isinstance(answer, dict) or "items" not in answer:
            return None
        return tuple(item["item_id"] for item in answer["items"])

    def _json(self, slot: str, path: str) -> object:
        """The body of a 200; None for anything else, which the gate `answered` counts."""
        host = {"Host": self._settings.host} if self._settings.host else {}
        try:
            answer = self._client.get(path, headers={**host, **self._headers(slot), MIRROR_HEADER: "1"})
            found: object = answer.json() if answer.status_code == httpx.codes.OK else None
        except (httpx.HTTPError, ValueError):
            return None
        return found
