"""The data report: what was ingested, as one page for people."""

from pathlib import Path

import ibis

from training.data_report.activity import measure_activity, season_section, volume_section
from training.data_report.baskets import Baskets, measure_baskets, size_section, value_section
from training.data_report.cold_start import cold_start_section, measure_cold_start
from training.data_report.event_log import EventLog, read_event_log
from training.data_report.funnel import funnel_section, measure_funnel
from training.data_report.long_tail import LongTail, measure_long_tail, tail_section
from training.data_report.quality import measure_known, quality_section
from training.data_report.repeats import Repeats, gap_section, measure_repeats, repeat_section
from training.data_report.rfm import measure_buyers
from training.data_report.segments import cluster_section, segment_section
from training.data_report.sessions import measure_sessions, session_chart
from training.data_report.words import day_of, money, number, percent, written
from training.pages.page import render
from training.pages.section import KeyFigure
from training.workspace import Workspace


def data_report(workspace: Workspace, connection: ibis.BaseBackend) -> Path:
    """The path of the page.

    Raises MissingArtifact where nothing was ingested and DataRejected where no event was kept.
    """
    page = workspace.reports / "data.html"
    written_page = render_data_report(read_event_log(workspace, connection))
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(written_page, encoding="utf-8")
    return page


def render_data_report(log: EventLog) -> str:
    """The page as HTML."""
    activity = measure_activity(log)
    baskets = measure_baskets(log) if log.lines else None
    repeats = measure_repeats(log) if log.lines else None
    buyers = measure_buyers(log) if log.lines else None
    tail = measure_long_tail(log)
    sessions = measure_sessions(log)
    sections = [
        volume_section(activity),
        season_section(activity, log.report.time_zone),
        size_section(baskets, session_chart(sessions) if sessions else None),
        value_section(baskets),
        funnel_section(measure_funnel(log), log),
        repeat_section(repeats),
        gap_section(repeats),
        tail_section(tail),
        segment_section(buyers),
        cluster_section(buyers),
        cold_start_section(measure_cold_start(log)),
        quality_section(log.report, measure_known(log)),
    ]
    return render(f"Data report · {log.report.adapter}", _about(log), _keys(log, baskets, repeats, tail), sections)


def _about(log: EventLog) -> str:
    first, last = day_of(log.first_day), day_of(log.last_day)
    return f"{written(first)} to {written(last)}, local time of {log.report.time_zone}."


def _keys(log: EventLog, baskets: Baskets | None, repeats: Repeats | None, tail: LongTail) -> list[KeyFigure]:
    report, days = log.report, log.last_day - log.first_day + 1
    unused = percent(report.items_without_events / max(report.items, 1))
    return [
        KeyFigure(number(report.events_kept), "events", f"{number(round(report.events_kept / days))} a day"),
        KeyFigure(number(report.users), "users", f"{percent(_profiled(log))} with a profile"),
        KeyFigure(number(report.items), "items", f"{unused} without any event"),
        _repeat_key(repeats),
        _basket_key(baskets),
        KeyFigure(percent(tail.items_for(0.5)), "of the items", f"have half of all {tail.what}"),
    ]


def _profiled(log: EventLog) -> float:
    return 1 - log.report.users_without_profile / max(log.report.users, 1)


def _repeat_key(repeats: Repeats | None) -> KeyFigure:
    if repeats is None:
        return KeyFigure("–", "repeat rate", "no purchases in this source")
    return KeyFigure(percent(repeats.rate), "repeat rate", "buyers with a second basket")


def _basket_key(baskets: Baskets | None) -> KeyFigure:
    if baskets is None:
        return KeyFigure("–", "median basket", "no purchases in this source")
    if baskets.values is None:
        return KeyFigure(number(baskets.count), "baskets", "without prices")
    return KeyFigure(money(baskets.values.median), "median basket", f"of {number(baskets.count)}")
