"""What counts as chosen: purchases by basket, looks by visit, and what rankers learn from both."""

from typing import Any

import ibis
import numpy as np
import pyarrow as pa

from contracts.events.schema import EventType
from contracts.ranking.inputs import RANKING_FEATURES
from training.dataset.positives import POSITIVE_TYPES, engagements, purchases, thinned
from training.ranking.labelled_lists import BOUGHT, CHOSEN, VIEWED, labelled_lists

# (user, item, type, basket, second)
EVENTS = [
    ("u1", "milk", "view", "s1", 10),
    ("u1", "milk", "purchase", "s1", 20),  # bought in that visit: no look
    ("u1", "bread", "view", "s1", 11),
    ("u1", "bread", "cart_add", "s1", 12),
    ("u1", "bread", "view", "s1", 13),
    ("u1", "milk", "view", "s2", 99),  # bought before
    ("u2", "milk", "view", None, 5),
    ("u2", "milk", "like", None, 6),  # the same quarter hour
    ("u2", "milk", "view", None, 1000),  # the next
    ("u2", "milk", "cart_remove", None, 1001),
    ("u2", None, "search", None, 7),
]


def evidence(events: list[tuple[Any, ...]]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    columns = ("user_id", "item_id", "event_type", "basket_id", "seconds")
    schema = dict.fromkeys(columns[:-1], "string") | {"seconds": "int64"}
    table = ibis.memtable([dict(zip(columns, row, strict=True)) for row in events], schema=schema)
    bought = purchases(table)
    rows = [one.to_pyarrow().to_pylist() for one in (bought, engagements(table, bought))]
    told = ("user_id", "item_id", "seconds", "is_repeat", "type")
    found = [sorted(tuple(row[name] for name in told if name in row) for row in part) for part in rows]
    return found[0], found[1]


def test_a_look_is_the_most_telling_thing_done_in_a_visit_without_a_purchase() -> None:
    bought, looked = evidence(EVENTS)
    assert bought == [("u1", "milk", 20, False)]
    cart, like, view = (POSITIVE_TYPES.index(kind) for kind in (EventType.CART_ADD, EventType.LIKE, EventType.VIEW))
    assert looked == [
        ("u1", "bread", 11, False, cart),
        ("u1", "milk", 99, True, view),
        ("u2", "milk", 5, False, like),
        ("u2", "milk", 1000, False, view),
    ]


def test_a_log_of_purchases_has_no_looks() -> None:
    bought, looked = evidence([("u1", "milk", "purchase", "b1", 1), ("u1", "milk", "purchase", "b2", 2)])
    assert bought == [("u1", "milk", 1, False), ("u1", "milk", 2, True)]
    assert looked == []


def test_more_looks_than_towers_need_are_thinned_and_no_purchase_is() -> None:
    rows = pa.table({"type": pa.array([3, 0, 3, 1, 0, 3, 2], pa.int8()), "at": range(7)})
    assert thinned(rows, 2).column("at").to_pylist() == [0, 1, 4, 6]
    assert thinned(rows, 5) is rows


INPUTS = [np.zeros((3, len(RANKING_FEATURES)), np.float32)] * 2
ROWS = [np.array([4, 5, 6]), np.array([4, 5, 6])]
TRUTHS = [np.array([5]), np.array([9])]
ENGAGED = [[(CHOSEN, np.array([5, 6])), (VIEWED, np.array([4, 6]))], [(VIEWED, np.array([4]))]]


def test_labels_are_the_most_telling_thing_done_to_a_candidate() -> None:
    lists = labelled_lists(INPUTS, ROWS, TRUTHS, ENGAGED)
    assert [label.tolist() for label in lists.labels] == [[VIEWED, BOUGHT, CHOSEN], [VIEWED, 0.0, 0.0]]
    assert lists.num_truths == (1, 1)


def test_lists_are_judged_by_purchases_alone() -> None:
    lists = labelled_lists(INPUTS, ROWS, TRUTHS, ENGAGED)
    first_best = [np.array([0.0, 2.0, 1.0], np.float32)] * 2
    assert lists.ndcg(first_best).tolist() == [1.0, 0.0]


def test_without_looks_lists_are_those_with_a_purchase() -> None:
    assert [label.tolist() for label in labelled_lists(INPUTS, ROWS, TRUTHS).labels] == [[0.0, BOUGHT, 0.0]]
