"""Lists of users who have done nothing yet, as the server makes them: it asks no model for such a user.

The server's side is serving/recommendation/ladder.py. docs/experiments/new-users-and-items.md has the figures.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np

from contracts.arrays import Floats, Rows
from contracts.features import encoding
from contracts.features.names import DAY_SECONDS, USER_PROFILE
from contracts.features.vocabulary import OUT_OF_VOCABULARY
from contracts.ranking.candidates import NO_ROWS, popularity_of
from contracts.ranking.segments import SEGMENT_DAYS, SEGMENT_ITEMS, Segments, segments_of
from training.dataset.dataset import Dataset, Moment

Lists = Sequence[Rows | None]
"""Entry i is one user's list, catalogue rows best first; None for a user whose list the models make."""


def lists_without_history(dataset: Dataset, moment: Moment, users: Sequence[int]) -> Lists:
    """The lists of those of the moment's users who have neither bought nor looked at anything; entry i is of users[i].

    What people of their profile buy, and behind it, or where no profile is known, what everybody buys.
    """
    new = [_has_done_nothing(moment, row) for row in users]
    if not any(new):
        return [None] * len(users)
    segments = segments_at(dataset, moment)
    popular = np.argsort(-popularity_of(moment.item_statistics), kind="stable")[:SEGMENT_ITEMS]

    @cache  # users are many, and profiles are few
    def list_of(codes: tuple[int, ...]) -> Rows:
        by_column = zip(USER_PROFILE, codes, strict=True)
        own, _ = segments.likeliest({column: code for column, code in by_column if code != OUT_OF_VOCABULARY})
        return np.concatenate([own, popular[~np.isin(popular, own)]])

    profiles = moment.queries[encoding.PROFILE][list(users)].tolist()
    return [list_of(tuple(codes)) if is_new else None for codes, is_new in zip(profiles, new, strict=True)]


def as_served(ranked: Sequence[tuple[Rows, Floats]], without_history: Lists) -> list[Rows]:
    """Each user's list: the rows of the ranked one, (rows, scores), unless it is not for the models to make."""
    return [rows if other is None else other for (rows, _), other in zip(ranked, without_history, strict=True)]


def segments_at(dataset: Dataset, moment: Moment, users: Sequence[int] | None = None) -> Segments:
    """What people of each profile value bought in the days before the moment; users: of it, None for all."""
    bought = dataset.bought(moment.seconds - SEGMENT_DAYS * DAY_SECONDS, moment.seconds)
    counted = range(len(moment.user_ids)) if users is None else users
    own = [bought.get(moment.user_ids[row], NO_ROWS) for row in counted]
    profiles = moment.queries[encoding.PROFILE][counted]
    return segments_of(profiles, own, dataset.vocabularies, popularity_of(moment.item_statistics))


def _has_done_nothing(moment: Moment, row: int) -> bool:
    return len(moment.histories[row]) == 0 and not moment.queries[encoding.SEQUENCE][row].any()
