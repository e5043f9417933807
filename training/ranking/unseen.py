"""The ranker of lists that leave out what the user had: the ranker of all lists, in which popularity counts less.

Popular items are in everybody's candidates, and a ranker that leans on popularity gives everybody much the same of what
is new. So its weight is lowered as far as validation loses next to nothing by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from training.ranking.labelled_lists import LabelledLists
from training.ranking.models import NeuralRanker, RankingModel
from training.settings import RankerSettings

DISCOUNTS: Final = (0.1, 0.05)
"""Taken off a score for each standard deviation of the item's buyers, on a log scale; the first that loses nothing.

No more than that: where few users have a history the last window cannot see what more would cost in a later one.
"""
KEPT: Final = 0.99
"""The share of NDCG and of Recall that a discount has to leave, of all users and of those with a history."""


@dataclass(frozen=True)
class Discount:
    """How much less popularity counts in such lists, and what it was chosen by."""

    value: float = 0.0
    measured: Mapping[str, float] = field(default_factory=dict)  # on the last window, without the discount and with it

    def applied(self, ranker: RankingModel, settings: RankerSettings) -> RankingModel | None:
        """The ranker of such lists; None where it is the ranker of all. Trees have no weight that could be lowered."""
        if not isinstance(ranker, NeuralRanker) or not self.value:
            return None
        return NeuralRanker(ranker.model.discounted(self.value, settings))


def chosen_discount(
    judged: RankingModel | None, everybody: LabelledLists, known: LabelledLists, settings: RankerSettings
) -> Discount:
    """The largest of DISCOUNTS that keeps both metrics for both groups of users in the last window.

    judged: the ranker that has learned from the earlier windows; without one, or without lists, there is nothing to
    choose by. everybody: lists that leave out what users had. known: those of users with a history, who may be few;
    what they lose must not hide in the mean of the others, who see what is popular.
    """
    groups = {name: lists for name, lists in (("", everybody), ("known ", known)) if len(lists)}
    if not isinstance(judged, NeuralRanker) or not groups:
        return Discount()
    of_value: dict[float, dict[str, float]] = {value: {} for value in (0.0, *DISCOUNTS)}
    for group, lists in groups.items():
        scores, popularity = judged.scores(lists.inputs), [judged.model.popularity(own) for own in lists.inputs]
        for value in of_value:
            lowered = [own - value * popular for own, popular in zip(scores, popularity, strict=True)]
            found = {"ndcg@20": lists.ndcg(lowered), "recall@20": lists.recall(lowered)}
            of_value[value] |= {f"{group}{name}": float(own.mean()) for name, own in found.items()}
    chosen = next((value for value in DISCOUNTS if _keeps(of_value[value], of_value[0.0])), 0.0)
    measured = {"same": of_value[0.0], "chosen": of_value[chosen]}
    return Discount(
        chosen, {f"{which} {name}": one for which, all_of in measured.items() for name, one in all_of.items()}
    )


def _keeps(after: Mapping[str, float], before: Mapping[str, float]) -> bool:
    return all(after[name] >= KEPT * before[name] for name in before)
