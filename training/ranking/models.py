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
    *,
    teacher: RankingModel | None = None,
    start: RankingModel | None = None,
) -> tuple[RankingModel, list[float]]:
    """The trained ranker of a kind and its losses.

    cold: lists of users masked as if cold, to learn from as well. teacher: trees of the lists, made here where none are
    given. start: a network that has learned from some of the lists, and goes on; trees always begin anew.
    The network learns the trees' probabilities in addition to what was bought (distillation, Hinton et al., arXiv
    1503.02531): it comes close to what both together would rank, at the cost of one. Cold users have a teacher of their
    own: trees that learn from both kinds predict known users less well.
    """
    everybody = joined([lists, cold])
    if kind == TREES:
        return train_trees(everybody, settings)
    soft_labels = None
    if settings.distillation_weight > 0:
        soft_labels = _soft_labels(teacher or _teacher(lists, settings), lists, settings)
        if len(cold):
            soft_labels += _soft_labels(_teacher(cold, settings), cold, settings)
    before = start.model if isinstance(start, NeuralRanker) else None
    model, losses = train_ranker(everybody, settings, progress, soft_labels, before)
    model.calibrate(everybody)
    return NeuralRanker(model), losses


@dataclass(frozen=True)
class Choice:
    """The kind to train, and what it was chosen by."""

    kind: str
    measured: Mapping[str, float]  # NDCG@20 of each kind on the last window after training on those before it
    judged: tuple[RankingModel, ...] = ()  # of this kind; entry i has learned from the first i + 1 windows


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
        return Choice(chosen, {})
    earlier, last = joined(windows[:-1]), windows[-1]
    models, networks = dict[str, RankingModel](), tuple[RankingModel, ...]()
    if settings.model != NEURAL:
        models[TREES] = train(TREES, earlier, settings, progress)[0]
    if settings.model != TREES:
        networks = _networks(windows[:-1], settings, progress, models.get(TREES))
        models[NEURAL] = networks[-1]
    by_user = {kind: last.ndcg(one.scores(last.inputs)) for kind, one in models.items()}
    if settings.model == AUTO and difference(by_user[TREES], by_user[NEURAL]).low > 0:
        chosen = TREES
    judged = networks
    if chosen == TREES:  # an earlier forest shares nothing with a later one
        before = [joined(windows[:at]) for at in range(1, len(windows) - 1)]
        judged = (*(train(TREES, lists, settings, progress)[0] for lists in before), models[TREES])
    measured = {kind: float(values.mean()) for kind, values in by_user.items()}
    return Choice(chosen, measured, judged)


def _networks(
    windows: Sequence[LabelledLists], settings: RankerSettings, progress: Progress, latest: RankingModel | None
) -> tuple[RankingModel, ...]:
    """One network after each window. Each goes on from the one before it, so that all take little more time than one.

    latest: trees of all windows, made here where none are given. What teaches an earlier network are trees of the first
    window: they have not seen what it will be measured on.
    """
    first = None
    if settings.distillation_weight > 0:
        latest = latest or _teacher(joined(windows), settings)
        first = _teacher(windows[0], settings) if len(windows) > 1 else latest
    networks = list[RankingModel]()
    for at in range(1, len(windows) + 1):
        teacher, before = (latest if at == len(windows) else first), (networks[-1] if networks else None)
        network, _ = train(NEURAL, joined(windows[:at]), settings, progress, teacher=teacher, start=before)
        networks.append(network)
    return tuple(networks)


def _teacher(lists: LabelledLists, settings: RankerSettings) -> RankingModel:
    return train_trees(lists, replace(settings, tree_rows=min(TEACHER_ROWS, settings.tree_rows)))[0]


def _soft_labels(teacher: RankingModel, lists: LabelledLists, settings: RankerSettings) -> list[Floats]:
    """[k_i] the teacher's probabilities for each list, as often as the settings count them."""
    return [
        (settings.distillation_weight / (1 + np.exp(-own))).astype(np.float32) for own in teacher.scores(lists.inputs)
    ]
