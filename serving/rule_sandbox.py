"""What a change of the rules would do to lists that were really asked for: a dry run, nothing is shown or recorded."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from contracts.api.records import ImpressionRecord, impression_records
from contracts.api.requests import RecommendationRequest
from contracts.errors import InvalidInput
from serving.recommendation.answer import Listed
from serving.recommender import Recommender


@dataclass
class Touched:
    """What one rule does in the proposed lists."""

    lists: int = 0
    items: int = 0  # that it moved, passed over, or denied where they would be shown


@dataclass
class DryRun:
    """Totals over all replayed requests."""

    requests: int = 0
    skipped: int = 0  # later pages, and requests that this bundle refuses
    changed: int = 0  # lists with another item or another order
    entered: int = 0  # items that only the proposed lists show
    left: int = 0  # items that only the current lists show
    moved: int = 0  # items in both, at another position
    positions: int = 0  # that those moved, up or down, in sum
    shortfalls: int = 0  # lists that are shorter than with the current rules
    by_rule: dict[str, Touched] = field(default_factory=dict)

    def add(self, current: Listed, proposed: Listed) -> None:
        """Counts one request's two lists."""
        before = {item: at for at, item in enumerate(current.item_ids)}
        after = {item: at for at, item in enumerate(proposed.item_ids)}
        shifts = [abs(after[item] - before[item]) for item in before.keys() & after.keys()]
        self.requests += 1
        self.changed += current.item_ids != proposed.item_ids
        self.entered += len(after.keys() - before.keys())
        self.left += len(before.keys() - after.keys())
        self.moved += sum(shift > 0 for shift in shifts)
        self.positions += sum(shifts)
        self.shortfalls += len(after) < len(before)
        for rule in proposed.rules_in_force:
            acted = sum(rule in rules for rules in proposed.rules_of_items) + proposed.passed_over.get(rule, 0)
            if rule in proposed.denied:
                acted += int(proposed.denied[rule][current.rows].sum())
            touched = self.by_rule.setdefault(rule, Touched())
            touched.items += acted
            touched.lists += acted > 0


def dry_run(requests: Iterable[RecommendationRequest | None], current: Recommender, proposed: Recommender) -> DryRun:
    """Both recommenders' lists for each request, compared; None stands for a record that cannot be replayed."""
    done = DryRun()
    for request in requests:
        if request is None:
            done.skipped += 1
            continue
        try:
            done.add(current.listed(request), proposed.listed(request))
        except InvalidInput:  # a category that the bundle of that time had and today's lacks
            done.skipped += 1
    return done


def recorded_requests(path: Path, limit: int | None = None) -> Iterator[RecommendationRequest | None]:
    """The latest requests of an impression log, oldest first; None for a later page, which rules see as the first.

    Raises MissingArtifact where there is no log, and InvalidInput naming the line that cannot be read.
    """
    for record, asked in recorded_lists(path, limit):
        yield None if record.page_offset else asked


def recorded_lists(path: Path, limit: int | None = None) -> Iterator[tuple[ImpressionRecord, RecommendationRequest]]:
    """The latest records of an impression log, oldest first, each with the request that it answered. Raises alike."""
    records = list(impression_records(path))
    for number, record in records[-limit:] if limit else records:
        if isinstance(record, str):
            raise InvalidInput(f"{path}, line {number}, is not an impression record: {record}")
        try:
            asked = request_of(record)
        except (ValidationError, TypeError) as error:
            raise InvalidInput(f"{path}, line {number}, is not an impression record: {error}") from error
        yield record, asked


def request_of(record: ImpressionRecord) -> RecommendationRequest:
    """What a recorded list answered. Raises ValidationError or TypeError for something that is not a request."""
    return RecommendationRequest(user_id=record.user_id, **{"n": len(record.item_ids) or 10, **record.request})


def would_show(shown: Sequence[str], order: Sequence[str]) -> list[bool]:
    """Whether a policy with this order of items would have shown each item at its place, given the items above it."""
    shows = []
    for place, item in enumerate(shown):
        above = set(shown[:place])
        shows.append(item == next((best for best in order if best not in above), None))
    return shows
