"""What decides: our lists and the baselines on the last days and on earlier windows, full catalogue, in one run.

The final list is computed with the exported ONNX ranker, so what is measured is what serves.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from contracts.arrays import Floats, Rows
from contracts.bundle import RANKER
from contracts.candidates import Shortlist
from contracts.promotions import CURRENT
from training.artifacts import Embeddings
from training.backtest import backtest, window_entry
from training.calibration import calibration
from training.candidate_recall import candidate_recall, simple_union_recall
from training.dataset import Dataset
from training.gate import FINAL_LIST, GATED, champion_at, comparisons, losses, write_values
from training.metrics import padded, summary
from training.origin import LENGTH, Lists, lists_of, origin_at
from training.settings import Settings
from training.slices import at_lengths, by_history, by_segment, of_discoveries, values_of
from training.steps import REPORT
from training.two_tower import Progress
from training.workspace import Workspace, require

Table = dict[str, dict[str, float]]
BACKTEST_USERS = 10_000
"""Of each earlier window, at most: all windows' candidates are in memory at once, a gigabyte for 8,000 users."""
SHOWN = ("gp_top_freq", FINAL_LIST)  # where a table of all would be too wide


def evaluate(workspace: Workspace, settings: Settings, progress: Progress) -> dict[str, Any]:
    """Metrics by table and list; written to metrics.json.

    all_items: every purchase in the test window counts. new_to_user: lists and truths without what the user had ever
    bought before the cutoff. Users without a truth are left out of a table and counted.
    """
    dataset = Dataset(workspace)
    timeline = dataset.timeline
    embeddings = Embeddings(require(workspace.towers, "tandem train-towers"))
    ranker = json.loads(require(workspace.ranker / REPORT, "tandem train-ranker").read_text())
    test = origin_at(dataset, embeddings, timeline.cutoff, timeline.data_end, settings)
    with_scores = rank_with_scores(test.candidates, workspace.ranker)
    ranked = [rows for rows, _ in with_scores]
    lists = lists_of(test, ranked)
    shown = {name: lists[name] for name in SHOWN}
    values = values_of(lists, test.truths)
    gated = {name: own[GATED] for name, own in values.items()}
    write_values(workspace.evaluation, test.user_ids, gated[FINAL_LIST])
    earlier = [
        origin_at(dataset, embeddings, start, end, settings, BACKTEST_USERS) for start, end in timeline.ranker_windows
    ]
    latest = exported_scores(earlier[-1].candidates, workspace.judged_ranker) if len(earlier) > 1 else []
    windows = backtest(earlier, latest, ranker["model"], settings.ranker, progress)
    metrics = {
        "test_days": settings.features.test_days,
        "all_items": _table(lists, test.truths, test.num_items),
        "new_to_user": _table(*of_discoveries(test, lists), test.num_items),
        "candidates": {
            **candidate_recall(test.candidates, test.truths),
            **simple_union_recall(test, settings.ranker.num_candidates),
        },
        "backtest": [*windows, window_entry(test, ranked, len(earlier))],
        "by_history": by_history(test, lists),
        "by_segment": by_segment(test, shown),
        "at_lengths": at_lengths(shown, test.truths),
        "calibration": calibration(with_scores, test.truths),
        "gate": comparisons(gated, test.user_ids, timeline.cutoff, champion_at(workspace.bundles / CURRENT)),
        **json.loads((workspace.towers / REPORT).read_text()),
        "ranker": {"model": ranker["model"], "validation_ndcg@20": ranker["validation_ndcg@20"]},
        "ranker_losses": ranker["losses"],
    }
    workspace.metrics.write_text(json.dumps(metrics, indent=2) + "\n")
    return metrics


def rank_with_scores(candidates: Sequence[Shortlist], ranker: Path) -> list[tuple[Rows, Floats]]:
    """(rows, scores) of each user's candidates, best first by the ranker that was exported to a folder."""
    ordered = []
    for one, scores in zip(candidates, exported_scores(candidates, ranker), strict=True):
        order = np.argsort(-scores, kind="stable")
        ordered.append((one.rows[order], scores[order]))
    return ordered


def exported_scores(candidates: Sequence[Shortlist], ranker: Path) -> list[Floats]:
    """[k_i] scores of each user's candidates in their order, by the ranker that was exported to a folder.

    Raises MissingArtifact where there is none.
    """
    session = onnxruntime.InferenceSession(str(require(ranker / RANKER, "tandem train-ranker")))
    name = session.get_inputs()[0].name
    return [session.run(None, {name: one.inputs[np.newaxis]})[0][0] for one in candidates]


def _table(lists: Lists, truths: Sequence[Rows], num_items: int) -> Table:
    return {
        name: {**summary(padded(rows, LENGTH), truths, num_items), "users": float(len(truths))}
        for name, rows in lists.items()
    }


def verdicts(metrics: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """(claim, whether it holds) for each promise a demo makes and for the gate; stated plainly either way."""
    final, frequency = metrics["all_items"][FINAL_LIST], metrics["all_items"]["gp_top_freq"]
    tower, recent = metrics["new_to_user"]["two_tower"], metrics["new_to_user"]["recent_popularity"]
    lost = losses(metrics["gate"])
    rivals = ", ".join(name.replace("_", " ") for name in metrics["gate"]["rivals"])
    return [
        (
            f"final list beats GP-TopFreq on all items, NDCG@20 {final['ndcg@20']:.4f} against "
            f"{frequency['ndcg@20']:.4f}",
            final["ndcg@20"] > frequency["ndcg@20"],
        ),
        (
            f"two-tower beats last-28-day popularity on items new to the user, Recall@20 {tower['recall@20']:.4f} "
            f"against {recent['recall@20']:.4f}",
            tower["recall@20"] > recent["recall@20"],
        ),
        (f"final list loses beyond the interval to none of {rivals}" + "".join(f"; {one}" for one in lost), not lost),
    ]
