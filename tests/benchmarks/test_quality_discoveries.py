"""What is new to a user: lists, peers that let purchases fade, and the public logs that the pipeline trains on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("scipy")

from benchmarks.quality.contest import Outcome
from benchmarks.quality.discoveries import Discoveries, discoveries, mean_of
from benchmarks.quality.peers.fading import FadingEase, SimilarUsers, faded
from benchmarks.quality.peers.peer import Peer, Scores
from benchmarks.quality.shop_logs import write_raw
from benchmarks.quality.splits import DataSet, Split
from benchmarks.quality.table import discoveries_table
from contracts.arrays import Rows
from contracts.errors import MissingArtifact


def split() -> Split:
    """User 0 had 3 and chose 3 and 2, user 1 had nothing and chose 0, user 2 had 1 and chose it again."""
    histories = [[np.array([3])], [], [np.array([1])]]
    truths = [np.array([2, 3]), np.array([0]), np.array([1])]
    ages = [np.array([10.0]), np.zeros(0), np.array([70.0])]
    return Split(4, histories, histories, truths, repeats=True, ordered=True, k=2, ages=ages)


class Descending:
    """Item 3 for everybody, then 2, 1 and 0."""

    def fit(self, split: Split) -> None:
        """Learns nothing."""

    def scores(self, users: Rows) -> Scores:
        return np.tile(np.arange(4, dtype=np.float32), (len(users), 1))


def test_lists_and_truths_are_without_what_the_user_had() -> None:
    found = discoveries(Descending(), split())
    assert found is not None
    # User 0: 2 and 1, and 2 was chosen. User 1: 3 and 2, and 0 was chosen. User 2 chose nothing new.
    assert found.recall.tolist() == [1, 0]
    assert found.ndcg.tolist() == [1, 0]
    assert found.warm.tolist() == [True, False]
    assert found.items == 3
    assert mean_of([found, replace(found, recall=found.recall * 0, items=5.0)]).recall.tolist() == [0.5, 0]


def test_sets_without_a_clock_are_not_asked() -> None:
    assert discoveries(Descending(), replace(split(), ages=None)) is None


def test_the_table_has_warm_and_cold_users_apart_and_ours_less_the_others() -> None:
    def outcome(name: str, recall: list[float]) -> Outcome:
        values = np.array(recall)
        new = Discoveries(values, values / 2, np.array([True, False]), 7.0)
        return Outcome(name, {}, [], (0, 0, 0), (0, 0, 0), (0, 0), 1.0, 1.0, 1.0, (values, values), new)

    data = DataSet("a log", ("recall@20", "ndcg@20"), split, split, {})
    lines = list(discoveries_table(data, [outcome("Tandem", [0.6, 0.2]), outcome("EASE", [0.3, 0.2])]))
    assert lines[0].startswith("| new to the user, 2 users | recall@20 | ndcg@20 | 1 warm: recall@20")
    assert ".6000 (.6000 to .6000)" in lines[2] and ".2000 (.2000 to .2000)" in lines[2] and lines[2].endswith("| 7 |")
    assert lines[4].startswith("| Tandem less EASE | .1500 (")
    assert list(discoveries_table(data, [outcome("EASE", [0.3, 0.2])]))[-1].startswith("| EASE |")
    without = replace(outcome("EASE", [0.3, 0.2]), new=None)
    assert list(discoveries_table(data, [without])) == []


def test_the_latest_purchase_fades_with_its_half_life() -> None:
    one = split()
    twice = replace(one, histories=[[np.array([3]), np.array([3])], *one.histories[1:]], ages=[
        np.array([60.0, 30.0]), *(one.ages or [])[1:]
    ])  # fmt: skip
    left = faded(twice, 30.0).toarray()
    assert left[0].tolist() == [0, 0, 0, 0.5]
    assert left[2, 1] == pytest.approx(2 ** (-70 / 30))


@pytest.mark.parametrize("peer", [FadingEase(regularization=1.0), SimilarUsers(neighbours=3)])
def test_peers_that_fade_find_the_hidden_item(peer: Peer) -> None:
    """Users of even number have even items, the others odd ones; user 0 lacks item 4."""
    own = [[np.array([item for item in range(user % 2, 6, 2) if (user, item) != (0, 4)])] for user in range(8)]
    ages = [np.array([1.0])] * 8
    peer.fit(Split(6, own, own, [np.array([4])] * 8, repeats=True, ordered=True, k=1, ages=ages))
    scores = peer.scores(np.array([0]))[0]
    scores[own[0][0]] = -np.inf
    assert int(np.argmax(scores)) == 4


def test_online_retail_is_left_with_purchases_of_products(tmp_path: Path) -> None:
    (tmp_path / "online_retail").mkdir()
    lines = {
        "Invoice": ["1", "C2", "3", "4", "5"],
        "StockCode": ["12345A", "12345A", "POST", "12346", "12347"],
        "Description": [" A mug ", "A mug", "Postage", "A cup", "A jug"],
        "Quantity": [2, -1, 1, 1, 3],
        "InvoiceDate": ["2010-01-01 10:00:00"] * 5,
        "Price": [1.0] * 5,
        "Customer ID": [7.0, 7.0, 7.0, None, 8.0],
        "Country": ["France"] * 5,
    }
    pq.write_table(pa.table(lines), tmp_path / "online_retail" / "invoices.parquet")
    write_raw("online_retail", tmp_path, tmp_path / "raw")
    kept = pq.read_table(tmp_path / "raw" / "interactions.parquet").to_pylist()
    assert [(row["user_id"], row["item_id"], row["quantity"]) for row in kept] == [
        ("7", "12345A", 2),
        ("8", "12347", 3),
    ]
    products = {
        row["item_id"]: row["title"] for row in pq.read_table(tmp_path / "raw" / "products.parquet").to_pylist()
    }
    assert products == {"12345A": "A mug", "12347": "A jug"}


def test_a_like_of_movielens_is_a_purchase_of_its_first_genre(tmp_path: Path) -> None:
    folder = tmp_path / "movielens"
    folder.mkdir()
    pq.write_table(pa.table({"user_id": [1], "movie_id": [2], "timestamp": [946_684_800]}), folder / "likes.parquet")
    films = {"movie_id": ["2"], "title": ["Toy Story"], "genres": ["Animation|Comedy"]}
    pq.write_table(pa.table(films), folder / "products.parquet")
    pq.write_table(pa.table({"user_id": ["1"], "gender": ["F"], "age": ["25"]}), folder / "users.parquet")
    write_raw("movielens", tmp_path, tmp_path / "raw")
    (like,) = pq.read_table(tmp_path / "raw" / "interactions.parquet").to_pylist()
    assert (like["item_id"], like["event_type"], like["event_timestamp"].year) == ("2", "purchase", 2000)
    assert pq.read_table(tmp_path / "raw" / "products.parquet")["category"].to_pylist() == ["Animation"]


def test_a_log_that_is_not_here_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingArtifact, match="There is no movielens below"):
        write_raw("movielens", tmp_path, tmp_path / "raw")
