"""The kinds of towers, and which of them a data set gets: validation chooses.

content      content, profile, statistics and ids that are mostly hidden; the sampled softmax. It carries what is new.
content+ids  the same, joined with towers of ids and sequences alone, which learn by the softmax over the whole
             catalogue (SimpleX, Mao et al., CIKM 2021). These know who likes what, and nothing of what is new.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from contracts.arrays import Doubles
from training.dataset.dataset import Dataset, Positives
from training.metrics.intervals import difference
from training.progress import Progress
from training.retrieval.fit import Towers, epochs_for, fit, new_towers, num_queries
from training.retrieval.joined import joined_towers
from training.retrieval.validation import discoveries_in
from training.settings import Encoder, Loss, Optimizer, Recipe, TwoTowerSettings

JUDGED_AT: Final = 20
LOGITS_A_MINUTE: Final = 2e9
"""Of the softmax over the whole catalogue: by it a training's minutes are estimated, alike on every machine."""


@dataclass(frozen=True)
class TrainedTowers:
    """Towers that were trained up to the label windows."""

    towers: Towers
    settings: TwoTowerSettings
    losses: list[float]  # of each epoch
    seconds: float


@dataclass(frozen=True)
class ChosenTowers:
    """The recipe that a data set gets."""

    recipe: Recipe
    parts: Sequence[TrainedTowers]
    report: dict[str, Any]  # how it was chosen, for JSON

    @property
    def towers(self) -> Towers:
        """The parts as one; its weights are theirs, whatever they learn later."""
        return joined_towers([(part.towers, part.settings) for part in self.parts])

    @property
    def losses(self) -> list[list[float]]:
        """Losses of each part's epochs."""
        return [part.losses for part in self.parts]

    def train_on(self, positives: Positives, start: int, end: int, progress: Progress) -> list[list[float]]:
        """Losses of each part's fine_tune_epochs over what was chosen in [start, end), Unix seconds."""
        return [
            fit(part.towers, positives, start, end, part.settings.fine_tune_epochs, part.settings, progress)
            for part in self.parts
        ]


def ids_alone(settings: TwoTowerSettings) -> TwoTowerSettings:
    """Settings of the towers that know ids and sequences only."""
    return replace(
        settings, side_features=False, loss=Loss.FULL, optimizer=Optimizer.ADAM, encoder=Encoder.MEAN, item_bias=True,
        temperature=0.1, learning_rate=0.005, batch_size=512, epochs=8, sequence_dropout=0.5, id_dropout=0.0,
        user_evenness=0.0, uniform_negatives=0, hard_negatives=0,
    )  # fmt: skip


def choose_towers(
    dataset: Dataset, positives: Positives, settings: TwoTowerSettings, progress: Progress
) -> ChosenTowers:
    """The towers of the recipe, trained up to the first label window.

    With `auto` ids are trained too where the budget has room for them, and taken where they find more of what was new
    to users in the label windows, beyond the interval of the difference over users.
    """
    start, end = dataset.timeline.two_tower_start, dataset.timeline.ranker_starts[0]
    content, ids = _trained(dataset, positives, settings, progress), ids_alone(settings)
    minutes = num_queries(positives, start, end, ids) * ids.epochs * len(dataset.item_ids) / LOGITS_A_MINUTE
    report: dict[str, Any] = {"recipe": Recipe.CONTENT, "seconds": {"content": content.seconds}}
    if settings.recipe is Recipe.CONTENT or not settings.side_features:
        return ChosenTowers(Recipe.CONTENT, [content], report)
    if settings.recipe is Recipe.AUTO and minutes > settings.budget_minutes:
        report["left_out"] = f"ids: {minutes:.0f} minutes, two_tower.budget_minutes is {settings.budget_minutes:g}"
        return ChosenTowers(Recipe.CONTENT, [content], report)
    both = ChosenTowers(Recipe.CONTENT_AND_IDS, [content, _trained(dataset, positives, ids, progress)], report)
    report["seconds"]["ids"] = both.parts[1].seconds
    alone, joined = _new_recall(dataset, content.towers), _new_recall(dataset, both.towers)
    report[f"validation_new_recall@{JUDGED_AT}"] = {
        Recipe.CONTENT: float(alone.mean()), Recipe.CONTENT_AND_IDS: float(joined.mean())
    }  # fmt: skip
    if settings.recipe is Recipe.AUTO and not difference(joined, alone).low > 0:
        return ChosenTowers(Recipe.CONTENT, [content], report)
    report["recipe"] = Recipe.CONTENT_AND_IDS
    return both


def _trained(dataset: Dataset, positives: Positives, settings: TwoTowerSettings, progress: Progress) -> TrainedTowers:
    start, end, began = dataset.timeline.two_tower_start, dataset.timeline.ranker_starts[0], time.monotonic()
    towers, epochs = new_towers(dataset, positives, settings), settings.epochs
    if settings.loss is Loss.SAMPLED:
        epochs = epochs_for(positives, start, end, settings)
    losses = fit(towers, positives, start, end, epochs, settings, progress)
    return TrainedTowers(towers, settings, losses, round(time.monotonic() - began, 1))


def _new_recall(dataset: Dataset, towers: Towers) -> Doubles:
    """[users of all label windows] share found of what was new to them; the towers have seen none of these windows."""
    windows = dataset.timeline.ranker_windows
    return np.concatenate([discoveries_in(dataset, *window, JUDGED_AT).shares(towers) for window in windows])
