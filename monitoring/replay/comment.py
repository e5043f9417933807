"""The effect in Markdown: a comment on a pull request that is found again by its first line, and a job's summary."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from contracts.outside_text import in_code
from monitoring.replay.effect import Change, Effect, Example, Latency, Side
from monitoring.replay.thresholds import Held, new_share

MARKER: Final = "<!-- tandem replay -->"
"""First line, which GitHub does not show: scripts/renew-comment finds the comment by it."""
SEGMENTS_SHOWN: Final = 12
TITLES_SHOWN: Final = 10
TITLE_LENGTH: Final = 60
LATENCY: Final = "Time of a list here"
"""Begins the one line that differs from run to run."""


def comment(effect: Effect, held: Sequence[Held], champion: Latency | None, challenger: Latency | None) -> str:
    """Markdown of the whole effect; on the same inputs the same text, but for the line of LATENCY."""
    before, after = effect.champion.bundle_version, effect.challenger.bundle_version
    parts = [
        MARKER,
        f"### Effect on lists: `{before}` → `{after}`",
        "",
        *_verdict(held),
        "",
        *_counts(effect),
        "",
        *_sides(effect.champion, effect.challenger, effect.compared),
        "",
        f"{LATENCY}: {_times(champion)} → {_times(challenger)}",
        "",
        *_groups("surface", effect.by_surface, effect.k),
        "",
        *_groups("segment", effect.by_segment, effect.k),
        *_examples(effect.examples),
    ]
    return "\n".join(parts) + "\n"


def _verdict(held: Sequence[Held]) -> Iterator[str]:
    broken = [one for one in held if not one.holds]
    if not broken:
        yield f"**All {len(held)} thresholds hold.**"
        return
    yield f"**{len(broken)} of {len(held)} thresholds do not hold:**"
    yield ""
    yield from (f"- {one.sentence()}" for one in broken)


def _counts(effect: Effect) -> Iterator[str]:
    change = effect.change
    users, lists = change.changed_users / change.users, change.changed_lists / change.lists
    yield (
        f"{change.changed_users:,} of {change.users:,} users ({users:.0%}) get another list, "
        f"{change.changed_lists:,} of {change.lists:,} lists ({lists:.0%}) change. "
        f"Mean overlap@{effect.k} {change.overlap:.3f}, rank-biased overlap {change.rbo:.3f}."
    )
    if effect.refused or effect.skipped:
        yield ""
        yield (
            f"Of {effect.requests:,} requests {effect.refused:,} were refused by a side and {effect.skipped:,} were "
            "for later pages; they are not compared."
        )
        yield from (f"- {count:,} × {code(reason, 200)}" for reason, count in list(effect.reasons.items())[:5])


def _sides(before: Side, after: Side, compared: int) -> Iterator[str]:
    yield "| | champion | challenger |"
    yield "|---|---:|---:|"
    rows = (
        ("empty lists", f"{before.empty:,}", f"{after.empty:,}"),
        ("lists shorter than asked for", _of(before.shortfalls, compared), _of(after.shortfalls, compared)),
        ("items that those lack", f"{before.missing:,}", f"{after.missing:,}"),
        ("degraded lists of known users", _of(before.degraded, compared), _of(after.degraded, compared)),
        ("levels", _levels(before), _levels(after)),
        ("distinct items shown", _covered(before), _covered(after)),
        ("places with new items", f"{new_share(before):.2%}", f"{new_share(after):.2%}"),
    )
    yield from (f"| {name} | {first} | {second} |" for name, first, second in rows)


def _of(count: int, total: int) -> str:
    return f"{count:,} ({count / total:.1%})"


def _levels(side: Side) -> str:
    return ", ".join(f"{level} {count:,}" for level, count in side.levels.items())


def _covered(side: Side) -> str:
    return f"{side.shown_items:,} ({side.coverage:.1%} of the catalogue)"


def _times(latency: Latency | None) -> str:
    return f"p50 {latency.p50 * 1000:.1f} ms, p95 {latency.p95 * 1000:.1f} ms" if latency else "not measured"


def _groups(kind: str, groups: Mapping[str, Change], k: int) -> Iterator[str]:
    yield f"| {kind} | lists | users | users with another list | overlap@{k} | RBO |"
    yield "|---|---:|---:|---:|---:|---:|"
    for name, change in list(groups.items())[:SEGMENTS_SHOWN]:
        changed = _of(change.changed_users, change.users)
        figures = f"{change.lists:,} | {change.users:,} | {changed} | {change.overlap:.3f} | {change.rbo:.3f}"
        yield f"| {code(name)} | {figures} |"
    if (left := len(groups) - SEGMENTS_SHOWN) > 0:
        yield ""
        yield f"{left} more changed as little or less; `--json` has all."


def _examples(examples: Sequence[Example]) -> Iterator[str]:
    if not examples:
        return
    yield ""
    yield f"<details><summary>The {len(examples)} lists that changed most</summary>"
    for one in examples:
        yield ""
        who = ", ".join(one.segments)
        yield f"**Request {one.number}** on {code(one.surface)}, {code(who, 200)}: overlap {one.overlap:.0%}"
        yield ""
        yield "| place | before | after |"
        yield "|---:|---|---|"
        for place in range(min(TITLES_SHOWN, max(len(one.before), len(one.after)))):
            before, after = _title(one.before, place), _title(one.after, place)
            yield f"| {place + 1} | {before} | {'=' if before == after else after} |"
    yield ""
    yield "</details>"


def _title(titles: Sequence[str], place: int) -> str:
    return code(titles[place]) if place < len(titles) else "–"


def code(text: str, length: int = TITLE_LENGTH) -> str:
    """A code span with at most this number of characters."""
    return in_code(text if len(text) <= length else f"{text[: length - 1]}…")
