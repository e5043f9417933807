"""Two sides' lists for the same requests, added up: who gets what else, and what each side's lists are like."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict

from contracts.api.answers import DegradedLevel
from contracts.api.replays import COLD, ReplayedList, ReplayHeader
from contracts.errors import InvalidInput
from monitoring.replay.similarity import overlap, rank_biased_overlap

EXAMPLES: Final = 10


class Part(BaseModel):
    """Base of all parts of the result."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Change(Part):
    """How far the lists of one group of requests changed."""

    lists: int
    users: int
    changed_lists: int  # with another item or another order
    changed_users: int  # with at least one such list
    overlap: float  # mean overlap@k
    rbo: float  # mean rank-biased overlap


class Side(Part):
    """What one side's lists are like, over the requests that both sides answered."""

    bundle_version: str
    refused: int  # requests of all
    empty: int
    shortfalls: int  # lists that are shorter than asked for, empty ones too
    missing: int  # items that those lack
    degraded: int  # lists below the full path, but for users of whom nothing is known
    levels: dict[str, int]
    shown_items: int  # distinct
    coverage: float  # of the catalogue
    places: int  # lengths of all lists together
    new_places: int  # of those with a new item


class Example(Part):
    """One list before and after, by titles."""

    number: int  # of the request
    surface: str
    segments: tuple[str, ...]
    overlap: float
    before: tuple[str, ...]
    after: tuple[str, ...]


class Effect(Part):
    """requests = compared + refused (by either side) + skipped."""

    k: int
    requests: int
    compared: int
    refused: int
    skipped: int  # later pages
    reasons: dict[str, int]  # of refusals, by side and words
    change: Change
    by_surface: dict[str, Change]
    by_segment: dict[str, Change]
    champion: Side
    challenger: Side
    examples: tuple[Example, ...]  # least alike first


@dataclass(frozen=True)
class Latency:
    """Seconds a list on the machine that replayed; no part of Effect, because they differ from run to run."""

    p50: float
    p95: float


@dataclass(frozen=True)
class Answers:
    """One side: header, and the lists in the order of the requests."""

    header: ReplayHeader
    lists: Sequence[ReplayedList]

    def latency(self) -> Latency | None:
        """Median and 95th percentile of the lists that were made; None without one."""
        seconds = [one.seconds for one in self.lists if one.refused is None]
        return Latency(*np.quantile(seconds, (0.5, 0.95)).tolist()) if seconds else None


@dataclass(frozen=True)
class Pair:
    """Both sides' lists for one request, and how alike they are."""

    before: ReplayedList
    after: ReplayedList
    overlap: float
    rbo: float

    @property
    def changed(self) -> bool:
        """Whether another item or another order is shown."""
        return item_ids(self.before) != item_ids(self.after)


def item_ids(shown: ReplayedList) -> list[str]:
    """Best first."""
    return [item.item_id for item in shown.items]


def effect_of(champion: Answers, challenger: Answers, k: int) -> Effect:
    """The comparison. Raises InvalidInput where the sides answered other requests or as of another moment."""
    _require_alike(champion, challenger)
    both = list(zip(champion.lists, challenger.lists, strict=True))
    pairs = [_pair(*lists, k) for lists in both if not any(one.refused for one in lists)]
    if not pairs:
        raise InvalidInput(f"None of the {len(both)} requests was answered by both sides: {_reasons(both)}.")
    return Effect(
        k=k,
        requests=len(both) + champion.header.skipped,
        compared=len(pairs),
        refused=len(both) - len(pairs),
        skipped=champion.header.skipped,
        reasons=_reasons(both),
        change=_change(pairs),
        by_surface=_groups(pairs, lambda pair: (pair.before.surface,)),
        by_segment=_groups(pairs, lambda pair: pair.before.segments),
        champion=_side(champion, [pair.before for pair in pairs]),
        challenger=_side(challenger, [pair.after for pair in pairs]),
        examples=_examples(pairs),
    )


