"""What rules cost: the rows of the table, on the trained slice's lists."""

import pytest

from benchmarks.quality.reranking import Ranked, rows
from contracts.ranking.candidates import item_side
from training.dataset.dataset import Dataset
from training.evaluation.window import window_at
from training.params_file import load_settings
from training.retrieval.embeddings import Embeddings
from training.workspace import Workspace

pytestmark = pytest.mark.tf


def test_a_row_a_rule_with_what_it_costs(trained: Workspace) -> None:
    dataset, embeddings = Dataset(trained), Embeddings(trained.towers)
    settings = load_settings(trained.root / "params.yaml")
    window = window_at(dataset, embeddings, *dataset.timeline.ranker_windows[0], settings, 40)
    items = item_side(dataset.catalogue(window.item_statistics), embeddings.items(window.start), 1)
    by_count = [one.inputs[:, 1] for one in window.candidates]  # any order will do
    lists = Ranked(window, by_count, items)
    found = rows(
        lists, dataset, {"explore": {"explore": {"share": 1.0}}, "cap": {"cap": {"at_most": 1, "per": "category"}}}
    )
    plain, explored, capped = ([cell.strip() for cell in line.split("|")[1:-1]] for line in found)
    assert [plain[0], explored[0], capped[0]] == ["none", "explore", "cap"]
    assert plain[2] == "0.0000 (0.0000 to 0.0000)"
    assert float(explored[1]) < float(plain[1])  # drawn among the best fifty
    assert float(capped[3]) > float(plain[3])
    assert -1 <= float(plain[4]) <= 1
