"""Requests to replay elsewhere, without the names of users: other ids, and the features that answers need."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from contracts.api.replays import SampledRequest
from contracts.api.requests import RecommendationRequest
from contracts.errors import InvalidInput
from serving.replay.requests import Sent

COLD_EVERY: Final = 10
"""Of requests made up, every tenth is of a user of whom nothing is known."""


def sampled(sent: Sequence[Sent], count: int, seed: int) -> Iterator[SampledRequest]:
    """count of the requests, in another order, with users named by the order in which they come out.

    The names say nothing of the ids: the order is drawn. What people bought stays what they bought, so the file is
    pseudonymous, not anonymous in the sense of the law: keep it like the log. A seed gives the same sample again.
    """
    chosen = np.random.default_rng(seed).permutation(len(sent))[:count]
    names = dict[int, str]()
    for at in chosen.tolist():
        one = sent[at]
        name = names.setdefault(one.user, f"user-{len(names) + 1:06d}")
        yield SampledRequest(request=one.request.model_copy(update={"user_id": name}), features=one.features)


def made_up(user_ids: Sequence[str], count: int, seed: int, n: int = 10) -> list[RecommendationRequest]:
    """count requests for the home page by drawn users, where no traffic was recorded yet; some users are cold.

    Raises InvalidInput without users.
    """
    if not user_ids:
        raise InvalidInput("The bundle knows no users to make requests of; name recorded ones with --requests.")
    drawn = np.random.default_rng(seed).permutation(len(user_ids))
    users = [user_ids[drawn[at % len(drawn)]] for at in range(count)]
    return [
        RecommendationRequest(user_id=f"cold-{at}" if at % COLD_EVERY == COLD_EVERY - 1 else user, n=n)
        for at, user in enumerate(users)
    ]


def write_sample(path: Path, requests: Iterable[SampledRequest]) -> int:
    """Writes one JSON line a request; gives their number."""
    return _write(path, [{"request": _asked(one.request), "features": one.features} for one in requests])


def write_bare(path: Path, requests: Iterable[RecommendationRequest]) -> int:
    """The same of requests whose users keep their ids: who replays them reads the features from a store of its own."""
    return _write(path, [_asked(one) for one in requests])


def _asked(request: RecommendationRequest) -> dict[str, Any]:
    return request.model_dump(exclude_defaults=True)


def _write(path: Path, lines: Sequence[dict[str, Any]]) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n" for line in lines))
    return len(lines)
