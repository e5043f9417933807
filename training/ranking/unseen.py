"""The ranker of lists that leave out what the user had: the ranker of all or a tuned one, as validation says.

Popular items are in everybody's candidates, and a ranker that leans on popularity gives everybody much the same of what
is new. So its weight is lowered as far as validation loses next to nothing by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from training.metrics.intervals import difference
from training.progress import Progress
from training.ranking.labelled_lists import LabelledLists
from training.ranking.models import NeuralRanker, RankingModel
from training.ranking.neural import tuned_ranker
from training.settings import RankerSettings

DISCOUNTS: Final = (0.8, 0.4, 0.2, 0.1)
"""Taken off a score for each standard deviation of the item's buyers, on a log scale; the first that loses nothing."""
KEPT: Final = 0.99
"""The share of NDCG and of Recall that a discount has to leave."""


@dataclass(frozen=True)
class UnseenChoice:
    """How the ranker of such lists is made from the ranker of all lists."""

    tuned: bool = False
    discount: float = 0.0
    measured: Mapping[str, float] = field(default_factory=dict)  # NDCG@20 and Recall@20 on the last window

    def made_of(
        self, ranker: RankingModel, lists: LabelledLists, settings: RankerSettings, progress: Progress
    ) -> RankingModel | None:
        """The ranker of such lists, which has learned from these where it is tuned; None where it is the same.

        Trees are not tuned, and they have no weight that could be lowered.
        """
        if not isinstance(ranker, NeuralRanker) or not (self.tuned or self.discount):
            return None
        made = _tuned(ranker, lists, settings, progress) if self.tuned else ranker
        return NeuralRanker(made.model.discounted(self.discount, settings))


def choose_for_unseen(
    judged: RankingModel | None,
    earlier: LabelledLists,
    last: LabelledLists,
    settings: RankerSettings,
    progress: Progress,
) -> UnseenChoice:
    """The choice by the last window, after learning from the earlier ones; all lists leave out what users had.

    judged: the ranker that has learned from the earlier windows' other lists; without one there is nothing to choose
    by. The tuned one is taken where NDCG@20 or Recall@20 is better beyond the interval of the difference over users,
    and neither is worse beyond it.
    """
    if not isinstance(judged, NeuralRanker) or not len(earlier) or not len(last):
        return UnseenChoice()
    tuned = _tuned(judged, earlier, settings, progress)
    before, after = (one.scores(last.inputs) for one in (judged, tuned))
    gains = [difference(metric(after), metric(before)) for metric in (last.ndcg, last.recall)]
    better = any(gain.low > 0 for gain in gains) and all(gain.high > 0 for gain in gains)
    discount, measured = _discount(tuned if better else judged, last, settings)
    for name, scores in (("same", before), ("tuned", after)):
        measured |= {f"{name} ndcg@20": float(last.ndcg(scores).mean())}
        measured |= {f"{name} recall@20": float(last.recall(scores).mean())}
    return UnseenChoice(better, discount, measured)


def _discount(ranker: NeuralRanker, lists: LabelledLists, settings: RankerSettings) -> tuple[float, dict[str, float]]:
    """The largest discount that keeps NDCG and Recall, and both with it."""

    def measured(discount: float) -> tuple[float, float]:
        scores = NeuralRanker(ranker.model.discounted(discount, settings)).scores(lists.inputs)
        return float(lists.ndcg(scores).mean()), float(lists.recall(scores).mean())

    without, chosen, figures = measured(0.0), 0.0, measured(0.0)
    for discount in DISCOUNTS:
        found = measured(discount)
        if all(np.greater_equal(found, KEPT * np.array(without))):
            chosen, figures = discount, found
            break
    return chosen, {"chosen ndcg@20": figures[0], "chosen recall@20": figures[1]}


def _tuned(ranker: NeuralRanker, lists: LabelledLists, settings: RankerSettings, progress: Progress) -> NeuralRanker:
    tuned, _ = tuned_ranker(ranker.model, lists, settings, progress)
    tuned.calibrate(lists)
    return NeuralRanker(tuned)
