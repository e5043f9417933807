"""Rolling origin: every label window is a test window once, for a ranker that has seen only the windows before it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from contracts.arrays import Floats, Rows
from training.evaluation.slices import of_cold_items, of_discoveries, of_repeats, with_intervals
from training.evaluation.window import EvaluationWindow, Lists, lists_of, ordered
from training.progress import Progress
from training.ranking.labelled_lists import LabelledLists, joined, labelled_lists
from training.ranking.models import train
from training.settings import RankerSettings


def labelled(window: EvaluationWindow) -> LabelledLists:
    """The window's candidates as a ranker learns from them."""
    candidates = window.candidates
    inputs, rows = [one.inputs for one in candidates], [one.rows for one in candidates]
    return labelled_lists(inputs, rows, window.truths, window.engagements)


def backtest(
    windows: Sequence[EvaluationWindow],
    latest: Sequence[Floats],
    kind: str,
    settings: RankerSettings,
    progress: Progress,
) -> list[dict[str, Any]]:
    """One entry for each window but the first, oldest first, by a ranker of this kind trained on all earlier windows.

    latest: scores of the last window's candidates, entry i [k_i]. Its ranker was trained when the kind was chosen.
    The towers have seen nothing after the first window starts; the release's towers were trained further.
    """
    lists, scores = [labelled(window) for window in windows[:-2]], list[Sequence[Floats]]()
    for at, window in enumerate(windows[1:-1], 1):
        ranker, _ = train(kind, joined(lists[:at]), settings, progress)
        scores.append(ranker.scores([one.inputs for one in window.candidates]))
    judged = zip(windows[1:], [*scores, latest], strict=True) if len(windows) > 1 else ()
    return [window_entry(window, ordered(window, own), at) for at, (window, own) in enumerate(judged, 1)]


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
