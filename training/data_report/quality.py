"""What ingest kept and dropped, and what the profiles leave open."""

import pandas as pd
from ibis import _

from contracts.events.schema import ITEM_COLUMNS, USER_COLUMNS
from training.data_report.event_log import EventLog
from training.data_report.words import number, percent, reason
from training.ingest.report import IngestReport
from training.pages.figures import MAIN, SECOND, figure, lying_bars
from training.pages.section import Chart, Section


def measure_known(log: EventLog) -> pd.Series:
    """Share of the rows with a value, by "users: column" and "items: column"."""
    shares: dict[str, float] = {}
    for name, table, columns in (("user", log.users, USER_COLUMNS), ("item", log.items, ITEM_COLUMNS)):
        # A column that ingest of an earlier version did not write is not known either.
        present = [column for column in columns if column in table.columns and column != f"{name}_id"]
        found = table.agg(rows=_.count(), **{column: table[column].count() for column in present}).execute().iloc[0]
        shares |= {f"{name}: {reason(column)}": found[column] / max(found["rows"], 1) for column in present}
    return pd.Series(shares, dtype="float64")


def quality_section(report: IngestReport, known: pd.Series) -> Section:
    """The ingest report in people's words."""
    return Section(
        "Data quality",
        charts=[*([_dropped(report)] if report.events_dropped else []), _known(known)],
        rows=[*_rows(report), *_named(known)],
        note=" ".join(report.notices),
    )


def _rows(report: IngestReport) -> list[tuple[str, str]]:
    tables = [
        (f"rows of {table} dropped: {reason(name)}", number(rows))
        for table, dropped in report.profiles_dropped.items()
        for name, rows in dropped.items()
    ]
    return [
        ("events in", number(report.events_in)),
        *((f"dropped: {reason(name)}", number(rows)) for name, rows in report.events_dropped.items()),
        ("events kept", f"{number(report.events_kept)} ({percent(report.events_kept / report.events_in)})"),
        ("users", number(report.users)),
        ("users without any profile", number(report.users_without_profile)),
        ("users with events, not in the users table", number(report.users_not_in_table)),
        ("items in the catalogue", number(report.items)),
        ("items without events", number(report.items_without_events)),
        *tables,
    ]


def _named(known: pd.Series) -> list[tuple[str, str]]:
    """Columns that are no bar of the chart, by name."""
    kinds = {"columns known of every row": known == 1, "columns known of no row": known == 0}
    return [(kind, ", ".join(known.index[chosen])) for kind, chosen in kinds.items() if chosen.any()]


def _dropped(report: IngestReport) -> Chart:
    reasons = sorted(report.events_dropped.items(), key=lambda pair: -pair[1])
    name, rows = reasons[0]
    takeaway = (
        f"{percent(report.events_kept / report.events_in)} of the events were kept; the most frequent reason to drop "
        f"one is “{reason(name)}” ({number(rows)})."
    )
    traces = [lying_bars([reason(name) for name, _rows in reasons], [rows for _name, rows in reasons], colour=SECOND)]
    drawn = figure(traces, x="events dropped", height=90 + 30 * len(reasons))
    drawn.update_yaxes(autorange="reversed")
    return Chart(takeaway, drawn)


def _known(known: pd.Series) -> Chart:
    full, empty = int((known == 1).sum()), int((known == 0).sum())
    takeaway = (
        f"Of {len(known)} profile columns, {full} are known of every row and {empty} of none; the others are shown."
    )
    partly = known[(known > 0) & (known < 1)].sort_values(ascending=False)
    traces = [lying_bars(list(partly.index), 100 * partly, colour=MAIN, hovertemplate="%{x:.1f} %<extra></extra>")]
    drawn = figure(traces, x="% of the rows with a value", height=90 + 26 * max(len(partly), 1))
    drawn.update_yaxes(autorange="reversed")
    drawn.update_xaxes(range=[0, 100])
    return Chart(takeaway, drawn)
