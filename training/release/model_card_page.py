"""The model card as a page with plots, for those who do not read tables."""

from collections.abc import Mapping
from typing import Any

from training.evaluation.gate import FINAL_LIST, NEW
from training.evaluation.list_names import named
from training.evaluation.slices import LEAST_USERS
from training.pages.figures import MAIN, QUIET, SECOND, bars, figure, line, lying_bars
from training.pages.page import render
from training.pages.section import Chart, Section
from training.release.card_words import deed, key_figures, sentences, simple_of
from training.release.model_card import (
    LIMITS,
    PARTS,
    backtest_note,
    gate_verdict,
    ranker_of,
    spoken,
    with_interval,
)

Metrics = Mapping[str, Any]
LEAST_WINDOWS = 2  # points of a line


def page(metrics: Metrics, facts: Mapping[str, str]) -> str:
    """One HTML file that needs no network. facts: name and value of whatever identifies the bundle."""
    sections = [_short(metrics), _lists(metrics), _gate(metrics), _windows(metrics), _histories(metrics)]
    sections += [*([_segments(metrics)] if metrics["by_segment"] else []), _lengths(metrics), _calibration(metrics)]
    about = "; ".join(f"{name} {value}" for name, value in facts.items())
    return render("Model card", f"{about}; {ranker_of(metrics)}.", key_figures(metrics), sections)


def _short(metrics: Metrics) -> Section:
    return Section("In short", sentences=sentences(metrics))


def _errors(own: list[Mapping[str, float]]) -> dict[str, Any]:
    above, below = [one["high"] - one["mean"] for one in own], [one["mean"] - one["low"] for one in own]
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "color": QUIET}


def _lists(metrics: Metrics) -> Section:
    test, charts, without = metrics["backtest"][-1], [], ""
    for part, title in PARTS.items():
        own = {named(name): lists["ndcg@20"] for name, lists in test[part].items()}
        if own and not any(one["mean"] for one in own.values()):
            without = f"{title}: no list held any that was bought. "
        elif own:
            best = max(own, key=lambda name: own[name]["mean"])
            drawn = lying_bars(own, [one["mean"] for one in own.values()], error_x=_errors(list(own.values())))
            takeaway = f"{title}: the best order has {best}, {own[best]['mean']:.3f} of 1 (NDCG@20)."
            charts.append(Chart(takeaway, figure([drawn], height=60 + 34 * len(own), yaxis={"autorange": "reversed"})))
    note = f"{without}Each line is the 95 % interval over {test['users']:,} customers. {LIMITS}"
    return Section("Lists side by side", charts, note=note)


def _gate(metrics: Metrics) -> Section:
    rivals = {"": metrics["gate"]["rivals"], ", new to the customer": metrics["gate"].get(NEW, {})}
    rows = [(f"{named(k)}{part}", with_interval(one)) for part, own in rivals.items() for k, one in own.items()]
    note = f"{gate_verdict(metrics)} A row is how much better Tandem's list is, in NDCG@20, with the 95 % interval."
    return Section("May it serve?", rows=rows, note=note)


def _windows(metrics: Metrics) -> Section:
    windows, simple = metrics["backtest"], simple_of(metrics)
    title = "Month after month"
    if len(windows) < LEAST_WINDOWS:
        return Section(
            title, note=f"One window alone was measured, so there is no course to draw. {backtest_note(metrics)}"
        )
    days, traces, ahead = [one["start"] for one in windows], [], 0
    for name, colour in ((FINAL_LIST, MAIN), (simple, SECOND)):
        own = [one["all_items"][name]["ndcg@20"] for one in windows]
        drawn = line(days, [one["mean"] for one in own], named(name), colour, error_y=_errors(own))
        traces.append(drawn.update(mode="lines+markers"))
    for one in windows:
        ours, theirs = (one["all_items"][name]["ndcg@20"]["mean"] for name in (FINAL_LIST, simple))
        ahead += ours > theirs
    takeaway = f"Tandem's list was ahead of {named(simple)} in {ahead} of {len(windows)} windows."
    drawn = figure(traces, x="window begins", y="NDCG@20")
    return Section(title, [Chart(takeaway, drawn)], note=backtest_note(metrics))


def _histories(metrics: Metrics) -> Section:
    groups = {f"{name} ({one['users']:,})": one for name, one in metrics["by_history"].items()}
    chart = _by_group(
        "By how many different items a customer had before, and how many customers these are.", groups, metrics
    )
    return Section("New and loyal customers", [chart])


def _segments(metrics: Metrics) -> Section:
    columns: dict[str, dict[str, Any]] = {}
    for one in metrics["by_segment"]:
        columns.setdefault(one["column"], {})[one["value"]] = one
    charts = [_by_group(f"By {spoken(column)}.", groups, metrics) for column, groups in columns.items()]
    note = f"Profile values of at least {LEAST_USERS} customers who {deed(metrics)} something, with 95 % intervals."
    return Section("Kinds of customers", charts, note=note)


def _by_group(takeaway: str, groups: Mapping[str, Any], metrics: Metrics) -> Chart:
    """Bars of the final list and of the simple one, for each group of users."""
    traces = []
    for name, colour in ((FINAL_LIST, MAIN), (simple_of(metrics), SECOND)):
        own = [one[name]["ndcg@20"] for one in groups.values()]
        traces.append(bars(groups, [one["mean"] for one in own], named(name), colour, error_y=_errors(own)))
    return Chart(takeaway, figure(traces, y="NDCG@20"))


def _lengths(metrics: Metrics) -> Section:
    traces = []
    for name, own in metrics["at_lengths"].items():
        at = {key.removeprefix("recall@"): 100 * value for key, value in own.items() if key.startswith("recall@")}
        colour = MAIN if name == FINAL_LIST else SECOND
        traces.append(line([int(k) for k in at], list(at.values()), named(name), colour))
    longest = max(int(key.removeprefix("recall@")) for key in metrics["at_lengths"][FINAL_LIST] if "recall@" in key)
    share = metrics["at_lengths"][FINAL_LIST][f"recall@{longest}"]
    takeaway = f"A list of {longest} lines holds {100 * share:.1f} % of what a customer {deed(metrics)}."
    drawn = figure(traces, x="lines", y=f"% of what was {deed(metrics)}")
    return Section("Length of the list", [Chart(takeaway, drawn)])


def _calibration(metrics: Metrics) -> Section:
    own, title = metrics["calibration"], "Are the scores probabilities?"
    if len(own["bins"]) < LEAST_WINDOWS:
        return Section(title, note="Too few candidates were scored to compare groups of them.")
    predicted, observed = ([100 * one[key] for one in own["bins"]] for key in ("predicted", "observed"))
    ends = [0.0, max(*predicted, *observed)]
    traces = [line(predicted, observed, "candidates", MAIN), line(ends, ends, "perfect", QUIET)]
    drawn = figure(traces, x="% predicted", y=f"% {deed(metrics)}")
    takeaway = (
        f"On average a score is {100 * own['expected_error']:.2f} percentage points off what was {deed(metrics)}."
    )
    return Section(title, [Chart(takeaway, drawn)])
