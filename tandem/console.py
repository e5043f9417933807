"""What commands print: progress, tables and errors, in one style."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from training.batch.propensity import Buyers
    from training.ingest.report import IngestReport

# Text from outside is never markup: a column may be called [user_id], a category [/b]. What is styled is a Text.
console = Console(markup=False)
errors = Console(stderr=True, markup=False)

LINE_SECONDS = 30.0
"""Between two lines on the progress of long work, where no bar can be drawn."""
COLUMNS = {
    "recall@20": "Rec@20",
    "recall@100": "Rec@100",
    "ndcg@20": "NDCG@20",
    "precision@5": "Prec@5",
    "coverage@20": "Cover@20",
}
TABLE_TITLES = {"all_items": "All items", "new_to_user": "Items new to the user"}


@contextmanager
def working(title: str) -> Iterator["Work"]:
    """A progress line while the block runs, a done line with the seconds after it.

    Where the output is not a terminal, a line every half minute says how far the work is.
    """
    work = Work(title)
    with _bar(work) if console.is_terminal else _lines(work):
        yield work
    console.print(Text("✓", "green"), title, Text(f"({work.seconds:.0f} s)", "dim"), highlight=False)


@contextmanager
def _bar(work: "Work") -> Iterator[None]:
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task(work.title, total=None)
        work.show = lambda: progress.update(task, completed=work.done, total=work.total, description=work.description)
        yield


@contextmanager
def _lines(work: "Work") -> Iterator[None]:
    over = threading.Event()

    def say() -> None:
        while not over.wait(LINE_SECONDS):
            console.print(f"  {work.description}{work.counted} ({work.seconds:.0f} s)", highlight=False, soft_wrap=True)

    teller = threading.Thread(target=say, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


class Work:
    """Progress of one command."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.description = title
        self.done = 0
        self.total: int | None = None
        self.show: Callable[[], None] = lambda: None
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @property
    def counted(self) -> str:
        """How many steps of how many, where they are counted."""
        return f", {self.done:,} of {self.total:,}" if self.total else ""

    def steps(self, done: int, total: int, what: str) -> None:
        """done of total, of what."""
        self.done, self.total, self.description = done, total, f"{self.title}: {what}"
        self.show()

    def note(self, what: str) -> None:
        """What is being worked on, where steps cannot be counted."""
        self.description = f"{self.title}: {what}"
        self.show()


def ingest_table(report: "IngestReport") -> None:
    """Prints rows in, kept and dropped by reason, and the notices of the source."""
    table = Table(title=f"Data quality · {report.adapter}", show_header=False)
    table.add_row("events in", f"{report.events_in:,}")
    for reason, rows in report.events_dropped.items():
        table.add_row(f"dropped: {reason.replace('_', ' ')}", f"{rows:,}")
    for name, reasons in report.profiles_dropped.items():
        for reason, rows in reasons.items():
            table.add_row(f"{name.replace('_', ' ')} dropped: {reason.replace('_', ' ')}", f"{rows:,}")
    table.add_row(Text("events kept", "bold"), Text(f"{report.events_kept:,}", "bold"))
    table.add_row("users (without profile)", f"{report.users:,} ({report.users_without_profile:,})")
    more = {
        "users with events, not in the users table": report.users_not_in_table,
        **{f"{name}: further rows of the same id": rows for name, rows in report.repeats_folded.items()},
        "exact copies kept": report.exact_copies_kept,
        "suppressed: events of people who were erased": report.events_suppressed,
        "suppressed: their rows of the users table": report.users_suppressed,
        "units returned": report.units_returned,
    }
    for what, rows in more.items():
        if rows:
            table.add_row(what, f"{rows:,}")
    table.add_row("items (without events)", f"{report.items:,} ({report.items_without_events:,})")
    table.add_row("from, to (UTC)", f"{report.first_event[:16]}, {report.last_event[:16]}")
    console.print(table)
    for notice in report.notices:
        console.print(Text(notice, "dim"), highlight=False)
    for warning in report.warnings:
        console.print(Text("note:", "yellow"), warning, highlight=False, soft_wrap=True)


def metrics_tables(metrics: Mapping[str, Any], named: Callable[[str], str]) -> None:
    """Prints the evaluation as one table for all items and one for items new to the user; named: a list in words."""
    for name, title in TABLE_TITLES.items():
        rows = metrics[name]
        if not rows:
            console.print(f"{title}: no user has any in the last {metrics['test_days']} days, so no list is measured.")
            continue
        users = int(next(iter(rows.values()))["users"])
        table = Table(title=f"{title}: last {metrics['test_days']} days, {users:,} users, full catalogue")
        table.add_column("list")  # gives way where the screen is narrow: a figure that is cut off says nothing
        best = {column: max(row[column] for row in rows.values()) for column in COLUMNS}
        for header in COLUMNS.values():
            table.add_column(header, justify="right", no_wrap=True)
        for key, row in rows.items():
            cells = [Text(f"{row[c]:.4f}", "bold" if row[c] == best[c] else "") for c in COLUMNS]
            table.add_row(named(key), *cells)
        console.print(table)


def propensity_tables(buyers: "Buyers", horizon_days: int, asked: int) -> None:
    """Prints what the choice of users is worth: order and calibration on held-out snapshots, then who was chosen."""
    report = buyers.report
    title = f"Buyers within {horizon_days} days: {report.users:,} users at {report.snapshots} later snapshots"
    table = Table(title=f"{title}, {report.buyers:.1%} of them bought")
    table.add_column("order of users", no_wrap=True)
    for column in ("AUC", *(f"bought, of the first {cut:,}" for cut in next(iter(report.rankings.values())).precision)):
        table.add_column(column, justify="right")
    for name, ranking in report.rankings.items():
        table.add_row(name, f"{ranking.auc:.3f}", *(f"{share:.1%}" for share in ranking.precision.values()))
    console.print(table)
    for name in report.as_good:
        console.print(f"  {name}: as good an order as the model's on these snapshots, and simpler", highlight=False)
    bins = Table(title=f"Calibration: expected error {report.calibration_error:.3f}")
    for column in ("users", "predicted", "bought"):
        bins.add_column(column, justify="right")
    for one in report.bins:
        bins.add_row(f"{one.cases:,}", f"{one.predicted:.1%}", f"{one.observed:.1%}")
    console.print(bins)
    chosen, expected = len(buyers.user_ids), float(buyers.probabilities.sum())
    if chosen < asked:
        console.print(f"  {asked:,} users were asked for and the data has {chosen:,}: all of them are listed")
    console.print(f"  {chosen:,} users, of whom {expected:,.0f} are expected to buy", highlight=False)


def verdict_lines(verdicts: list[tuple[str, bool]]) -> None:
    """Prints what was found of each promise, and whether it passed."""
    for found, holds in verdicts:
        mark = Text("passed:", "green") if holds else Text("failed:", "red")
        console.print(mark, found, highlight=False, soft_wrap=True)
