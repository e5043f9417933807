"""Rolling origin: every label window is a test window once, for a ranker that has seen only the windows before it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from contracts.arrays import Rows
from training.dataset.dataset import Dataset
from training.evaluation.slices import of_cold_items, of_discoveries, of_repeats, with_intervals
from training.evaluation.window import EvaluationWindow, Lists, lists_of, window_at
from training.progress import Progress
from training.ranking.scoring import rank_with_scores
from training.ranking.without_history import as_served
from training.retrieval.embeddings import Embeddings
from training.settings import Settings
from training.workspace import Workspace

BACKTEST_USERS: Final = 10_000
"""Of each window, at most: candidates of 8,000 users take a gigabyte."""


def backtest(
    workspace: Workspace, dataset: Dataset, embeddings: Embeddings, settings: Settings, progress: Progress
) -> list[dict[str, Any]]:
    """One entry for each label window but the first, oldest first, by the ranker that had learned from all before it.

    The towers have seen nothing after the first window starts; the release's towers were trained further.
    """
    entries, windows = list[dict[str, Any]](), dataset.timeline.ranker_windows
    for learned_from, (start, end) in enumerate(windows[1:], 1):
        window = window_at(dataset, embeddings, start, end, settings, BACKTEST_USERS)
        ranked = rank_with_scores(window.candidates, workspace.judged_ranker(learned_from))
        entries.append(window_entry(window, as_served(ranked, window.without_history), learned_from))
        progress(learned_from, len(windows) - 1, "earlier windows")
    return entries


def window_entry(window: EvaluationWindow, ranked: Sequence[Rows], learned_from: int) -> dict[str, Any]:
    """Tables of one window, for JSON. learned_from: the number of label windows that the ranker was trained on."""
    lists = lists_of(window, ranked)
    parts: Mapping[str, tuple[Lists, Sequence[Rows]]] = {
        "all_items": (lists, window.truths),
        "repeats": of_repeats(window, lists),
        "new_to_user": of_discoveries(window, lists),
        "cold_items": of_cold_items(window, lists),
    }
    return {
        "start": _day(window.start),
        "end": _day(window.end),
        "users": len(window.user_ids),
        "label_windows": learned_from,
        **{name: with_intervals(*part) for name, part in parts.items()},
    }


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
