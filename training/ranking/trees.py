"""Gradient-boosted trees as a ranker: the challenger of the neural one, with its inputs and its interface.

Each candidate is a yes or no, so the score is the log-odds of a purchase and a probability without a further step.
scikit-learn's trees come with all they need; LightGBM's wheel wants an OpenMP of the system, which slim images lack.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from sklearn.ensemble import HistGradientBoostingClassifier

from contracts.arrays import Floats
from contracts.bundle.files import RANKER
from contracts.ranking.inputs import PAIR_FEATURES
from training.ranking.forest_onnx import as_onnx, check_parity, scorer
from training.ranking.labelled_lists import BOUGHT, LabelledLists
from training.settings import RankerSettings

NEW_KEPT = 4
"""Of the candidates that a user has neither bought before nor in the window, one of this many is learned from, with
this weight: most of them are easy, and they are the majority."""


LEAF_PENALTY = 0.1
"""L2 on a leaf's value. Without it, a leaf of one purchase among 200 candidates that nobody buys took a step of 217
log-odds, and the next tree one of 60,999 back. With it, the step is of 1."""
GRID = 255
"""Values that a feature may have among the rows that trees learn from: as many as scikit-learn has bins for."""
SORTED_ONCE_BEYOND = 200_000
"""Rows from which on scikit-learn takes its bins from a sample. Of fewer rows with weights, its versions 1.8 and 1.9
sort each feature once a bin, which took nine tenths of a fit. Features with no more values than bins are not sorted."""
PARITY_ROWS = 1000
LOSS_ROWS = 100_000  # of users in random order: the loss is for people to read


class TreeRanker:
    """Trained trees."""

    def __init__(self, trees: HistGradientBoostingClassifier, sample: Floats) -> None:
        """sample: [rows, features] on which the ONNX forest must score the same; raises TandemError otherwise."""
        self.trees = trees
        self.forest = as_onnx(trees)
        self.session = scorer(self.forest)
        check_parity(self.session, trees, sample)

    def scores(self, inputs: Sequence[Floats]) -> list[Floats]:
        """[k_i] log-odds for each list of [k_i, features]."""
        return [self.session.run(None, {"inputs": own[np.newaxis]})[0][0] for own in inputs]

    def export(self, folder: Path) -> None:
        """Writes ranker.onnx."""
        folder.mkdir(parents=True, exist_ok=True)
        onnx.save(self.forest, str(folder / RANKER))


def train_trees(lists: LabelledLists, settings: RankerSettings) -> tuple[TreeRanker, list[float]]:
    """The trained trees and their loss per candidate, as a list of one: boosting has no epochs."""
    inputs, labels, weights = _thinned(lists, settings)
    trees = HistGradientBoostingClassifier(
        learning_rate=settings.shrinkage,
        max_iter=settings.trees,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=settings.leaf_rows,
        l2_regularization=LEAF_PENALTY,
        early_stopping=False,
        random_state=settings.seed,
    )
    trees.fit(on_a_grid(inputs, weights), labels, sample_weight=weights)
    ranker = TreeRanker(trees, inputs[:PARITY_ROWS])
    (scores,) = ranker.scores([inputs[:LOSS_ROWS]])
    losses = np.logaddexp(0, scores) - labels[:LOSS_ROWS] * scores
    return ranker, [float(np.average(losses, weights=weights[:LOSS_ROWS]))]


def _thinned(lists: LabelledLists, settings: RankerSettings) -> tuple[Floats, npt.NDArray[np.bool_], Floats]:
    """([n, features], [n] bought, [n] weight) of some users' candidates; every user counts as one."""
    draw = np.random.default_rng(settings.seed)
    inputs, labels, weights, rows = [], [], [], 0
    for user in draw.permutation(len(lists)):
        features, bought = lists.inputs[user], lists.labels[user] >= BOUGHT
        certain = bought | (features[:, PAIR_FEATURES.index("is_repeat")] > 0)
        kept = certain | (draw.random(len(bought)) < 1 / NEW_KEPT)
        inputs.append(features[kept])
        labels.append(bought[kept])
        weights.append(np.where(certain[kept], 1.0, NEW_KEPT).astype(np.float32))
        rows += int(kept.sum())
        if rows >= settings.tree_rows:
            break
    return np.concatenate(inputs), np.concatenate(labels), np.concatenate(weights)


def on_a_grid(inputs: Floats, weights: Floats) -> Floats:
    """[n, features] with each value moved to the nearest of its feature's quantiles.

    The trees' thresholds lie half way between two values, so a row takes the same branches before and after.
    """
    if len(inputs) > SORTED_ONCE_BEYOND:
        return inputs
    moved = inputs.copy()
    for column in moved.T:
        if len(np.unique(column)) <= GRID:
            continue
        quantiles = np.quantile(column, np.linspace(0, 1, GRID), weights=weights, method="inverted_cdf")
        grid = np.unique(quantiles).astype(np.float64)
        column[:] = grid[np.searchsorted((grid[1:] + grid[:-1]) / 2, column)]
    return moved
