"""Candidates of many users as of a moment, made by the code that serves."""

from collections.abc import Sequence

import numpy as np

from contracts.arrays import Floats
from contracts.events.schema import EventType
from contracts.features import encoding
from contracts.ranking.candidates import (
    BASKETS_COLUMN,
    CandidatePlan,
    Mask,
    Shortlist,
    UserSide,
    item_side,
    shortlist,
)
from training.dataset.dataset import Dataset, Moment
from training.ranking.labelled_lists import CHOSEN, VIEWED, Engagements
from training.retrieval.embeddings import Embeddings
from training.retrieval.index import search
from training.settings import RankerSettings


def engagements_in(dataset: Dataset, user_ids: Sequence[str], start: int, end: int) -> Engagements:
    """Each user's engagements in [start, end), with their labels."""
    labels = {EventType.CART_ADD: CHOSEN, EventType.LIKE: CHOSEN, EventType.VIEW: VIEWED}
    by_label = [(label, dataset.engaged_with(kind, start, end)) for kind, label in labels.items()]
    return [[(label, seen[user]) for label, seen in by_label if user in seen] for user in user_ids]


def shortlists(
    dataset: Dataset,
    moment: Moment,
    users: Sequence[int],
    embeddings: Embeddings,
    ranker: RankerSettings,
    queries: Floats | None = None,
    *,
    include_seen: bool = True,
) -> list[Shortlist]:
    """Candidates of the moment's users, by the code that serves: entry i belongs to users[i].

    queries: [users of the moment, embedding_dim], where they are not those that were kept.
    include_seen: False leaves out what is in a user's history, as in a request that says so.
    """
    plan = candidate_plan(ranker) if include_seen else candidate_plan(ranker).of_unseen
    items = item_side(
        dataset.catalogue(moment.item_statistics),
        embeddings.items(moment.seconds),
        plan.num_popular,
        neighbours=embeddings.neighbours(moment.seconds),
    )
    asked = (embeddings.queries(moment.seconds) if queries is None else queries)[list(users)]
    seen = 0 if include_seen else max((len(moment.histories[row]) for row in users), default=0)
    nearest = search(embeddings.index(moment.seconds), asked, min(plan.num_nearest + seen, len(items.embeddings)))
    lists = list[Shortlist]()
    for row, query, found in zip(users, asked, nearest, strict=True):
        user = user_side(moment, row, query)
        allowed = None if include_seen else unseen(user, len(items.embeddings))
        lists.append(shortlist(user, found, items, plan, allowed))
    return lists


def unseen(user: UserSide, num_items: int) -> Mask:
    """[num_items] whether the user's history lacks the row."""
    allowed = np.ones(num_items, np.bool_)
    allowed[user.history.item_rows] = False
    return allowed


def user_side(moment: Moment, row: int, query: Floats) -> UserSide:
    """One user of a moment as the shared candidate code wants it."""
    statistics = moment.queries[encoding.STATISTICS][row]
    baskets = float(statistics[BASKETS_COLUMN])
    return UserSide(query, moment.histories[row], statistics, baskets, moment.seconds, moment.engagements[row])


def candidate_plan(settings: RankerSettings) -> CandidatePlan:
    """The sources' shares of the candidates."""
    return CandidatePlan(
        settings.num_candidates,
        settings.num_repeat,
        settings.num_popular,
        settings.num_engaged,
        settings.num_neighbours,
        settings.num_unseen_neighbours,
    )
