"""Cold users as the ranker learns from them: by hand, and compared with what a server makes of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from contracts.features import encoding, names
from contracts.features.engagements import engagements_of
from contracts.features.history import user_history
from contracts.features.vocabulary import Vocabulary
from contracts.ranking.candidates import BASKETS_COLUMN
from training.dataset.cold_users import KINDS, cold_users, cold_users_of
from training.dataset.dataset import Dataset, Moment
from training.params_file import load_settings
from training.ranking.train import ranking_lists
from training.retrieval.embeddings import Embeddings
from training.settings import Settings
from training.workspace import Workspace

DAY = 86_400
NOW = 1_000 * DAY
ITEMS = Vocabulary(["bread", "cheese", "milk"])
VIEW, PURCHASE = encoding.type_codes(["view", "purchase"]).tolist()
SPEND = names.USER_STATISTICS.index("user_spend_7d")
VIEWS = names.USER_STATISTICS.index("user_views_7d")


def moment(users: int) -> Moment:
    """Each user bought milk often; yesterday bread and milk together, minutes after a look at cheese."""
    statistics = np.zeros((3, len(names.ITEM_STATISTICS)), np.float32)
    statistics[:, names.ITEM_STATISTICS.index("item_price")] = (2, 9, 1)
    history: dict[str, Any] = {
        names.HISTORY_ITEM_IDS: ["bread", "milk"],
        names.HISTORY_COUNTS: [1, 40],
        names.HISTORY_COUNTS_91D: [1, 9],
        names.HISTORY_COUNTS_28D: [1, 3],
        names.HISTORY_FIRST_TIMESTAMPS: [NOW - DAY, NOW - 300 * DAY],
        names.HISTORY_LAST_TIMESTAMPS: [NOW - DAY, NOW - DAY],
    }
    sequence, types, days = [1, 3, 2, 3], [PURCHASE, PURCHASE, VIEW, PURCHASE], [0, 0, 600 / DAY, 7]
    seconds = NOW - DAY - np.array(days) * DAY
    engagements = engagements_of(np.array(sequence, np.int32), np.array(types, np.int32), seconds, NOW)

    def padded(values: Sequence[float], kind: type) -> npt.NDArray[Any]:
        row: npt.NDArray[Any] = np.zeros(names.SEQUENCE_LENGTH, kind)
        row[: len(values)] = values
        return np.tile(row, (users, 1))

    return Moment(
        seconds=NOW,
        user_ids=tuple(f"u{row}" for row in range(users)),
        queries={
            encoding.USER: np.arange(1, users + 1, dtype=np.int32),
            encoding.PROFILE: np.arange(users * 7, dtype=np.int32).reshape(users, 7),
            encoding.STATISTICS: np.full((users, len(names.USER_STATISTICS)), 40, np.float32),
            encoding.SEQUENCE: padded(sequence, np.int32),
            encoding.SEQUENCE_TYPES: padded(types, np.int32),
            encoding.SEQUENCE_DAYS: padded(days, np.float32),
            encoding.HOUR: np.full(users, 24, np.int32),
            encoding.WEEKDAY: np.full(users, 7, np.int32),
        },
        histories=(user_history(history, ITEMS),) * users,
        item_statistics=statistics,
        engagements=(engagements,) * users,
    )


def test_each_kind_is_known_by_what_it_tells_and_by_nothing_else() -> None:
    cold = cold_users(moment(6), ITEMS, 0.5)
    assert cold.user_ids == ("u0", "u2", "u4")
    assert KINDS == ("profile", "session", "page")
    queries = cold.queries
    assert not queries[encoding.USER].any()
    assert queries[encoding.PROFILE].tolist() == moment(6).queries[encoding.PROFILE][::2].tolist()
    # Bread and milk are codes 1 and 3, the cheese is 2.
    assert queries[encoding.SEQUENCE][:, :4].tolist() == [[0, 0, 0, 0], [1, 3, 2, 0], [1, 3, 2, 0]]
    types = queries[encoding.SEQUENCE_TYPES][:, :4].tolist()
    assert types == [[0, 0, 0, 0], [PURCHASE, PURCHASE, VIEW, 0], [PURCHASE, PURCHASE, PURCHASE, 0]]
    days = queries[encoding.SEQUENCE_DAYS]
    assert days[1, :4] == pytest.approx([0, 0, 600 / DAY, 0], rel=1e-4)
    assert not days[[0, 2]].any()
    assert [len(one) for one in cold.histories] == [0, 2, 0]
    bought = cold.histories[1]
    assert (bought.item_rows.tolist(), bought.counts.tolist()) == ([0, 2], [1, 1])
    assert bought.last.tolist() == [NOW - DAY, NOW - DAY]
    assert [one is not None and one.item_rows.tolist() for one in cold.engagements] == [[], [1], []]
    statistics = queries[encoding.STATISTICS]
    assert statistics[:, BASKETS_COLUMN].tolist() == [0, 1, 0]
    assert statistics[1, SPEND] == 3  # at the items' usual prices
    assert statistics[1, VIEWS] == 1
    assert not statistics[[0, 2]].any()


def test_who_has_bought_nothing_is_a_stranger_without_a_session() -> None:
    nobody = user_history(dict.fromkeys(names.HISTORY), ITEMS)
    empty = {encoding.SEQUENCE: np.zeros((3, names.SEQUENCE_LENGTH), np.int32)}
    known = moment(3)
    cold = cold_users(
        replace(known, queries=known.queries | empty, histories=(nobody,) * 3, engagements=(None,) * 3), ITEMS, 1.0
    )
    assert not cold.queries[encoding.SEQUENCE].any()
    assert not cold.queries[encoding.STATISTICS].any()


@pytest.mark.tf
def test_the_pipelines_ranker_learns_from_strangers_too(trained: Workspace) -> None:
    dataset, embeddings = Dataset(trained), Embeddings(trained.towers)
    settings: Settings = load_settings(trained.root / "params.yaml")
    start, end = dataset.timeline.ranker_windows[0]
    cold = cold_users_of(dataset, dataset.moment(start), settings.two_tower)
    assert len(embeddings.cold_users(start)) == len(cold.user_ids) == -(-len(dataset.moment(start).user_ids) // 5)
    known = ranking_lists(dataset, embeddings, start, end, settings)
    lists = ranking_lists(dataset, embeddings, start, end, settings, cold=True)
    assert 0 < len(lists) <= len(cold.user_ids) < len(known)
    without = ranking_lists(dataset, embeddings, start, end, settings, cold=True, without=cold.user_ids[:10])
    assert len(without) < len(lists)
