"""Lists for users whom the shop has never seen, by the recommender that serves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow.dataset as ds
from prometheus_client import CollectorRegistry

from benchmarks.quality.cold_start.shop import Companions, Shop
from contracts.api.limits import MAX_CONTEXT, MAX_ITEMS
from contracts.api.requests import RankingRequest, RecommendationRequest, RetrievalRequest
from contracts.arrays import Rows
from contracts.events.interactions import FreshEvent
from contracts.events.schema import UNKNOWN
from contracts.features import names
from contracts.features.freshness import encode_events
from contracts.features.names import DAY_SECONDS
from contracts.features.vocabulary import Vocabulary
from contracts.ranking.segments import known_profile
from serving.bundles.bundle import LoadedBundle
from serving.bundles.release import OneRelease
from serving.features.lookup import UserFeatures, freshened
from serving.metrics import Metrics
from serving.recommendation.context import nobody
from serving.runtime.clock import frozen_clock
from tests.support.lists.recommender import new_recommender
from training.dataset.cold_users import SESSION_DAYS

POPULARITY: Final = "popularity"
SEGMENT: Final = "popularity in the segment"
VISITOR: Final = "visitor"


@dataclass(frozen=True)
class Visitor:
    """What is known of a new user, and what they bought in the window."""

    profile: Mapping[str, str]  # known columns alone
    session: Sequence[FreshEvent]  # their latest before the window, latest event first
    truth: Rows


class Told:
    """A feature lookup that gives every user the features that were put into it."""

    def __init__(self, companions: Companions) -> None:
        self.features: UserFeatures | None = None
        self._companions = companions

    def user(self, user_id: str) -> UserFeatures | None:
        """The same features for every user."""
        return self.features

    def bought_before(self, user_id: str) -> list[str] | None:
        """Nothing: a history is all that is known."""
        return []

    def companions(self, item_id: str) -> list[tuple[str, int]]:
        """What was bought together with the item, as the shop counted it."""
        return self._companions.get(item_id, [])


class Counter:
    """Answers visitors; each way of asking is a method."""

    def __init__(self, bundle: LoadedBundle, companions: Companions) -> None:
        self._bundle = bundle
        self._seconds = bundle.manifest.data_end_timestamp
        self._lookup = Told(companions)
        self._recommender = new_recommender(
            OneRelease(bundle, "stable"), self._lookup, Metrics(CollectorRegistry()), frozen_clock(self._seconds)
        )

    def popularity(self, visitor: Visitor) -> Rows:
        """Nothing is known."""
        return self._listed(None)

    def segment(self, visitor: Visitor) -> Rows:
        """The request names the profile, the store knows nobody."""
        return self._listed(None, segment=[f"{column}={value}" for column, value in visitor.profile.items()])

    def profile(self, visitor: Visitor) -> Rows:
        """The store knows the profile and nothing else: what the models make of it, which is not what serves."""
        plan, popular = self._bundle.plan, self._listed(None)
        self._lookup.features = nobody() | dict.fromkeys(names.USER_PROFILE, UNKNOWN) | dict(visitor.profile)
        found = self._recommender.retrieve(RetrievalRequest(user_id=VISITOR, k=plan.num_nearest))
        by_right = (self._bundle.item_ids[row] for row in popular[: plan.num_popular])
        candidates = list(dict.fromkeys([*by_right, *found.item_ids]))[: plan.num_candidates]
        ranked = self._recommender.rank(RankingRequest(user_id=VISITOR, item_ids=candidates))
        return catalogue_rows(ranked.item_ids, self._bundle.vocabularies)[:MAX_ITEMS]

    def context(self, visitor: Visitor) -> Rows:
        """The request names the items of the session, the store knows nobody."""
        return self._listed(None, context=_items(visitor))

    def events(self, visitor: Visitor) -> Rows:
        """The session was posted as events, which the store has, and nothing else."""
        recent = {names.RECENT_EVENTS: encode_events(sorted(visitor.session, key=lambda event: event.seconds))}
        return self._listed(freshened(nobody() | recent, self._seconds))

    def _listed(self, features: UserFeatures | None, **asked: Any) -> Rows:
        self._lookup.features = features
        request = RecommendationRequest(user_id=VISITOR, n=MAX_ITEMS, **asked)
        return np.array(self._recommender.listed(request).rows, np.int64)


WAYS: Final[Mapping[str, Mapping[str, Callable[[Counter, Visitor], Rows]]]] = {
    "profile": {"towers and ranker": Counter.profile},
    "session": {"session as posted events": Counter.events, "session as the request's context": Counter.context},
}
"""By what is known: the ways that use it. Each is compared with popularity and with the segment's list."""


def visitors(shop: Shop) -> list[Visitor]:
    """The shop's newcomers who had bought something before the window, so that there is a session."""
    sessions, bought = _sessions(shop), shop.bought(shop.start, shop.end)
    rows = {user: row for row, user in enumerate(shop.now.user_ids)}
    profiles = shop.now.queries["profile"]
    found = []
    for user in shop.newcomers:
        if user in sessions:
            known = known_profile(profiles[rows[user]], shop.vocabularies)
            found.append(Visitor(known, sessions[user], bought[user]))
    return found


def session_rows(visitor: Visitor, shop: Shop) -> Rows:
    """Catalogue rows of what is in the session."""
    return catalogue_rows(_items(visitor), shop.vocabularies)


def catalogue_rows(item_ids: Sequence[str], vocabularies: Mapping[str, Vocabulary]) -> Rows:
    """Row i is item_ids[i]'s; all are in the catalogue."""
    return vocabularies[names.ITEM_ID].encode(item_ids).astype(np.int64) - 1


def _items(visitor: Visitor) -> list[str]:
    distinct = dict.fromkeys(event.item_id for event in visitor.session if event.item_id is not None)
    return list(distinct)[:MAX_CONTEXT]


def _sessions(shop: Shop) -> dict[str, list[FreshEvent]]:
    """What each newcomer did to items in the latest session before the window, latest first."""
    of_items = ds.field("event_type").isin(names.SEQUENCE_TYPES)
    table = ds.dataset(shop.workspace.ingested("events")).to_table(
        filter=ds.field("user_id").isin(list(shop.newcomers)) & of_items
    )
    events = table.to_pandas()
    events["seconds"] = events.event_timestamp.astype("datetime64[s, UTC]").astype("int64")
    known = events[events.seconds < shop.start].sort_values(["user_id", "seconds", "item_id"], ascending=False)
    latest = known.seconds >= known.groupby("user_id").seconds.transform("max") - SESSION_DAYS * DAY_SECONDS
    known = known.fillna({"quantity": 1, "price": 0.0, "discount": 0.0})  # a view has no price
    sessions: dict[str, list[FreshEvent]] = {}
    for row in known[latest].itertuples():
        event = FreshEvent(
            row.event_id, row.event_type, row.item_id, int(row.seconds), row.basket_id, int(row.quantity),
            float(row.price), float(row.discount),
        )  # fmt: skip
        sessions.setdefault(row.user_id, []).append(event)
    return sessions
