"""What people with the same profile value buy: the list for a user of whom only the profile is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.arrays import Floats, Rows
from contracts.features.names import USER_PROFILE
from contracts.features.vocabulary import OUT_OF_VOCABULARY, Vocabulary

SEGMENT_ITEMS: Final = 200
"""Items kept of each segment: the longest list, and some that filters may take out."""
SEGMENT_DAYS: Final = 28
"""Purchases of this many days before the end of the data count, as for overall popularity."""
PRIOR_PEOPLE: Final = 150.0
"""A segment is counted as if this many more people had bought as all people do, divided by the number of columns.

What few people have bought is mostly chance. A profile's columns are added up, which takes chance out as well.
"""


@dataclass(frozen=True)
class Segments:
    """Segment s is one value of one profile column; columns follow each other, each with a segment for "not known"."""

    rows: npt.NDArray[np.int32]  # [segments, SEGMENT_ITEMS] catalogue rows, most bought first; -1 where there are fewer
    buyers: Floats  # [segments, SEGMENT_ITEMS] people of the segment who bought the item, and of PRIOR_PEOPLE
    starts: Mapping[str, int]  # first segment of each profile column

    def popular(self, column: str, code: int) -> tuple[Rows, Floats]:
        """([k] catalogue rows, [k] buyers) of a profile value by its vocabulary code, most bought first."""
        rows, buyers = self.rows[self.starts[column] + code], self.buyers[self.starts[column] + code]
        found = rows >= 0
        return rows[found].astype(np.int64), buyers[found]

    def likeliest(self, profile: Mapping[str, int]) -> tuple[Rows, Floats]:
        """([k] catalogue rows, [k] scores), best first, for vocabulary codes by profile column; none without a code.

        Each column adds an item's buyers as a share of those of its most bought item.
        """
        shares: dict[int, float] = {}
        for column, code in profile.items():
            rows, buyers = self.popular(column, code)
            for row, count in zip(rows.tolist(), (buyers / buyers.max(initial=1.0)).tolist(), strict=True):
                shares[row] = shares.get(row, 0.0) + count
        rows, scores = np.array(list(shares), np.int64), np.array(list(shares.values()), np.float32)
        order = np.argsort(-scores, kind="stable")
        return rows[order], scores[order]


def known_profile(codes: npt.NDArray[np.int32], vocabularies: Mapping[str, Vocabulary]) -> dict[str, str]:
    """Value by column of what is known of one user's [len(USER_PROFILE)] codes."""
    by_column = zip(USER_PROFILE, codes.tolist(), strict=True)
    return {column: vocabularies[column].terms[code - 1] for column, code in by_column if code != OUT_OF_VOCABULARY}


def segment_starts(vocabularies: Mapping[str, Vocabulary]) -> dict[str, int]:
    """First segment of each profile column."""
    sizes = [len(vocabularies[column]) for column in USER_PROFILE]
    return dict(zip(USER_PROFILE, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))


def segments_of(
    profile: npt.NDArray[np.int32], bought: list[Rows], vocabularies: Mapping[str, Vocabulary], popularity: Floats
) -> Segments:
    """Segments from users. profile: [users, len(USER_PROFILE)] codes; bought[i]: distinct rows that user i bought.

    Counts have a Dirichlet prior, whose mean is popularity, the [num_items] buyers among all people (Zhai and Lafferty,
    SIGIR 2001, section 3).
    """
    starts = segment_starts(vocabularies)
    count = sum(len(vocabularies[column]) for column in USER_PROFILE)
    rows = np.full((count, SEGMENT_ITEMS), -1, np.int32)
    buyers = np.zeros((count, SEGMENT_ITEMS), np.float32)
    items = np.concatenate([*bought, np.zeros(0, np.int64)]).astype(np.int64)
    users = np.repeat(np.arange(len(bought)), [len(own) for own in bought])
    buying = max(sum(len(own) > 0 for own in bought), 1)
    columns = max(sum(len(vocabularies[column].terms) > 0 for column in USER_PROFILE), 1)
    prior = popularity * (PRIOR_PEOPLE / columns / buying)
    for at, column in enumerate(USER_PROFILE):
        codes = profile[users, at]
        for code in np.unique(codes):
            counts = np.bincount(items[codes == code], minlength=len(popularity)) + prior
            best = np.argsort(-counts, kind="stable")[:SEGMENT_ITEMS]
            best = best[counts[best] > 0]
            rows[starts[column] + code, : len(best)] = best
            buyers[starts[column] + code, : len(best)] = counts[best]
    return Segments(rows, buyers, starts)
