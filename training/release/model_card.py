"""The model card of a bundle (Mitchell et al., FAT* 2019) in Markdown: what it is and what its lists are worth."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from contracts.outside_text import in_markdown
from training.evaluation.gate import losses, passed
from training.evaluation.list_names import named
from training.metrics.ranking_metrics import NDCG_AT
from training.release.card_words import sentences, simple_of

PARTS: Final = {
    "all_items": "All items",
    "repeats": "Bought before",
    "new_to_user": "New to the user",
    "cold_items": "Items that nobody had bought",
}
RANKERS: Final = {"neural": "DCN-v2, listwise softmax", "trees": "gradient-boosted trees, log loss"}
Metrics = Mapping[str, Any]


def markdown(metrics: Metrics, facts: Mapping[str, str]) -> str:
    """The whole card. facts: name and value of whatever identifies the bundle."""
    test = metrics["backtest"][-1]
    parts = [
        "# Model card",
        table(("", ""), [*facts.items(), ("ranker", ranker_of(metrics))]),
        "## In short\n\n" + "\n".join(f"- {in_markdown(sentence)}" for sentence in sentences(metrics)),
        f"## Last {metrics['test_days']} days, full catalogue\n\nMeans over {test['users']:,} users with 95 % "
        "bootstrap intervals. No model saw these days.",
        *(f"### {title}\n\n{part_table(test[part])}" for part, title in PARTS.items() if test[part]),
        details(metrics),
        "## Limits\n\n" + LIMITS,
    ]
    return "\n\n".join(parts) + "\n"


def details(metrics: Metrics) -> str:
    """What the two tables of `tandem evaluate` do not say."""
    related = related_table(metrics)
    parts = [
        f"## Gate\n\n{gate_words(metrics)}",
        f"## Rolling origin\n\n{backtest_note(metrics)}\n\n{backtest_table(metrics)}",
        f"## Users by history\n\n{history_table(metrics)}",
        *([f"## Users by segment\n\n{segment_table(metrics)}"] if metrics["by_segment"] else []),
        f"## Length of the list\n\n{lengths_table(metrics)}",
        f"## Candidates\n\n{candidates_table(metrics)}",
        *([f"## Related items\n\n{related}"] if related else []),
        f"## Calibration\n\n{calibration_words(metrics)}",
    ]
    return "\n\n".join(parts)


LIMITS: Final = (
    "Measured on what users bought without seeing these lists: what a list would have changed is not in it; that is "
    "what the canary measures. Means over users, each counted once, however much they buy."
)


def ranker_of(metrics: Metrics) -> str:
    """Which ranker, and by what it was chosen."""
    chosen, measured = metrics["ranker"]["model"], metrics["ranker"]["validation_ndcg@20"]
    figures = ", ".join(f"{kind} {value:.4f}" for kind, value in measured.items())
    return RANKERS[chosen] + (f"; NDCG@20 on the last label window: {figures}" if figures else "")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first to the right."""
    names, *cells = [[in_markdown(cell) for cell in row] for row in (header, *rows)]
    lines = [names, ["---", *("---:" for _ in header[1:])], *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def with_interval(one: Mapping[str, float]) -> str:
    """.3621 (.3534-.3709)"""
    return f"{one['mean']:.4f} ({one['low']:.4f}-{one['high']:.4f})"


def part_table(part: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """A row a list."""
    columns = list(next(iter(part.values())))
    rows = [(named(name), *(with_interval(own[column]) for column in columns)) for name, own in part.items()]
    return table(("list", *columns), rows)


def gate_verdict(metrics: Metrics) -> str:
    """Whether it may serve, and what was compared as the champion."""
    lost = losses(metrics["gate"])
    verdict = f"Refused: {'; '.join(lost)}." if lost else f"Passed: {passed(metrics['gate'])}."
    return f"{verdict} Champion: {metrics['gate']['champion']}."


def gate_words(metrics: Metrics) -> str:
    """The verdict, and a row a rival."""
    new = metrics["gate"].get("new_to_user", {})
    rivals = [
        *metrics["gate"]["rivals"].items(),
        *((f"{named(name)}, new to the user", one) for name, one in new.items()),
    ]
    rows = [(named(name), with_interval(one)) for name, one in rivals]
    compared = table((f"NDCG@{NDCG_AT}, the final list less", "difference"), rows)
    return f"{in_markdown(gate_verdict(metrics))}\n\n{compared}"


def backtest_note(metrics: Metrics) -> str:
    """How the windows were measured."""
    return (
        f"Windows of {metrics['test_days']} days: {len(metrics['backtest'])}. Each ranker has learned from the label "
        "windows before its own; the towers of all but the last have seen nothing after the first label window began."
    )


def backtest_table(metrics: Metrics) -> str:
    """A row a window: the final list next to the best one without a model, and its discoveries."""
    simple = simple_of(metrics)
    rows = [
        (
            f"{one['start']} to {one['end']}",
            f"{one['users']:,}",
            with_interval(one["all_items"]["final_list"]["ndcg@20"]),
            with_interval(one["all_items"][simple]["ndcg@20"]),
            with_interval(one["new_to_user"]["final_list"]["recall@20"]) if one["new_to_user"] else "",
        )
        for one in metrics["backtest"]
    ]
    return table(("window", *_group_header(metrics), "new to the user Recall@20"), rows)


def history_table(metrics: Metrics) -> str:
    """A row a group of users."""
    rows = [(name, *_group(one, simple_of(metrics))) for name, one in metrics["by_history"].items()]
    return table(("bought before", *_group_header(metrics)), rows)


def segment_table(metrics: Metrics) -> str:
    """A row a profile value, for those that enough users have."""
    rows = [
        (f"{spoken(one['column'])}: {one['value']}", *_group(one, simple_of(metrics))) for one in metrics["by_segment"]
    ]
    return table(("profile", *_group_header(metrics)), rows)


def spoken(column: str) -> str:
    """A profile column in words."""
    return column.replace("_", " ")


def _group_header(metrics: Metrics) -> tuple[str, str, str]:
    return "users", f"{named('final_list')} NDCG@20", f"{named(simple_of(metrics))} NDCG@20"


def _group(one: Mapping[str, Any], simple: str) -> tuple[str, ...]:
    return f"{one['users']:,}", *(with_interval(one[key]["ndcg@20"]) for key in ("final_list", simple))


def lengths_table(metrics: Metrics) -> str:
    """A row a list and metric, a column a length."""
    lists = metrics["at_lengths"]
    lengths = [name.removeprefix("ndcg@") for name in lists["final_list"] if name.startswith("ndcg@")]
    rows = [
        (f"{named(name)}, {metric}@k", *(f"{own[f'{metric}@{k}']:.4f}" for k in lengths))
        for name, own in lists.items()
        for metric in ("ndcg", "recall")
    ]
    return table(("k", *lengths), rows)


def candidates_table(metrics: Metrics) -> str:
    """A row a source that proposed something, and the simplest union: once, where there was nothing to cut off."""
    own = metrics["candidates"]
    sources = [name.removeprefix("unique_") for name in own if name.startswith("unique_") and own[f"recall_{name[7:]}"]]
    rows = [
        (name.replace("_", " "), f"{own[f'recall_{name}']:.4f}", f"{own[f'unique_{name}']:.4f}") for name in sources
    ]
    union = (f"union, {own['mean_candidates']:.0f} candidates", f"{own['recall_union']:.4f}", "")
    least = [
        (
            f"own history and the most popular, {own[f'mean_simple_candidates{cut}']:.0f} candidates",
            f"{own[f'recall_simple_union{cut}']:.4f}",
            "",
        )
        for cut in ("", "_uncut")
    ]
    return table(("source", "share of what was bought", "found by it alone"), [*rows, union, *dict.fromkeys(least)])


def related_table(metrics: Metrics) -> str:
    """A row for one item and one for half a basket; nothing where neither was measured."""
    found = metrics.get("related", {})
    words = {"similar": "one item, for the rest of its basket", "basket": "half a basket, for the other half"}
    rows = [
        (words[name], f"{one['questions']:,}", *(with_interval(own) for own in one["recall@10"].values()))
        for name, one in found.items()
    ]
    return table(("asked with", "questions", "related items Recall@10", "bestsellers Recall@10"), rows) if rows else ""


def calibration_words(metrics: Metrics) -> str:
    """What the scores of candidates are worth as probabilities."""
    own = metrics["calibration"]
    rows = [(f"{one['predicted']:.4f}", f"{one['observed']:.4f}") for one in own["bins"]]
    return (
        f"Expected calibration error {own['expected_error']:.4f}, over candidates in ten groups by predicted "
        f"probability.\n\n{table(('predicted', 'bought'), rows)}"
    )
