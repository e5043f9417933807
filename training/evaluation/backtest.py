"""Rolling origin: every label window is a test window once, for a ranker that has seen only the windows before it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from contracts.arrays import Floats, Rows
from training.evaluation.slices import of_cold_items, of_discoveries, of_repeats, with_intervals
from training.evaluation.window import Lists, Origin, lists_of, ordered
from training.progress import Progress
from training.ranking.labelled_lists import LabelledLists, joined, labelled_lists
from training.ranking.models import train
from training.settings import RankerSettings


def labelled(origin: Origin) -> LabelledLists:
    """The origin's candidates as a ranker learns from them."""
    candidates = origin.candidates
    inputs, rows = [one.inputs for one in candidates], [one.rows for one in candidates]
    return labelled_lists(inputs, rows, origin.truths, origin.looks)


def backtest(
    origins: Sequence[Origin], latest: Sequence[Floats], kind: str, settings: RankerSettings, progress: Progress
) -> list[dict[str, Any]]:
    """One entry an origin but the first, oldest first, by a ranker of this kind trained on the origins before it.

    latest: scores of the last origin's candidates, entry i [k_i], by such a ranker: the choice of kind has left one.
    The towers have seen nothing after the first origin: those of the release were trained on, so theirs are better.
    """
    windows, scores = [labelled(origin) for origin in origins[:-2]], list[Sequence[Floats]]()
    for at, origin in enumerate(origins[1:-1], 1):
        ranker, _ = train(kind, joined(windows[:at]), settings, progress)
        scores.append(ranker.scores([one.inputs for one in origin.candidates]))
    judged = zip(origins[1:], [*scores, latest], strict=True) if len(origins) > 1 else ()
    return [window_entry(origin, ordered(origin, own), at) for at, (origin, own) in enumerate(judged, 1)]


def window_entry(origin: Origin, ranked: Sequence[Rows], windows: int) -> dict[str, Any]:
    """Tables of one window, for JSON. windows: how many label windows the ranker has learned from."""
    lists = lists_of(origin, ranked)
    parts: Mapping[str, tuple[Lists, Sequence[Rows]]] = {
        "all_items": (lists, origin.truths),
        "repeats": of_repeats(origin, lists),
        "new_to_user": of_discoveries(origin, lists),
        "cold_items": of_cold_items(origin, lists),
    }
    return {
        "start": _day(origin.start),
        "end": _day(origin.end),
        "users": len(origin.user_ids),
        "label_windows": windows,
        **{name: with_intervals(*part) for name, part in parts.items()},
    }


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
