"""What the evaluation of a bundle says, each figure in a sentence that a shop manager reads."""

from collections.abc import Mapping
from typing import Any, Final

from training.evaluation.gate import FINAL_LIST, GATED, best_simple, losses, passed
from training.evaluation.list_names import NAMES, named
from training.pages.section import KeyFigure

DEEDS: Final = {"purchase": "bought", "like": "liked", "cart_add": "put in the cart", "view": "looked at"}
FIRST: Final = 20
Metrics = Mapping[str, Any]


def deed(metrics: Metrics) -> str:
    """What customers did that the lists are judged by."""
    return DEEDS.get(str(metrics.get("target", "purchase")), "bought")


def simple_of(metrics: Metrics) -> str:
    """The best list that needs no model; it stands next to the final one in every group."""
    return next(str(name) for name in metrics["at_lengths"] if name != FINAL_LIST)


def percent(share: float) -> str:
    """15.1 %, and 0.4 % for what is small."""
    return f"{100 * share:.1f} %"


def sentences(metrics: Metrics) -> list[str]:
    """The card's figures, the most important first; figures that were not measured are left out."""
    return [
        *_found(metrics, "all_items", ""),
        *_found(metrics, "new_to_user", " for the first time"),
        _shown(metrics),
        *_related(metrics),
        *_reasons(metrics),
        _gate(metrics),
    ]


def _found(metrics: Metrics, part: str, when: str) -> list[str]:
    """How much of what was bought the list held, next to the best list without a model."""
    table = metrics[part]
    if FINAL_LIST not in table:
        return []
    ours, simple = table[FINAL_LIST], best_simple(table)
    held = percent(ours[f"recall@{FIRST}"])
    return [
        f"The first {FIRST} lines held {held} of what a customer {deed(metrics)}{when} in the "
        f"next {metrics['test_days']} days. The best list without a model ({named(simple)}) held "
        f"{percent(table[simple][f'recall@{FIRST}'])}. Measured on {int(ours['users']):,} customers."
    ]


def _shown(metrics: Metrics) -> str:
    own = metrics["all_items"][FINAL_LIST]
    return (
        f"Of the first five lines, {5 * own['precision@5']:.1f} were {deed(metrics)}. All lists together showed "
        f"{percent(own[f'coverage@{FIRST}'])} of the catalogue in their first {FIRST} lines."
    )


def _related(metrics: Metrics) -> list[str]:
    found = metrics.get("related", {})
    words = {
        "similar": "Next to an item, the first 10 similar items held {ours} of what else was in the basket",
        "basket": "Next to half a basket, the first 10 items that go with it held {ours} of the other half",
    }
    return [
        f"{text.format(ours=percent(found[name]['recall@10']['related']['mean']))}; "
        f"the 10 bestsellers held {percent(found[name]['recall@10']['popularity']['mean'])}."
        for name, text in words.items()
        if name in found
    ]


def _reasons(metrics: Metrics) -> list[str]:
    own = metrics.get("reasons")
    if not own or not own["lines"]:
        return []
    text = (
        f"Of the first 10 lines of all lists, {percent(own['own'] / own['lines'])} were {deed(metrics)} before by the "
        f"customer, and {percent(own['similar'] / own['lines'])} may be called similar to something that was."
    )
    if own["held"] is not None:
        text += (
            f" That word holds for {percent(own['held'])} of the {own['judged']:,} pairs that the next weeks can tell "
            f"about: more customers took both than is so of {percent(own['random_share'])} of random pairs."
        )
    return [text]


def _gate(metrics: Metrics) -> str:
    lost = losses(metrics["gate"])
    if lost:
        return f"It may not serve: {'; '.join(lost)}."
    rivals = {*metrics["gate"]["rivals"], *metrics["gate"].get("new_to_user", {})}
    others = ", ".join(named(name) for name in NAMES if name in rivals)
    return f"It may serve: {passed(metrics['gate'])}. Compared were {others}."


def key_figures(metrics: Metrics) -> list[KeyFigure]:
    """The summary: all items, what is new, and how good the order is."""
    keys = []
    labels = {
        "all_items": f"of what customers {deed(metrics)} was in their first {FIRST} lines",
        "new_to_user": f"of what they {deed(metrics)} for the first time was",
    }
    for part, label in labels.items():
        table = metrics[part]
        if FINAL_LIST in table:
            simple = best_simple(table)
            detail = f"{percent(table[simple][f'recall@{FIRST}'])} by {named(simple)}"
            keys.append(KeyFigure(percent(table[FINAL_LIST][f"recall@{FIRST}"]), label, detail))
    table = metrics["all_items"]
    simple = best_simple(table)
    order = KeyFigure(
        f"{table[FINAL_LIST][GATED]:.3f}",
        f"order of the first {FIRST}, 1 is perfect (NDCG@{FIRST})",
        f"{table[simple][GATED]:.3f} by {named(simple)}",
    )
    return [*keys, order]
