"""The kinds of rankers, and which of them a data set gets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from contracts.arrays import Floats
from contracts.errors import InvalidInput
from training.metrics.intervals import difference
from training.progress import Progress
from training.ranking.export import export_ranker
from training.ranking.labelled_lists import NOBODY, LabelledLists, joined
from training.ranking.neural import Ranker, scores_of, train_ranker
from training.ranking.trees import train_trees
from training.settings import RankerSettings

NEURAL: Final = "neural"
TREES: Final = "trees"
AUTO: Final = "auto"
KINDS: Final = (NEURAL, TREES)
TEACHER_ROWS: Final = 300_000
"""Candidates that trees which only teach learn from: twice as many take twice the time, and teach no better."""


class RankingModel(Protocol):
    """A trained ranker of either kind."""

    def scores(self, inputs: Sequence[Floats]) -> list[Floats]:
        """[k_i] log-odds of a purchase for each list of [k_i, features]."""
        ...

    def export(self, folder: Path) -> None:
        """Writes what is bundled: ranker.onnx, and for TensorFlow a SavedModel."""
        ...


@dataclass(frozen=True)
class NeuralRanker:
    """DCN-v2 under the common interface."""

    model: Ranker

    def scores(self, inputs: Sequence[Floats]) -> list[Floats]:
        """[k_i] log-odds for each list of [k_i, features]."""
        return scores_of(self.model, inputs)

    def export(self, folder: Path) -> None:
        """Writes SavedModel and ONNX."""
        export_ranker(self.model, folder)


def train(
    kind: str,
    lists: LabelledLists,
    settings: RankerSettings,
    progress: Progress,
    cold: LabelledLists = NOBODY,
    teacher: RankingModel | None = None,
) -> tuple[RankingModel, list[float]]:
    """The trained ranker of a kind and its losses.

    cold: lists of users masked as if cold, to learn from as well. teacher: trees of the lists, made here where none are
    given.
    The network learns the trees' probabilities in addition to what was bought (distillation, Hinton et al., arXiv
    1503.02531): it comes close to what both together would rank, at the cost of one. Cold users have a teacher of their
    own: trees that learn from both kinds predict known users less well.
    """
    everybody = joined([lists, cold])
    if kind == TREES:
        return train_trees(everybody, settings)
    soft_labels = None
    if settings.distillation_weight > 0:
        of_teacher = replace(settings, tree_rows=min(TEACHER_ROWS, settings.tree_rows))
        soft_labels = _soft_labels(teacher or train_trees(lists, of_teacher)[0], lists, settings)
        if len(cold):
            soft_labels += _soft_labels(train_trees(cold, of_teacher)[0], cold, settings)
    model, losses = train_ranker(everybody, settings, progress, soft_labels)
    model.calibrate(everybody)
    return NeuralRanker(model), losses


@dataclass(frozen=True)
class Choice:
    """The kind to train, and what it was chosen by."""

    kind: str
    measured: Mapping[str, float]  # NDCG@20 of each kind on the last window after training on those before it
    judged: RankingModel | None  # of this kind, as it was measured


def choose(windows: Sequence[LabelledLists], settings: RankerSettings, progress: Progress) -> Choice:
    """The best of the kinds that the settings allow, by the last window.

    Trees cost three times the CPU of the network where they serve, so they are chosen only where they are better beyond
    the interval of the difference over users. One window alone leaves nothing to compare on: then it is the neural one
    where none was asked for, and there are no figures.
    Raises InvalidInput for a kind that does not exist.
    """
    if settings.model not in (*KINDS, AUTO):
        raise InvalidInput(f"ranker.model is {settings.model!r}; there are {', '.join((*KINDS, AUTO))}.")
    chosen = NEURAL if settings.model == AUTO else settings.model
    if len(windows) == 1:
        return Choice(chosen, {}, None)
    earlier, last = joined(windows[:-1]), windows[-1]
    models, teacher = dict[str, RankingModel](), None
    for kind in (TREES, NEURAL) if settings.model == AUTO else (chosen,):
        teacher = models[kind] = train(kind, earlier, settings, progress, teacher=teacher)[0]
    by_user = {kind: last.ndcg(one.scores(last.inputs)) for kind, one in models.items()}
    if settings.model == AUTO and difference(by_user[TREES], by_user[NEURAL]).low > 0:
        chosen = TREES
    return Choice(chosen, {kind: float(values.mean()) for kind, values in by_user.items()}, models[chosen])


def _soft_labels(teacher: RankingModel, lists: LabelledLists, settings: RankerSettings) -> list[Floats]:
    """[k_i] the teacher's probabilities for each list, as often as the settings count them."""
    return [
        (settings.distillation_weight / (1 + np.exp(-own))).astype(np.float32) for own in teacher.scores(lists.inputs)
    ]
