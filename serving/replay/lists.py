"""One recommender's lists for the requests of a replay, not recorded and shown to nobody."""

import time
from collections.abc import Callable
from typing import Final

from contracts.api.replays import COLD, KNOWN, NEW_ITEM_DAYS, ReplayedItem, ReplayedList
from contracts.errors import InvalidInput
from contracts.events.schema import UNKNOWN
from contracts.features.names import ITEM_ID, ITEM_STATISTICS, USER_PROFILE
from serving.bundles.bundle import LoadedBundle
from serving.features.lookup import UserFeatures
from serving.recommender import Recommender
from serving.replay.requests import Sent
from serving.runtime.stage_batching import alone

AGE_COLUMN: Final = ITEM_STATISTICS.index("item_age_days")


class GivenFeatures:
    """Feature lookup that knows the user of the request under way, with the features that the request brought."""

    def __init__(self) -> None:
        self._features: UserFeatures | None = None

    def give(self, features: UserFeatures | None) -> None:
        """Features of the next request's user."""
        self._features = features

    def user(self, user_id: str) -> UserFeatures | None:
        """A copy: what is laid over the features of one answer must not reach the next."""
        return None if self._features is None else dict(self._features)

    def bought_before(self, user_id: str) -> list[str] | None:
        """Nothing: a history is all that is known."""
        return []

    def companions(self, item_id: str) -> list[tuple[str, int]]:
        """None: no list asks for them."""
        return []


class Replayer:
    """Answers requests one after the other as a server with this bundle and these rules would."""

    def __init__(
        self,
        recommender: Recommender,
        bundle: LoadedBundle,
        features: GivenFeatures,
        seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        """features is the recommender's lookup."""
        self._recommender = recommender
        self._bundle = bundle
        self._features = features
        self._seconds = seconds

    def answer(self, sent: Sent) -> ReplayedList:
        """The list, or why this bundle refuses the request."""
        self._features.give(sent.features)
        request, started = sent.request, self._seconds()
        try:
            answered = alone(self._recommender.steps(request, shown=False))
        except InvalidInput as error:  # a category that one bundle has and another lacks
            return self._line(sent, refused=str(error))
        seconds = self._seconds() - started
        items = tuple(
            ReplayedItem(item_id=item.item_id, title=item.title, new=self._is_new(item.item_id))
            for item in answered.items
        )
        return self._line(sent, level=answered.degraded_level, items=items, seconds=seconds)

    def _line(self, sent: Sent, **answered: object) -> ReplayedList:
        return ReplayedList.model_validate(
            {
                "number": sent.number,
                "user": sent.user,
                "surface": sent.request.surface,
                "segments": segments_of(sent),
                "asked": sent.request.n,
                **answered,
            }
        )

    def _is_new(self, item_id: str) -> bool:
        (code,) = self._bundle.vocabularies[ITEM_ID].encode([item_id]).tolist()
        row = code - 1
        if not 0 <= row < len(self._bundle.items.catalogue.statistics):
            return True
        return bool(self._bundle.items.catalogue.statistics[row, AGE_COLUMN] < NEW_ITEM_DAYS)


def segments_of(sent: Sent) -> tuple[str, ...]:
    """Known or cold, and each profile value; of a cold user those that the request names."""
    if sent.features is None:
        return (COLD, *sent.request.segment)
    profile = ((column, sent.features.get(column)) for column in USER_PROFILE)
    return (KNOWN, *(f"{column}={value}" for column, value in profile if value not in (None, UNKNOWN)))
