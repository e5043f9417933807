"""What is odd about a readable log, and its consequences: one sentence each."""

from collections.abc import Iterator
from datetime import date
from itertools import pairwise

import ibis
import pyarrow as pa
from ibis import _

from contracts.events.schema import EventType
from training.ingest.values.moment_text import EPOCH
from training.target import TARGETS

APART_DAYS = 7
APART_SHARE = 0.01
"""The last events are astray when this few of all lie behind a gap of this many days, far longer than any other gap."""
EARLY = date(1990, 1, 1)


def oddities(events: ibis.Table) -> Iterator[str]:
    """One sentence for each odd thing about the kept events."""
    days = events.group_by(day=_.event_timestamp.date()).agg(rows=_.count(), **_targets()).order_by("day")
    table: pa.Table = days.to_pyarrow()
    if table.num_rows == 0:
        return
    dates: list[date] = table.column("day").to_pylist()
    rows: list[int] = table.column("rows").to_pylist()
    there = [kind.value for kind in TARGETS if any(table.column(kind.value).to_pylist())]
    if EventType.PURCHASE.value not in there:
        yield "There is no purchase in the log, which is what models learn from. " + (
            "Unless params.yaml says already which event stands for it, say so there under features: "
            f"`target: {there[0]}`."
            if there
            else f"Nor is there an event that could stand for it: {', '.join(TARGETS[1:])}."
        )
    if dates[-1] < EARLY:
        yield f"The last event is of {dates[-1]}. If times are whole numbers, check `epoch_unit` in the mapping file."
    yield from _zero_times(events, dates[0], sum(rows))
    yield from _stray_end(dates, rows)


def _zero_times(events: ibis.Table, first: date, total: int) -> Iterator[str]:
    if first != EPOCH.date():
        return
    rows = events.filter(_.event_timestamp == ibis.literal(EPOCH)).count().execute()
    if rows:
        yield (
            f"{rows:,} of {total:,} events have the time {EPOCH:%Y-%m-%dT%H:%M}, which is a computer's 0. If it stands "
            "for an unknown time, leave these rows out of the file: they count as of long ago."
        )


def _targets() -> dict[str, ibis.Deferred]:
    """How many events of each type models could learn from."""
    return {kind.value: (_.event_type == kind.value).cast("int64").sum() for kind in TARGETS}


def _stray_end(dates: list[date], rows: list[int]) -> Iterator[str]:
    total, behind = sum(rows), 0
    gaps = [(later - earlier).days for earlier, later in pairwise(dates)]
    for at in range(len(gaps) - 1, -1, -1):
        behind += rows[at + 1]
        if behind > max(APART_SHARE * total, 1):
            return
        usual = max(gaps[:at], default=0)
        if gaps[at] >= APART_DAYS and gaps[at] > 3 * usual:
            yield (
                f"The last {behind:,} of {total:,} events lie {gaps[at]} days after all others, from {dates[at + 1]} "
                f"on; those end on {dates[at]}. The test window is counted back from the last event: it would hold "
                f"next to nothing. If these dates are slips, leave them out: `last_day: '{dates[at]}'` under ingest in "
                "params.yaml."
            )
            return
