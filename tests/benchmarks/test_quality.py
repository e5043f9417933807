"""The harness of benchmarks/quality on sets small enough to see: splits, metrics, search, table, peers."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.quality.contest import Outcome, _outcome
from benchmarks.quality.discoveries import Discoveries
from benchmarks.quality.entrants import ENTRANTS, Entrant
from benchmarks.quality.metrics import interval, per_user
from benchmarks.quality.peers.peer import Peer, counts, top_lists
from benchmarks.quality.peers.simple import Ease, GpTopFreq, ItemKnn, Popularity
from benchmarks.quality.peers.tifu_knn import TifuKnn
from benchmarks.quality.public_sets import beauty, gowalla, tafeng
from benchmarks.quality.sets import READERS
from benchmarks.quality.splits import DataSet, Split, shortened
from benchmarks.quality.table import (
    differences,
    figures,
    header,
    oracle_shares,
    published_rows,
    row,
    slices_table,
    verdicts,
)
from contracts.errors import MissingArtifact

NOBODY = np.zeros(0), np.zeros(0)


def checkerboard() -> Split:
    """Even users take even items, odd users odd ones; each lacks one item of its colour, which is the truth."""
    histories, truths = [], []
    for user in range(20):
        own = np.arange(user % 2, 20, 2)
        hidden = own[user // 2 % len(own)]
        histories.append([np.array([item]) for item in own if item != hidden])
        truths.append(np.array([hidden]))
    return Split(20, histories, histories, truths, repeats=False, ordered=False, k=1)


@pytest.mark.parametrize("peer", [ItemKnn(5, 1.0), Ease(1.0), Ease(1.0, max_items=19)], ids=str)
def test_peers_that_learn_from_others_find_the_hidden_item(peer: Peer) -> None:
    split = checkerboard()
    peer.fit(split)
    recall, _ = per_user(top_lists(peer, split, counts(split, binary=True)), split.truths, split.k)
    assert recall.mean() >= (0.9 if getattr(peer, "max_items", 20) < 20 else 1.0)


def test_factorisations_find_the_hidden_item() -> None:
    pytest.importorskip("implicit", reason="the extra `quality` is not installed; make bench-quality installs it")
    split = checkerboard()
    for name in ("implicit iALS", "implicit BPR"):
        (entrant,) = (one for one in ENTRANTS["beauty"] if one.name == name)
        peer = entrant.build(**{**entrant.grid[0], "factors": 4, "seed": 1})
        peer.fit(split)
        recall, _ = per_user(top_lists(peer, split, counts(split, binary=True)), split.truths, split.k)
        assert recall.mean() > 0.5  # one of eleven at random


@pytest.mark.parametrize("peer", [GpTopFreq(), TifuKnn(neighbours=1), TifuKnn(), Popularity()], ids=str)
def test_peers_of_baskets_repeat_what_is_bought_often(peer: Peer) -> None:
    often, once = [np.array([3, 4])] * 3, [np.array([5])]
    histories = [once + often] * 3
    split = Split(8, histories, histories, [np.array([3])] * 3, repeats=True, ordered=True, k=2)
    peer.fit(split)
    lists = top_lists(peer, split, counts(split, binary=True))
    assert [sorted(row) for row in lists.tolist()] == [[3, 4]] * 3


@pytest.mark.parametrize("peer", [ItemKnn(5, 0.0), Ease(1.0), Popularity()], ids=str)
def test_weights_are_fitted_to_what_may_be_learned_and_asked_with_all_that_is_known(peer: Peer) -> None:
    pair, other = [np.array([0]), np.array([1])], [np.array([2])]
    histories = [pair, pair, [np.array([0])], [*other, np.array([3])]]
    split = Split(4, histories, [pair, pair, [], other], [np.array([1])] * 4, repeats=False, ordered=True, k=1)
    peer.fit(split)
    scores = peer.scores(np.array([2]))[0]
    assert scores[1] == scores[[1, 2, 3]].max() > 0  # user 2 is known by item 0, though nothing was learned from it
    assert scores[3] <= 0  # item 3 is in a history that nothing may be learned from


def test_what_a_user_has_is_left_out_where_nothing_repeats() -> None:
    split = checkerboard()
    peer = Popularity()
    peer.fit(split)
    for user, rows in enumerate(top_lists(peer, replace(split, k=5), counts(split, binary=True))):
        assert not np.isin(rows, np.concatenate(split.histories[user])).any()


@pytest.mark.parametrize("peer", [ItemKnn(5, 0.0), Ease(1.0), TifuKnn(neighbours=1)], ids=str)
def test_a_user_of_whom_a_peer_knows_nothing_has_what_was_popular_lately(peer: Peer) -> None:
    """Item 0 was in three baskets long ago, item 1 in two of the last weeks."""
    histories = [[np.array([0]), np.array([1, 2])], [np.array([0]), np.array([1])], [np.array([0])], []]
    ages = [np.array([90.0, 2.0]), np.array([90.0, 3.0]), np.array([90.0]), np.zeros(0)]
    truths = [np.array([2])] * 4
    split = Split(3, histories, histories, truths, repeats=True, ordered=True, k=2, ages=ages)
    peer.fit(split)
    assert top_lists(peer, split, counts(split, binary=True))[3].tolist() == [1, 2]
    timeless = replace(split, ages=None)
    assert top_lists(peer, timeless, counts(split, binary=True))[3].tolist() == [0, 1]


def test_recall_and_ndcg_are_those_done_by_hand() -> None:
    recall, ndcg = per_user(np.array([[7, 8, -1]]), [np.array([8, 9])], 3)
    assert recall.tolist() == [0.5]
    # One hit at place two: 1/log₂ 3, over the ideal of two hits, 1 + 1/log₂ 3.
    assert ndcg[0] == pytest.approx((1 / np.log2(3)) / (1 + 1 / np.log2(3)))


def test_an_interval_holds_the_mean_and_narrows_with_more_users() -> None:
    values = np.random.default_rng(2).random(50)
    mean, low, high = interval(values)
    assert low < mean < high
    _, few_low, few_high = interval(values[:10])
    assert high - low < few_high - few_low


def data_set(test: Split | None = None) -> DataSet:
    return DataSet(
        "Board", ("recall@1", "ndcg@1"), checkerboard, lambda: test or checkerboard(), {"others": (0.5, 0.25)},
        ((0.5, 0.5), (0.9, 1.1)),
    )  # fmt: skip


def test_validation_chooses_and_test_is_asked_once_a_seed() -> None:
    asked: list[tuple[bool, Any]] = []
    test = replace(checkerboard(), num_items=21)

    class Listening(ItemKnn):
        def __init__(self, neighbours: int, seed: int) -> None:
            super().__init__(neighbours, 1.0)
            self.seed = seed

        def fit(self, split: Split) -> None:
            asked.append((split.num_items == 21, self.seed))
            super().fit(split)
            if self.neighbours == 1:  # a choice that learns nothing
                self._similar = self._similar * 0

    entrant = Entrant("listening", Listening, [{"neighbours": 1}, {"neighbours": 9}], (4, 5, 6))
    outcome = _outcome(lambda: data_set(test), entrant, smoke=False)
    assert outcome.chosen == {"neighbours": 9}
    assert [choice["neighbours"] for choice, *_ in outcome.trials] == [1, 9]
    assert asked == [(False, 4), (False, 4), (True, 4), (True, 5), (True, 6)]
    assert outcome.recall[0] == 1.0
    assert outcome.spread == (0.0, 0.0)


def test_a_smoke_run_tries_one_choice_on_the_first_users() -> None:
    entrant = Entrant("kNN", ItemKnn, [{"neighbours": 3}, {"neighbours": 9}])
    outcome = _outcome(data_set, entrant, smoke=True)
    assert outcome.trials == []
    assert outcome.chosen == {"neighbours": 3}
    assert len(shortened(checkerboard(), 3).users) == 3


def test_the_table_has_published_figures_in_a_column_of_their_own() -> None:
    ours = Outcome(
        "Tandem", {}, [({}, 0.1, 0.1)], (0.6, 0.5, 0.7), (0.4, 0.3, 0.5), (0.01, 0.02), 3.0, 2.0, 100.0, NOBODY
    )
    assert header(data_set()).startswith("| Board | recall@1 | ndcg@1 |")
    assert row(ours) == (
        "| Tandem | .6000 (.5000 to .7000) | .4000 (.3000 to .5000) | .0100 / .0200 | 2 | 1 trials, 3 s | 100 | |"
    )
    assert list(published_rows(data_set())) == ["| others | | | | | | | .5000 / .2500 |"]
    assert [line.rsplit(": ", 1)[1] for line in verdicts(data_set(), ours)] == ["must reached", "NOT REACHED"]
    assert list(verdicts(replace(data_set(), bounds=None), ours)) == []


def test_figures_of_a_result_file_are_those_of_the_table() -> None:
    new = Discoveries(np.array([0.2, 0.4]), np.array([0.0, 0.1]), np.array([True, False]), 7.0)
    ours = Outcome("Tandem", {}, [], (0.6, 0.5, 0.7), (0.4, 0.3, 0.5), (0.01, 0.02), 3.0, 2.0, 100.0, NOBODY, new)
    assert figures(data_set(), [ours])["Tandem"] == {
        "recall@1": 0.6, "recall@1_low": 0.5, "recall@1_high": 0.7, "recall@1_spread": 0.01,
        "ndcg@1": 0.4, "ndcg@1_low": 0.3, "ndcg@1_high": 0.5, "ndcg@1_spread": 0.02, "seconds": 2.0,
        "new_recall@1": pytest.approx(0.3), "new_ndcg@1": pytest.approx(0.05), "new_items_shown": 7.0,
    }  # fmt: skip


def test_a_result_file_has_shares_of_the_oracle_and_ours_less_each_other() -> None:
    ones, halves = np.ones(4), np.full(4, 0.5)
    ours = Outcome("Tandem", {}, [], (1.0, 1.0, 1.0), (0.5, 0.5, 0.5), (0, 0), 3.0, 2.0, 100.0, (ones, halves))
    peer = replace(ours, name="EASE", ndcg=(0.25, 0.2, 0.3), of_users=(halves, halves))
    oracle = replace(ours, name="oracle", ndcg=(1.0, 1.0, 1.0))
    measured = figures(data_set(), [ours, peer, oracle])
    assert [measured[name]["share_of_the_oracle"] for name in ("Tandem", "EASE", "oracle")] == [0.5, 0.25, 1.0]
    assert measured["Tandem less EASE"] == {
        "recall@1": 0.5, "recall@1_low": 0.5, "recall@1_high": 0.5,
        "ndcg@1": 0.0, "ndcg@1_low": 0.0, "ndcg@1_high": 0.0,
    }  # fmt: skip
    assert "Tandem less oracle" not in measured


def test_a_second_table_has_the_first_figure_by_slice_and_what_could_be() -> None:
    sliced = replace(
        data_set(), slices=lambda _: {"first ten": np.arange(10)}, reachable=lambda split: {"all": np.ones(20)}
    )
    values = np.repeat([1.0, 0.5], 10)
    ours = Outcome("Tandem", {}, [], (0.6, 0.5, 0.7), (0.4, 0.3, 0.5), (0.0, 0.0), 3.0, 2.0, 100.0, (values, values))
    assert list(slices_table(sliced, [ours])) == [
        "| recall@1 | all, 20 users | first ten, 10 users |",
        "|---|---|---|",
        "| Tandem | .7500 | 1.0000 |",
        "| all | 1.0000 | 1.0000 |",
    ]
    assert list(slices_table(data_set(), [ours])) == []


def test_a_set_may_have_figures_of_its_own() -> None:
    own = replace(data_set(), figures=lambda lists, truths, k: (np.full(len(truths), 0.25), np.ones(len(truths))))
    outcome = _outcome(lambda: own, Entrant("popularity", Popularity), smoke=False)
    assert outcome.recall == (0.25, 0.25, 0.25)
    assert [own.tolist() for own in outcome.of_users] == [[0.25] * 20, [1.0] * 20]


def test_items_beyond_the_most_popular_take_no_part() -> None:
    split = checkerboard()
    peer = ItemKnn(5, 1.0, max_items=4)
    peer.fit(split)
    assert ((peer.scores(split.users) > 0).sum(axis=0) > 0).sum() <= 4


def test_ours_is_compared_with_each_other_user_by_user() -> None:
    """Two rows whose intervals overlap, as users differ, and a difference that is the same for every user."""
    own = np.linspace(0.2, 0.8, 20)
    rows = {"Tandem": (own, own), "kNN": (own - 0.01, own + 0.02), "oracle": (own, own)}
    outcomes = [
        Outcome(name, {}, [], (0.5, 0.4, 0.6), (0.5, 0.4, 0.6), (0.0, 0.0), 3.0, 2.0, 100.0, of_users)
        for name, of_users in rows.items()
    ]
    assert list(differences(data_set(), outcomes)) == [
        "| Tandem less | recall@1 | ndcg@1 |",
        "|---|---|---|",
        "| kNN | .0100 (.0100 to .0100) | -.0200 (-.0200 to -.0200) |",
    ]
    assert list(differences(data_set(), outcomes[1:])) == []
    assert list(differences(data_set(), outcomes[::2])) == []


def test_shares_of_the_oracle_are_told_where_it_was_asked() -> None:
    known = replace(data_set(), oracle_share=(0.8, 0.9))
    figures = {"popularity": 0.1, "Tandem": 0.17, "oracle": 0.2}
    outcomes = [
        Outcome(name, {}, [], (0.6, 0.5, 0.7), (ndcg, 0.0, 1.0), (0.0, 0.0), 3.0, 2.0, 100.0, NOBODY)
        for name, ndcg in figures.items()
    ]
    assert list(oracle_shares(known, outcomes)) == [
        "popularity, Board: share of the oracle's ndcg@1 .5000",
        "Tandem, Board: share of the oracle's ndcg@1 .8500, must .8000, aim .9000: must reached",
    ]
    assert list(oracle_shares(known, outcomes[:2])) == list(oracle_shares(data_set(), outcomes)) == []


def test_every_set_has_entrants_with_names_of_their_own() -> None:
    assert set(ENTRANTS) == set(READERS)
    for entrants in ENTRANTS.values():
        assert len({entrant.name for entrant in entrants}) == len(entrants)


def write(path: Path, **columns: list[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def test_gowalla_hides_training_items_for_validation_and_nothing_for_test(tmp_path: Path) -> None:
    write(tmp_path / "gowalla" / "train.parquet", user=[0] * 200 + [1] * 100, item=list(range(200)) + list(range(100)))
    write(tmp_path / "gowalla" / "test.parquet", user=[1], item=[150])
    data = gowalla(tmp_path)
    test, validation = data.test(), data.validation()
    assert test.users.tolist() == [1]
    assert len(test.histories[0]) == 200
    hidden = set(validation.truths[0].tolist())
    assert 5 < len(hidden) < 40
    assert hidden.isdisjoint(np.concatenate(validation.histories[0]).tolist())


def test_beauty_is_fitted_without_both_held_out_items_and_asked_with_all_before(tmp_path: Path) -> None:
    write(tmp_path / "beauty" / "sequences.parquet", user_id=[1] * 4, pos=[3, 0, 1, 2], item_id=[40, 10, 20, 30])
    data = beauty(tmp_path)
    test, validation = data.test(), data.validation()
    assert [int(basket[0]) for basket in test.histories[0]] == [9, 19, 29]
    assert test.truths[0].tolist() == [39]
    assert validation.truths[0].tolist() == [29]
    assert [int(basket[0]) for basket in validation.histories[0]] == [9, 19]
    assert [int(basket[0]) for basket in test.learned[0]] == [9, 19]


def test_tafeng_keeps_baskets_in_order_with_each_item_once(tmp_path: Path) -> None:
    write(
        tmp_path / "tafeng" / "baskets.parquet",
        user_id=[5, 5, 5, 5, 6], basket_no=[2, 1, 1, 3, 1], item_id=[70, 80, 80, 90, 70],
    )  # fmt: skip
    test, validation = tafeng(tmp_path).test(), tafeng(tmp_path).validation()
    assert [basket.tolist() for basket in test.histories[0]] == [[1], [0]]
    assert test.truths[0].tolist() == [2]
    assert len(test.histories) == 1  # user 6 has one basket: nothing to learn from and be asked about
    assert validation.truths[0].tolist() == [0]


@pytest.mark.server
def test_a_set_that_is_not_here_is_skipped_with_a_message(tmp_path: Path) -> None:
    with pytest.raises(MissingArtifact, match="TANDEM_BENCHMARKS"):
        gowalla(tmp_path).test()
    command = [sys.executable, "-m", "benchmarks.quality", "--data", "tafeng", "--folder", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "tafeng is skipped: " in ended.stderr
    assert ended.stdout == ""


@pytest.mark.server
def test_the_command_prints_a_table(tmp_path: Path) -> None:
    write(
        tmp_path / "tafeng" / "baskets.parquet",
        user_id=[1] * 4 + [2] * 4, basket_no=[1, 2, 3, 4] * 2, item_id=list(range(8)),
    )  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.quality", "--data", "tafeng", "--only", "popularity", "--smoke"]
    kept = tmp_path / "figures"
    command += ["--folder", str(tmp_path), "--json", str(kept)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads((kept / "tafeng.json").read_text())["popularity"].keys() >= {"recall@10", "ndcg@10", "seconds"}
    assert "| Ta-Feng, next basket | recall@10 |" in ended.stdout
    assert "| popularity | " in ended.stdout
    assert "| TIFU-KNN, another preprocessing | | | | | | | .1301 / .1011 |" in ended.stdout
