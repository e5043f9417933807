"""Users as if nobody had met them, as the ranker learns from them: by hand, and beside what a server makes of them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from contracts import encoding
from contracts import features as names
from contracts.candidates import BASKETS_COLUMN
from contracts.ranking import user_history
from contracts.vocabulary import Vocabulary
from training.artifacts import Embeddings
from training.dataset import Dataset, Moment
from training.settings import Settings, load_settings
from training.steps import ranking_lists, strangers_of
from training.strangers import KINDS, strangers
from training.workspace import Workspace

DAY = 86_400
NOW = 1_000 * DAY
ITEMS = Vocabulary(["bread", "cheese", "milk"])
PURCHASE = encoding.type_codes(["purchase"])[0]
SPEND = names.USER_STATISTICS.index("user_spend_7d")


def moment(users: int) -> Moment:
    """Each user bought milk often, and bread and milk together yesterday."""
    statistics = np.zeros((3, len(names.ITEM_STATISTICS)), np.float32)
    statistics[:, names.ITEM_STATISTICS.index("item_price")] = (2, 9, 1)
    history: dict[str, Any] = {
        names.HISTORY_ITEM_IDS: ["bread", "milk", "cheese"],
        names.HISTORY_COUNTS: [1, 40, 2],
        names.HISTORY_COUNTS_91D: [1, 9, 0],
        names.HISTORY_COUNTS_28D: [1, 3, 0],
        names.HISTORY_FIRST_TIMESTAMPS: [NOW - DAY, NOW - 300 * DAY, NOW - 200 * DAY],
        names.HISTORY_LAST_TIMESTAMPS: [NOW - DAY, NOW - DAY, NOW - 200 * DAY],
    }
    length = names.SEQUENCE_LENGTH
    return Moment(
        seconds=NOW,
        user_ids=tuple(f"u{row}" for row in range(users)),
        queries={
            encoding.USER: np.arange(1, users + 1, dtype=np.int32),
            encoding.PROFILE: np.arange(users * 7, dtype=np.int32).reshape(users, 7),
            encoding.STATISTICS: np.full((users, len(names.USER_STATISTICS)), 40, np.float32),
            encoding.SEQUENCE: np.full((users, length), 3, np.int32),
            encoding.SEQUENCE_TYPES: np.full((users, length), PURCHASE, np.int32),
            encoding.SEQUENCE_DAYS: np.full((users, length), 5, np.float32),
            encoding.HOUR: np.full(users, 24, np.int32),
            encoding.WEEKDAY: np.full(users, 7, np.int32),
        },
        histories=(user_history(history, ITEMS),) * users,
        item_statistics=statistics,
        looks=(None,) * users,
    )


def test_each_kind_is_known_by_what_it_tells_and_by_nothing_else() -> None:
    unmet = strangers(moment(6), ITEMS, 0.5)
    assert unmet.user_ids == ("u0", "u2", "u4")
    assert KINDS == ("profile", "basket", "page")
    queries = unmet.queries
    assert not queries[encoding.USER].any()
    assert queries[encoding.PROFILE].tolist() == moment(6).queries[encoding.PROFILE][::2].tolist()
    # Bread and milk are codes 1 and 3, and were bought at the same second.
    assert queries[encoding.SEQUENCE][:, :3].tolist() == [[0, 0, 0], [1, 3, 0], [1, 3, 0]]
    assert queries[encoding.SEQUENCE_TYPES][2, :3].tolist() == [PURCHASE, PURCHASE, 0]
    assert not queries[encoding.SEQUENCE_DAYS].any()
    assert [len(one) for one in unmet.histories] == [0, 2, 0]
    basket = unmet.histories[1]
    assert (basket.item_rows.tolist(), basket.counts.tolist()) == ([0, 2], [1, 1])
    assert basket.last.tolist() == [NOW - DAY, NOW - DAY]
    statistics = queries[encoding.STATISTICS]
    assert statistics[:, BASKETS_COLUMN].tolist() == [0, 1, 0]
    assert statistics[1, SPEND] == 3  # at the items' usual prices
    assert not statistics[[0, 2]].any()


def test_who_has_bought_nothing_is_a_stranger_without_a_basket() -> None:
    nobody = user_history(dict.fromkeys(names.HISTORY), ITEMS)
    unmet = strangers(replace(moment(3), histories=(nobody,) * 3), ITEMS, 1.0)
    assert not unmet.queries[encoding.SEQUENCE].any()
    assert not unmet.queries[encoding.STATISTICS].any()


@pytest.mark.tf
def test_the_pipelines_ranker_learns_from_strangers_too(trained: Workspace) -> None:
    dataset, embeddings = Dataset(trained), Embeddings(trained.towers)
    settings: Settings = load_settings(trained.root / "params.yaml")
    start, end = dataset.timeline.ranker_windows[0]
    unmet = strangers_of(dataset, dataset.moment(start), settings.two_tower)
    assert len(embeddings.strangers(start)) == len(unmet.user_ids) == -(-len(dataset.moment(start).user_ids) // 5)
    met = ranking_lists(dataset, embeddings, start, end, settings)
    lists = ranking_lists(dataset, embeddings, start, end, settings, unmet=True)
    assert 0 < len(lists) <= len(unmet.user_ids) < len(met)
    without = ranking_lists(dataset, embeddings, start, end, settings, unmet=True, without=unmet.user_ids[:10])
    assert len(without) < len(lists)
