"""One moment that lists are made at, and what was bought in the days after it: the unit of every evaluation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from contracts.arrays import Floats, Rows
from contracts.features.encoding import PROFILE
from contracts.features.history import UserHistory
from contracts.features.names import ITEM_STATISTICS
from contracts.ranking.candidates import Shortlist
from contracts.ranking.neighbours import Neighbours
from contracts.ranking.segments import known_profile
from training.dataset.dataset import Dataset
from training.evaluation.baselines import personal_frequency, personal_then_popular, top_rows
from training.metrics.ranking_metrics import RECALL_AT, without
from training.ranking.scoring import rank_with_scores, ranker_of_unseen
from training.ranking.shortlists import shortlists
from training.ranking.without_history import Lists as WithoutHistory
from training.ranking.without_history import as_served, lists_without_history
from training.retrieval.embeddings import Embeddings
from training.retrieval.index import build_index, search
from training.settings import FLAT, IndexSettings, Settings
from training.workspace import Workspace

LENGTH = max(RECALL_AT)
Lists = Mapping[str, Sequence[Rows]]
"""By name; entry i of each is user i's list, best first, and may be longer than LENGTH."""


@dataclass(frozen=True)
class EvaluationWindow:
    """Entry i of every sequence belongs to user_ids[i], who bought something in the window."""

    start: int  # Unix seconds; everything but truths is as of it
    end: int
    user_ids: tuple[str, ...]
    candidates: Sequence[Shortlist]
    truths: Sequence[Rows]  # distinct rows bought in the window
    known: Sequence[Rows]  # distinct rows ever bought before it
    histories: Sequence[UserHistory]
    without_history: WithoutHistory  # lists of users who had done nothing before it
    nearest: Sequence[Rows]  # nearest items of the towers, enough to leave LENGTH without the user's own
    item_statistics: Floats
    unseen: Sequence[Shortlist] = ()  # candidates of a list that leaves out what is in the user's history
    profiles: Sequence[Mapping[str, str]] = ()  # what is known of each user, value by column of USER_PROFILE

    @property
    def num_items(self) -> int:
        """Size of the catalogue."""
        return len(self.item_statistics)


def window_at(
    dataset: Dataset,
    embeddings: Embeddings,
    start: int,
    end: int,
    settings: Settings,
    most_users: int = 0,
    *,
    with_unseen: bool = False,
) -> EvaluationWindow:
    """The window at start, labelled by [start, end); start is one of the timeline's history_snapshots.

    most_users: a sample of this size where more have bought something; 0 takes all. with_unseen: whether candidates are
    drawn for lists of new items too.
    """
    moment, bought, before = dataset.moment(start), dataset.bought(start, end), dataset.bought(0, start)
    users = sampled([row for row, user in enumerate(moment.user_ids) if user in bought], most_users)
    user_ids = tuple(moment.user_ids[row] for row in users)
    known = [before.get(user, np.zeros(0, np.int64)) for user in user_ids]
    depth = LENGTH + max((len(rows) for rows in known), default=0)
    return EvaluationWindow(
        start=start,
        end=end,
        user_ids=user_ids,
        candidates=shortlists(dataset, moment, users, embeddings, settings.ranker),
        unseen=shortlists(dataset, moment, users, embeddings, settings.ranker, include_seen=False)
        if with_unseen
        else (),
        truths=[bought[user] for user in user_ids],
        known=known,
        histories=[moment.histories[row] for row in users],
        without_history=lists_without_history(dataset, moment, users),
        nearest=_nearest(embeddings, start, users, depth),
        item_statistics=moment.item_statistics,
        profiles=[known_profile(codes, dataset.vocabularies) for codes in moment.queries[PROFILE][users]],
    )


def sampled(users: list[int], most: int) -> list[int]:
    """At most this many of them, spread evenly over their order, which is arbitrary; 0 keeps all."""
    if not most or len(users) <= most:
        return users
    return [users[at] for at in np.linspace(0, len(users) - 1, most).astype(int)]


def _nearest(embeddings: Embeddings, start: int, users: Sequence[int], depth: int) -> list[Rows]:
    items, queries = embeddings.items(start), embeddings.queries(start)[list(users)]
    # Far deeper than serving asks, so an inverted file's nprobe would cut it off: the towers are judged, not an index.
    index = build_index(items, queries, IndexSettings(factory=FLAT))
    return list(search(index, queries, min(depth, len(items))))


def unseen_list(window: EvaluationWindow, workspace: Workspace) -> list[Rows]:
    """Each user's list of what they never had, best first, as a request with include_seen=false gets it."""
    return as_served(rank_with_scores(window.unseen, ranker_of_unseen(workspace)), window.without_history)


def lists_of(window: EvaluationWindow, ranked: Sequence[Rows], neighbours: Neighbours | None = None) -> Lists:
    """The baselines, item-to-item weights and the towers alone, and the ranked candidates as the final list."""
    baselines = _baselines(window)
    also = {"ease": _by_weights(window, neighbours, baselines["recent_popularity"])} if neighbours else {}
    return {**baselines, **also, "two_tower": window.nearest, "final_list": ranked}


def _by_weights(window: EvaluationWindow, neighbours: Neighbours, popular: Sequence[Rows]) -> list[Rows]:
    """Lists of EASE on its own: weights from what each user bought, filled up with popular items."""
    everything = np.ones(window.num_items, np.bool_)
    lists = []
    for history, own, behind in zip(window.histories, window.known, popular, strict=True):
        found = neighbours.scored(history, window.start).best_rows(everything, LENGTH + len(own))
        lists.append(np.concatenate([found, without(behind, found)]))
    return lists


def _baselines(window: EvaluationWindow) -> Lists:
    depth = LENGTH + max((len(rows) for rows in window.known), default=0)
    popular = top_rows(window.item_statistics[:, ITEM_STATISTICS.index("item_purchases_365d")], depth)
    recent = top_rows(window.item_statistics[:, ITEM_STATISTICS.index("item_purchases_28d")], depth)
    per_user: dict[str, Callable[[UserHistory], Rows]] = {
        "popularity": lambda _: popular,
        "recent_popularity": lambda _: recent,
        "p_top_freq": personal_frequency,
        "gp_top_freq": lambda history: personal_then_popular(history, popular, depth),
    }
    return {name: [make(history) for history in window.histories] for name, make in per_user.items()}
