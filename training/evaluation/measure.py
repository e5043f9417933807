"""The figures of one bundle on the test window alone: seconds, where the whole evaluation takes minutes."""

from pathlib import Path
from typing import Any, Final

from training.dataset.dataset import Dataset
from training.evaluation.evaluate import tables_and_gate
from training.evaluation.window import lists_of, window_at
from training.ranking.scoring import rank_with_scores
from training.ranking.without_history import as_served
from training.retrieval.embeddings import Embeddings
from training.settings import Settings
from training.workspace import Workspace, require

COUNTED: Final = "counted"
"""Name of the list that a ranker of counts makes of the same candidates."""


def measured(workspace: Workspace, settings: Settings, counted_ranker: Path | None = None) -> dict[str, Any]:
    """The tables all_items and new_to_user, and the gate, as `evaluate` has them.

    counted_ranker: folder with a second ranker, whose list stands in the tables under the name COUNTED.
    """
    dataset = Dataset(workspace)
    timeline = dataset.timeline
    embeddings = Embeddings(require(workspace.towers, "tandem train-towers"))
    test = window_at(dataset, embeddings, timeline.cutoff, timeline.data_end, settings, with_unseen=True)
    lists = lists_of(
        test,
        as_served(rank_with_scores(test.candidates, workspace.ranker), test.without_history),
        embeddings.neighbours(timeline.cutoff),
    )
    if counted_ranker is not None:
        counted = rank_with_scores(test.candidates, counted_ranker)
        lists = {**lists, COUNTED: as_served(counted, test.without_history)}
    return {"test_days": settings.features.test_days, **tables_and_gate(workspace, test, lists, timeline.cutoff)}
