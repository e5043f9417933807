"""Known users masked as if cold: what models must have seen to answer a profile, a first session or a page.

Models that have learned from users with hundreds of purchases alone do not list staples to somebody with one basket.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from contracts.events.interactions import FreshEvent
from contracts.events.schema import EventType
from contracts.features import encoding, names
from contracts.features.engagements import NO_ENGAGEMENTS, engagements_of
from contracts.features.freshness import apply_events
from contracts.features.history import user_history
from contracts.features.names import ITEM_ID
from contracts.features.vocabulary import Vocabulary
from contracts.ranking.candidates import PRICE_COLUMN
from training.dataset.dataset import Dataset, Moment
from training.settings import TwoTowerSettings

PROFILE: Final = "profile"
SESSION: Final = "session"
PAGE: Final = "page"
KINDS: Final = (PROFILE, SESSION, PAGE)
"""What is known in addition to the profile: nothing, the latest session as posted events, or its items as context."""
SESSION_DAYS: Final = 1 / 24
"""What lies so close to the user's latest event belongs to their latest session."""


@dataclass(frozen=True)
class Session:
    """A user's latest events, latest first; row i of each array is one."""

    codes: npt.NDArray[np.int32]  # catalogue row + 1
    types: npt.NDArray[np.int32]  # places in SEQUENCE_TYPES from 1 on
    seconds: npt.NDArray[np.float64]  # Unix

    def __getitem__(self, part: slice) -> "Session":
        return Session(self.codes[part], self.types[part], self.seconds[part])


def cold_users(moment: Moment, items: Vocabulary, share: float) -> Moment:
    """Copies of about a share of the moment's users, known in turn as each of KINDS and with the id of nobody."""
    rows = np.arange(0, len(moment.user_ids), max(round(1 / share), 1))
    kinds = [KINDS[at % len(KINDS)] for at in range(len(rows))]
    sessions = [_session(moment, row) for row in rows.tolist()]
    posted = [one if kind == SESSION else one[:0] for kind, one in zip(kinds, sessions, strict=True)]
    known = [_features(one, items, moment) for one in posted]
    queries = {name: values[rows] for name, values in moment.queries.items()}
    statistics = encoding.user_statistics({name: [one[name] for one in known] for name in names.USER_STATISTICS})
    queries |= {encoding.USER: np.zeros(len(rows), np.int32), encoding.STATISTICS: statistics}
    return replace(
        moment,
        user_ids=tuple(moment.user_ids[row] for row in rows),
        queries=queries | _sequences(kinds, sessions),
        histories=tuple(user_history({name: one[name] for name in names.HISTORY}, items) for one in known),
        engagements=tuple(
            moment.engagements[row] and engagements_of(one.codes, one.types, one.seconds, moment.seconds)
            for row, one in zip(rows.tolist(), posted, strict=True)
        ),
    )


def _session(moment: Moment, row: int) -> Session:
    """The user's latest session, without items that the catalogue lacks."""
    codes = moment.queries[encoding.SEQUENCE][row]
    days = moment.queries[encoding.SEQUENCE_DAYS][row].astype(np.float64)
    seen = (codes > 0) & (days <= SESSION_DAYS)
    latest = np.concatenate([moment.histories[row].last, (moment.engagements[row] or NO_ENGAGEMENTS).last])
    seconds = latest.max(initial=0.0) - days[seen] * names.DAY_SECONDS
    return Session(codes[seen], moment.queries[encoding.SEQUENCE_TYPES][row][seen], seconds)


def _features(session: Session, items: Vocabulary, moment: Moment) -> Mapping[str, Any]:
    """Features that serving makes of a posted session; items are bought at their usual prices."""
    prices = moment.item_statistics[:, PRICE_COLUMN]
    events = [
        FreshEvent(
            str(at), names.SEQUENCE_TYPES[kind - 1], items.terms[code - 1], round(seconds), None, 1,
            float(prices[code - 1]), 0.0,
        )
        for at, (code, kind, seconds) in enumerate(
            zip(session.codes.tolist(), session.types.tolist(), session.seconds.tolist(), strict=True)
        )
    ]  # fmt: skip
    nobody: dict[str, Any] = dict.fromkeys((*names.USER_STATISTICS, *names.SEQUENCE, *names.HISTORY))
    return apply_events(nobody, events, moment.seconds)


def _sequences(kinds: list[str], sessions: list[Session]) -> encoding.Inputs:
    """The sequence as the query tower reads it; a page's items are read as if they had just been bought."""
    bought = encoding.type_codes([EventType.PURCHASE.value])[0]
    shape = len(sessions), names.SEQUENCE_LENGTH
    codes, types, days = np.zeros(shape, np.int32), np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    for row, (kind, one) in enumerate(zip(kinds, sessions, strict=True)):
        if kind == SESSION:
            codes[row, : len(one.codes)], types[row, : len(one.codes)] = one.codes, one.types
            days[row, : len(one.codes)] = (one.seconds.max(initial=0.0) - one.seconds) / names.DAY_SECONDS
        elif kind == PAGE:
            page = np.array(list(dict.fromkeys(one.codes.tolist())), np.int32)
            codes[row, : len(page)], types[row, : len(page)] = page, bought
    return {encoding.SEQUENCE: codes, encoding.SEQUENCE_TYPES: types, encoding.SEQUENCE_DAYS: days}


def cold_users_of(dataset: Dataset, moment: Moment, settings: TwoTowerSettings) -> Moment:
    """The settings' share of the moment's users, masked as if cold."""
    return cold_users(moment, dataset.vocabularies[ITEM_ID], settings.cold_user_share)
