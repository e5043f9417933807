"""The table that decides: our lists and the baselines on the last days, full catalogue, in one run.

The final list is computed with the exported ONNX ranker, so what is measured is what serves.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from contracts.bundle import RANKER
from contracts.candidates import SOURCES, Shortlist
from contracts.features import ITEM_STATISTICS
from contracts.ranking import UserHistory
from training.artifacts import Embeddings
from training.baselines import personal_frequency, personal_then_popular, top_rows, without
from training.dataset import Dataset
from training.index import FLAT, build_index, search
from training.metrics import RECALL_AT, padded, summary
from training.settings import Settings
from training.steps import REPORT, shortlists
from training.workspace import Workspace, require

Rows = npt.NDArray[np.int64]
LENGTH = max(RECALL_AT)
Table = dict[str, dict[str, float]]


def evaluate(workspace: Workspace, settings: Settings) -> dict[str, Any]:
    """Metrics by table and list; written to metrics.json.

    all_items: every purchase in the test window counts. new_to_user: lists and truths without what the user had ever
    bought before the cutoff. Users without a truth are left out of a table and counted.
    """
    dataset = Dataset(workspace)
    start, end = dataset.timeline.cutoff, dataset.timeline.data_end
    embeddings = Embeddings(require(workspace.towers, "tandem train-towers"))
    moment, bought = dataset.moment(start), dataset.bought(start, end)
    before = dataset.bought(0, start)
    users = [row for row, user in enumerate(moment.user_ids) if user in bought]
    truths = [bought[moment.user_ids[row]] for row in users]
    known = [before.get(moment.user_ids[row], np.zeros(0, np.int64)) for row in users]
    candidates = shortlists(dataset, moment, users, embeddings, settings.ranker, settings.index)
    ranked = [rows for rows, _ in rank_with_scores(candidates, workspace)]
    items = embeddings.items(start)
    depth = LENGTH + max(len(rows) for rows in known)
    queries = embeddings.queries(start)[users]
    # Far deeper than serving asks, so an inverted file's nprobe would cut it off: the towers are judged, not an index.
    nearest = search(
        build_index(items, queries, replace(settings.index, factory=FLAT)), queries, min(depth, len(items))
    )
    histories = [moment.histories[row] for row in users]
    lists = {
        **_baselines(moment.item_statistics, histories, depth),
        "two_tower": list(nearest),
        "final_list": ranked,
    }
    metrics = {
        "test_days": settings.features.test_days,
        "all_items": _table(lists, truths, len(items)),
        "new_to_user": _discovery_table(lists, truths, known, len(items)),
        "candidates": _candidate_recall(candidates, truths),
        **json.loads((workspace.towers / REPORT).read_text()),
        "ranker_losses": json.loads((workspace.ranker / REPORT).read_text())["losses"],
    }
    workspace.metrics.write_text(json.dumps(metrics, indent=2) + "\n")
    return metrics


def rank_with_scores(
    candidates: Sequence[Shortlist], workspace: Workspace
) -> list[tuple[Rows, npt.NDArray[np.float32]]]:
    """(rows, scores) of each user's candidates, best first by the exported ranker."""
    session = onnxruntime.InferenceSession(str(require(workspace.ranker / RANKER, "tandem train-ranker")))
    ordered = []
    for one in candidates:
        (scores,) = session.run(None, {session.get_inputs()[0].name: one.inputs[np.newaxis]})
        order = np.argsort(-scores[0], kind="stable")
        ordered.append((one.rows[order], scores[0][order]))
    return ordered


def _baselines(
    statistics: npt.NDArray[np.float32], histories: Sequence[UserHistory], depth: int
) -> Mapping[str, list[Rows]]:
    popular = top_rows(statistics[:, ITEM_STATISTICS.index("item_purchases_365d")], depth)
    recent = top_rows(statistics[:, ITEM_STATISTICS.index("item_purchases_28d")], depth)
    per_user: dict[str, Callable[[UserHistory], Rows]] = {
        "popularity": lambda _: popular,
        "recent_popularity": lambda _: recent,
        "p_top_freq": personal_frequency,
        "gp_top_freq": lambda history: personal_then_popular(history, popular, depth),
    }
    return {name: [make(history) for history in histories] for name, make in per_user.items()}


def _table(lists: Mapping[str, Sequence[Rows]], truths: Sequence[Rows], num_items: int) -> Table:
    return {
        name: {**summary(padded(rows, LENGTH), truths, num_items), "users": float(len(truths))}
        for name, rows in lists.items()
    }


def _discovery_table(
    lists: Mapping[str, Sequence[Rows]], truths: Sequence[Rows], known: Sequence[Rows], num_items: int
) -> Table:
    new = [without(truth, rows) for truth, rows in zip(truths, known, strict=True)]
    users = [row for row, truth in enumerate(new) if len(truth)]
    # P-TopFreq proposes nothing new, and GP-TopFreq then is popularity.
    discovering = {name: rows for name, rows in lists.items() if not name.endswith("top_freq")}
    return _table(
        {name: [without(rows[row], known[row]) for row in users] for name, rows in discovering.items()},
        [new[row] for row in users],
        num_items,
    )


def _candidate_recall(candidates: Sequence[Shortlist], truths: Sequence[Rows]) -> dict[str, float]:
    """Mean over users of the share of truths among the candidates, for the union and for each source."""
    totals = dict.fromkeys(("union", *SOURCES), 0.0)
    for one, truth in zip(candidates, truths, strict=True):
        totals["union"] += float(np.isin(truth, one.rows).mean())
        for bit, source in enumerate(SOURCES):
            totals[source] += float(np.isin(truth, one.rows[(one.sources >> bit & 1) == 1]).mean())
    means = {f"recall_{name}": total / len(truths) for name, total in totals.items()}
    means["mean_candidates"] = float(np.mean([len(one.rows) for one in candidates]))
    return means


def verdicts(metrics: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """(claim, whether it holds) for each promise a demo makes; stated plainly either way."""
    final, frequency = metrics["all_items"]["final_list"], metrics["all_items"]["gp_top_freq"]
    tower, recent = metrics["new_to_user"]["two_tower"], metrics["new_to_user"]["recent_popularity"]
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
    ]
