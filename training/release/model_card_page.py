"""The model card as a page with plots, for those who do not read tables."""

from collections.abc import Mapping
from typing import Any

from training.evaluation.slices import LEAST_USERS
from training.pages.figures import MAIN, QUIET, SECOND, bars, figure, line
from training.pages.page import render
from training.pages.section import Chart, KeyFigure, Section
from training.release.model_card import (
    LIMITS,
    NAMES,
    PARTS,
    backtest_note,
    gate_verdict,
    ranker_of,
    spoken,
    with_interval,
)

Metrics = Mapping[str, Any]


def page(metrics: Metrics, facts: Mapping[str, str]) -> str:
    """One HTML file that needs no network. facts: name and value of whatever identifies the bundle."""
    sections = [_lists(metrics), _gate(metrics), _windows(metrics), _histories(metrics)]
    sections += [*([_segments(metrics)] if metrics["by_segment"] else []), _lengths(metrics), _calibration(metrics)]
    about = "; ".join(f"{name} {value}" for name, value in facts.items())
    return render("Model card", f"{about}; {ranker_of(metrics)}.", _keys(metrics), sections)


def _keys(metrics: Metrics) -> list[KeyFigure]:
    test = metrics["backtest"][-1]
    best, simple = test["all_items"]["final_list"], test["all_items"]["gp_top_freq"]
    return [
        KeyFigure(f"{best['ndcg@20']['mean']:.3f}", "NDCG@20 of the final list", with_interval(best["ndcg@20"])),
        KeyFigure(f"{best['recall@20']['mean']:.3f}", "Recall@20 of the final list", with_interval(best["recall@20"])),
        KeyFigure(f"{simple['ndcg@20']['mean']:.3f}", "NDCG@20 of GP-TopFreq", with_interval(simple["ndcg@20"])),
    ]


def _errors(own: list[Mapping[str, float]]) -> dict[str, Any]:
    above, below = [one["high"] - one["mean"] for one in own], [one["mean"] - one["low"] for one in own]
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "color": QUIET}


def _lists(metrics: Metrics) -> Section:
    test, charts = metrics["backtest"][-1], []
    for part, title in PARTS.items():
        own = {NAMES[name]: lists["ndcg@20"] for name, lists in test[part].items()}
        if own:
            drawn = bars(own, [one["mean"] for one in own.values()], error_y=_errors(list(own.values())))
            charts.append(Chart(f"{title}: NDCG@20 of the last {metrics['test_days']} days.", figure([drawn])))
    return Section("Lists", charts, note=f"95 % bootstrap intervals over {test['users']:,} users. {LIMITS}")


def _gate(metrics: Metrics) -> Section:
    rows = [(f"less {NAMES.get(k, k)}", with_interval(one)) for k, one in metrics["gate"]["rivals"].items()]
    return Section("Gate", rows=rows, note=gate_verdict(metrics))


def _windows(metrics: Metrics) -> Section:
    windows = metrics["backtest"]
    days = [one["start"] for one in windows]
    traces = []
    for name, colour in (("final_list", MAIN), ("gp_top_freq", SECOND)):
        own = [one["all_items"][name]["ndcg@20"] for one in windows]
        traces.append(line(days, [one["mean"] for one in own], NAMES[name], colour, error_y=_errors(own)))
    drawn = figure(traces, x="window begins", y="NDCG@20")
    return Section("Rolling origin", [Chart("All items, by window.", drawn)], note=backtest_note(metrics))


def _histories(metrics: Metrics) -> Section:
    groups = metrics["by_history"]
    rows = [(name, f"{one['users']:,} users") for name, one in groups.items()]
    return Section("Users by history", [_by_group("NDCG@20 by distinct items bought before.", groups)], rows=rows)


def _segments(metrics: Metrics) -> Section:
    columns: dict[str, dict[str, Any]] = {}
    for one in metrics["by_segment"]:
        columns.setdefault(one["column"], {})[one["value"]] = one
    charts = [_by_group(f"NDCG@20 by {spoken(column)}.", groups) for column, groups in columns.items()]
    note = f"Profile values of at least {LEAST_USERS} users who bought something, with 95 % bootstrap intervals."
    return Section("Users by segment", charts, note=note)


def _by_group(takeaway: str, groups: Mapping[str, Any]) -> Chart:
    """Bars of the final list and of the simple one, for each group of users."""
    traces = []
    for name, colour in (("final_list", MAIN), ("gp_top_freq", SECOND)):
        own = [one[name]["ndcg@20"] for one in groups.values()]
        traces.append(bars(groups, [one["mean"] for one in own], NAMES[name], colour, error_y=_errors(own)))
    return Chart(takeaway, figure(traces))


def _lengths(metrics: Metrics) -> Section:
    traces = []
    for (name, own), colour in zip(metrics["at_lengths"].items(), (SECOND, MAIN), strict=True):
        at = {key.removeprefix("ndcg@"): value for key, value in own.items() if key.startswith("ndcg@")}
        traces.append(line([int(k) for k in at], list(at.values()), NAMES[name], colour))
    return Section("Length of the list", [Chart("NDCG@k by k.", figure(traces, x="k", y="NDCG@k"))])


def _calibration(metrics: Metrics) -> Section:
    own = metrics["calibration"]
    predicted, observed = ([one[key] for one in own["bins"]] for key in ("predicted", "observed"))
    ends = [0.0, max(*predicted, *observed)]
    traces = [line(predicted, observed, "candidates", MAIN), line(ends, ends, "perfect", QUIET)]
    drawn = figure(traces, x="predicted", y="bought")
    return Section("Calibration", [Chart(f"Expected calibration error {own['expected_error']:.4f}.", drawn)])
