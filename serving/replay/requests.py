"""What a replay sends: the requests of an impression log, of a sample, or bare ones, with their users' features."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from contracts.api.records import ImpressionRecord
from contracts.api.replays import SampledRequest
from contracts.api.requests import RecommendationRequest
from contracts.errors import InvalidInput, MissingArtifact, faults_of
from serving.features.lookup import FeatureLookup, UserFeatures
from serving.rule_sandbox import request_of

BLOCK: Final = 1 << 20
KINDS = 'a line of an impression log, a line of `tandem sample-requests`, or a request like {"user_id": "17", "n": 10}'


@dataclass(frozen=True)
class Sent:
    """One request. Users are numbered in the order in which they come; features None: nothing is known."""

    number: int  # from 1
    user: int  # from 1
    request: RecommendationRequest
    features: UserFeatures | None


@dataclass(frozen=True)
class Requests:
    """Everything that is sent, and how many lines between are not: they ask for later pages, which depend on others."""

    sent: list[Sent]
    skipped: int

    def sha256(self) -> str:
        """Digest of the requests, so that two runs know that they sent the same.

        Not of the features: another version of the code may compute others from the same data.
        """
        return hashlib.sha256("\n".join(one.request.model_dump_json() for one in self.sent).encode()).hexdigest()


def read_requests(path: Path, limit: int | None, lookup: Callable[[], FeatureLookup]) -> Requests:
    """The latest requests of a file, oldest first, at most limit of them; what is before them is not looked at.

    lookup is asked once for each user whose features the file does not bring, and made only for those.
    Raises MissingArtifact without the file, InvalidInput naming a line that is not a request or a file without one,
    OnlineStoreError where a user's features cannot be read: lists without them would compare two fallbacks.
    """
    if not path.is_file():
        raise MissingArtifact(f"There is no file of requests {path}. Each of its lines is {KINDS}.")
    kept, skipped = list[SampledRequest | RecommendationRequest](), 0
    for back, line in enumerate(lines_from_end(path)):
        asked = _asked(path, back, line) if line.strip() else None
        if asked is not None:
            kept.append(asked)
        elif line.strip():
            skipped += 1
        if len(kept) == limit:
            break
    if not kept:
        raise InvalidInput(f"{path} holds no request to replay: {skipped} lines, all for later pages.")
    return Requests(list(with_users(kept[::-1], lookup)), skipped)


def lines_from_end(path: Path) -> Iterator[bytes]:
    """The lines of a file, the last one first; a log of a year is not read for its latest thousand lines."""
    with path.open("rb") as file:
        at, beginning = file.seek(0, os.SEEK_END), b""
        while at > 0:
            size = min(BLOCK, at)
            at = file.seek(at - size)
            beginning, *lines = (file.read(size) + beginning).split(b"\n")
            yield from reversed(lines)
        yield beginning


def _asked(path: Path, back: int, line: bytes) -> SampledRequest | RecommendationRequest | None:
    """The request of one line, None for a later page. back: lines after it."""
    try:
        return _parsed(json.loads(line))
    except ValidationError as error:
        raise InvalidInput(f"{_place(path, back)}: {'; '.join(faults_of(error))}. A line is {KINDS}.") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidInput(f"{_place(path, back)}, is not one of: {KINDS}. {error}") from error


def _place(path: Path, back: int) -> str:
    with path.open("rb") as file:
        ends = sum(block.count(b"\n") for block in iter(lambda: file.read(BLOCK), b""))
    return f"{path}, line {1 + ends - back}"


def _parsed(line: dict[str, Any]) -> SampledRequest | RecommendationRequest | None:
    if "served_at" in line:
        record = ImpressionRecord.model_validate(line)
        return None if record.page_offset else _plain(request_of(record))
    if "features" in line:
        sampled = SampledRequest.model_validate_json(json.dumps(line))
        return sampled.model_copy(update={"request": _plain(sampled.request)})
    request = RecommendationRequest.model_validate(line)
    return None if request.page else _plain(request)


def _plain(request: RecommendationRequest) -> RecommendationRequest:
    """Without what another server's release knows: a variant by name, a page that its answer began."""
    return request.model_copy(update={"variant": None, "page": None, "explain": False})


def with_users(
    asked: Sequence[SampledRequest | RecommendationRequest], lookup: Callable[[], FeatureLookup]
) -> Iterator[Sent]:
    """Each request with its user's features: those it brings, else those that the lookup reads, once a user."""
    users, read = dict[str, int](), dict[str, UserFeatures | None]()
    reader: FeatureLookup | None = None
    for number, one in enumerate(asked, start=1):
        request = one.request if isinstance(one, SampledRequest) else one
        user_id = request.user_id
        user = users.setdefault(user_id, len(users) + 1)
        if isinstance(one, SampledRequest):
            yield Sent(number, user, request, one.features)
            continue
        if user_id not in read:
            reader = reader or lookup()
            read[user_id] = reader.user(user_id)
        yield Sent(number, user, request, read[user_id])
