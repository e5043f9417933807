"""The evaluation: our lists and the baselines on the last days and earlier windows, full catalogue, in one run.

The final list is computed with the exported ONNX ranker, so what is measured is what serves.
"""

import json
from collections.abc import Mapping
from typing import Any

from contracts.arrays import Doubles
from contracts.bundle.files import CURRENT
from training.dataset.dataset import Dataset
from training.evaluation.backtest import backtest, window_entry
from training.evaluation.calibration import calibration
from training.evaluation.candidate_recall import candidate_recall, simple_union_recall
from training.evaluation.gate import (
    FINAL_LIST,
    GATED,
    best_simple,
    champion_at,
    comparisons,
    losses,
    passed,
    write_values,
)
from training.evaluation.list_names import named
from training.evaluation.related import reasons_held, related_recall
from training.evaluation.slices import Values, at_lengths, by_history, by_segment, of_discoveries, values_of
from training.evaluation.window import LENGTH, EvaluationWindow, Lists, lists_of, unseen_list, window_at
from training.metrics.ranking_metrics import padded, summary
from training.progress import Progress
from training.ranking.scoring import rank_with_scores
from training.ranking.without_history import as_served
from training.retrieval.embeddings import Embeddings
from training.settings import Settings
from training.workspace import REPORT, Workspace, require

Table = dict[str, dict[str, float]]


def evaluate(workspace: Workspace, settings: Settings, progress: Progress) -> dict[str, Any]:
    """Metrics by table and list; written to metrics.json.

    all_items: every purchase in the test window counts. new_to_user: lists and truths without what the user had ever
    bought before the cutoff, the final list as a request with include_seen=false gets it. Users without a truth are
    left out of a table and counted.
    """
    dataset = Dataset(workspace)
    timeline = dataset.timeline
    embeddings = Embeddings(require(workspace.towers, "tandem train-towers"))
    ranker = json.loads(require(workspace.ranker / REPORT, "tandem train-ranker").read_text())
    test = window_at(dataset, embeddings, timeline.cutoff, timeline.data_end, settings, with_unseen=True)
    with_scores = rank_with_scores(test.candidates, workspace.ranker)
    ranked = as_served(with_scores, test.without_history)
    lists = lists_of(test, ranked, embeddings.neighbours(timeline.cutoff))
    related = embeddings.related(timeline.cutoff)
    judged = tables_and_gate(workspace, test, lists, timeline.cutoff)
    simple = best_simple(judged["all_items"])
    shown = {name: lists[name] for name in (simple, FINAL_LIST)}  # where all would be too wide
    earlier = backtest(workspace, dataset, embeddings, settings, progress)
    metrics = {
        "test_days": settings.features.test_days,
        "target": timeline.target.value,
        **judged,
        "candidates": {
            **candidate_recall(test.candidates, test.truths),
            **simple_union_recall(test, settings.ranker.num_candidates),
        },
        "backtest": [*earlier, window_entry(test, ranked, len(timeline.ranker_windows))],
        "by_history": by_history(test, lists),
        "by_segment": by_segment(test, shown),
        "at_lengths": at_lengths(shown, test.truths),
        "calibration": calibration(with_scores, test.truths),
        "related": related_recall(dataset, related, embeddings.neighbours(timeline.cutoff)),
        "reasons": reasons_held(test, ranked, related, dataset.catalogue(test.item_statistics)),
        **json.loads((workspace.towers / REPORT).read_text()),
        "ranker": {name: ranker[name] for name in ("model", "validation_ndcg@20", "unseen") if name in ranker},
        "ranker_losses": ranker["losses"],
    }
    workspace.metrics.write_text(json.dumps(metrics, indent=2) + "\n")
    return metrics


def tables_and_gate(workspace: Workspace, window: EvaluationWindow, lists: Lists, cutoff: int) -> dict[str, Any]:
    """The tables all_items and new_to_user, and the gate; keeps the final list's value of each user for the next gate.

    What is new to a user is judged by the list that a request with include_seen=false gets.
    """
    discovering = {**lists, FINAL_LIST: unseen_list(window, workspace)}
    discoveries, new = of_discoveries(window, discovering)
    values, of_new = values_of(lists, window.truths), values_of(discoveries, new)
    gated = gated_values(values)
    write_values(workspace.evaluation, window.user_ids, gated[FINAL_LIST])
    champion = champion_at(workspace.bundles / CURRENT)
    return {
        "all_items": table_of(lists, values, window.num_items),
        "new_to_user": table_of(discoveries, of_new, window.num_items),
        "gate": comparisons(gated, gated_values(of_new), window.user_ids, cutoff, champion),
    }


def gated_values(values: Mapping[str, Values]) -> dict[str, Doubles]:
    """[users] of the metric that the gate asks, by list."""
    return {name: own[GATED] for name, own in values.items()}


def table_of(lists: Lists, values: Mapping[str, Values], num_items: int) -> Table:
    """Means over users of each list's metrics, and how many users; empty without users."""
    return {
        name: {**summary(padded(lists[name], LENGTH), own, num_items), "users": float(len(own[GATED]))}
        for name, own in values.items()
    }


def verdicts(metrics: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """(what was found, whether that is as promised) for each promise of a demo and for the gate: true either way.

    Nothing is said of what is new to a user where nobody bought such a thing.
    """
    lost = losses(metrics["gate"])
    return [
        _beats_simple(metrics, "all_items", "all items"),
        *([_beats_simple(metrics, "new_to_user", "items new to the user")] if metrics["new_to_user"] else []),
        *((one, False) for one in lost),
        *([] if lost else [(passed(metrics["gate"]), True)]),
    ]


def _beats_simple(metrics: Mapping[str, Any], part: str, items: str) -> tuple[str, bool]:
    """The final list compared with the best list that needs no model."""
    table = metrics[part]
    final, simple = table[FINAL_LIST][GATED], best_simple(table)
    other = table[simple][GATED]
    beats = "beats" if final > other else "does not beat"
    words = f"the final list {beats} {named(simple)}, the best list without a model, on {items}"
    return f"{words}: NDCG@20 {final:.4f} against {other:.4f}", final > other