def _require_alike(champion: Answers, challenger: Answers) -> None:
    if len(champion.lists) != len(challenger.lists):
        raise InvalidInput(
            f"The champion has {len(champion.lists)} lists, the challenger {len(challenger.lists)}. Record them anew."
        )
    before, after = champion.header, challenger.header
    if before.requests_sha256 != after.requests_sha256:
        raise InvalidInput(
            "The two sides answered different requests. Record the champion's lists anew from the same --requests."
        )
    if before.moment != after.moment:
        raise InvalidInput(
            f"The champion's lists are as of {before.moment:.0f} and the challenger's of {after.moment:.0f} (Unix "
            "seconds). Record both with the same --at."
        )


def _pair(before: ReplayedList, after: ReplayedList, k: int) -> Pair:
    first, second = item_ids(before), item_ids(after)
    return Pair(before, after, overlap(first, second, k), rank_biased_overlap(first, second))


def _reasons(both: Iterable[tuple[ReplayedList, ReplayedList]]) -> dict[str, int]:
    named = [
        f"{side}: {one.refused}"
        for lists in both
        for side, one in zip(("champion", "challenger"), lists, strict=True)
        if one.refused is not None
    ]
    return dict(Counter(named).most_common())


def _change(pairs: Sequence[Pair]) -> Change:
    return Change(
        lists=len(pairs),
        users=len({pair.before.user for pair in pairs}),
        changed_lists=sum(pair.changed for pair in pairs),
        changed_users=len({pair.before.user for pair in pairs if pair.changed}),
        overlap=float(np.mean([pair.overlap for pair in pairs])),
        rbo=float(np.mean([pair.rbo for pair in pairs])),
    )


def _groups(pairs: Sequence[Pair], names_of: Callable[[Pair], Sequence[str]]) -> dict[str, Change]:
    """By name, the group whose lists changed most first."""
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        for name in names_of(pair):
            groups.setdefault(name, []).append(pair)
    changes = {name: _change(members) for name, members in groups.items()}
    return dict(sorted(changes.items(), key=lambda named: (named[1].overlap, named[0])))


def _side(answers: Answers, lists: Sequence[ReplayedList]) -> Side:
    missing = [one.asked - len(one.items) for one in lists]
    levels = Counter(str(one.level) for one in lists)
    shown = {item.item_id for one in lists for item in one.items}
    return Side(
        bundle_version=answers.header.bundle_version,
        refused=sum(one.refused is not None for one in answers.lists),
        empty=sum(not one.items for one in lists),
        shortfalls=sum(lacking > 0 for lacking in missing),
        missing=sum(missing),
        degraded=sum(one.level is not DegradedLevel.FULL and COLD not in one.segments for one in lists),
        levels=dict(sorted(levels.items())),
        shown_items=len(shown),
        coverage=len(shown) / max(answers.header.num_items, 1),
        places=sum(len(one.items) for one in lists),
        new_places=sum(item.new for one in lists for item in one.items),
    )


def _examples(pairs: Sequence[Pair]) -> tuple[Example, ...]:
    """The changed lists that are least alike, each change once; by number where several are as little alike."""
    changed = sorted((pair for pair in pairs if pair.changed), key=lambda pair: (pair.rbo, pair.before.number))
    distinct = dict[tuple[tuple[str, ...], tuple[str, ...]], Pair]()
    for pair in changed:  # users of whom nothing is known have one list, and it would be shown ten times
        distinct.setdefault((_titles(pair.before), _titles(pair.after)), pair)
    return tuple(
        Example(
            number=pair.before.number,
            surface=pair.before.surface,
            segments=pair.before.segments,
            overlap=pair.overlap,
            before=before,
            after=after,
        )
        for (before, after), pair in list(distinct.items())[:EXAMPLES]
    )


def _titles(shown: ReplayedList) -> tuple[str, ...]:
    return tuple(item.title for item in shown.items)
