"""The towers' training step: from the dataset to embeddings, exports and the index."""

import json
import shutil
from pathlib import Path

import numpy as np

from contracts.bundle.files import INDEX
from contracts.features.names import ITEM_STATISTICS
from training.dataset.cold_users import cold_users_of
from training.dataset.dataset import Dataset, Moment
from training.progress import Progress
from training.retrieval.distribution import output
from training.retrieval.embeddings import Embeddings
from training.retrieval.export import export_towers
from training.retrieval.fit import Towers
from training.retrieval.index import index_recall
from training.retrieval.neighbours import learn_neighbours
from training.retrieval.recipes import choose_towers
from training.retrieval.related import chosen, related_by
from training.settings import IndexSettings, NeighbourSettings, Settings
from training.workspace import REPORT, Workspace


def train_towers(workspace: Workspace, settings: Settings, progress: Progress) -> dict[str, list[float]]:
    """Losses by phase. Writes embeddings of every moment, the towers' exports and the index.

    The towers that propose the ranker's training candidates have not seen the ranker's label windows; otherwise
    their scores would give the labels away. They are trained on afterwards up to the cutoff, and that is what serves.
    """
    with output(workspace.towers) as folder:
        shutil.rmtree(folder, ignore_errors=True)
        return fit_towers(Dataset(workspace), folder, settings, progress)


def fit_towers(dataset: Dataset, folder: Path, settings: Settings, progress: Progress) -> dict[str, list[float]]:
    """The same of any data set, in any folder."""
    timeline, positives, embeddings = dataset.timeline, dataset.positives(), Embeddings(folder)
    tower = settings.two_tower
    _save_neighbours(dataset, embeddings, settings.neighbours)
    _save_related(dataset, embeddings)
    chosen = choose_towers(dataset, positives, tower, progress)
    towers = chosen.towers
    for start in timeline.ranker_starts:
        moment = dataset.moment(start)
        _embed(towers, moment, embeddings, settings.index)
        if tower.cold_user_share:
            cold = cold_users_of(dataset, moment, tower)
            embeddings.save_cold_users(start, towers.embed_queries(cold.queries))
    tuned = chosen.train_on(positives, timeline.ranker_starts[0], timeline.cutoff, progress)
    for end in (timeline.cutoff, timeline.data_end):
        _embed(towers, dataset.moment(end), embeddings, settings.index)
    export_towers(towers, folder)
    losses = {"base": chosen.losses[0], "fine_tune": tuned[0]}
    shutil.copy(embeddings.index_path(timeline.data_end), folder / INDEX)
    recall = _recall(embeddings, timeline.data_end, settings.index)
    report = {"losses": losses, "towers": chosen.report, f"index_recall@{settings.index.recall_k}": recall}
    (folder / REPORT).write_text(json.dumps(report, indent=2) + "\n")
    return losses


def told(workspace: Workspace) -> str:
    """How the towers were chosen, in one line."""
    chosen = json.loads((workspace.towers / REPORT).read_text())["towers"]
    found = chosen.get("validation_new_recall@20", {})
    parts = (
        [f"new Recall@20 on validation {', '.join(f'{name} {one:.4f}' for name, one in found.items())}"]
        if found
        else []
    )
    parts += [f"left out {chosen['left_out']}"] if "left_out" in chosen else []
    return "; ".join([f"towers of {chosen['recipe']}", *parts])


def _save_neighbours(dataset: Dataset, embeddings: Embeddings, settings: NeighbourSettings) -> None:
    """Weights of every moment, from earlier purchases alone: a label window's own would give its labels away."""
    log, timeline = dataset.purchases(), dataset.timeline
    for seconds in dict.fromkeys((*timeline.ranker_starts, timeline.cutoff, timeline.data_end)):
        embeddings.save_neighbours(seconds, learn_neighbours(log, seconds, len(dataset.item_ids), settings))


def _save_related(dataset: Dataset, embeddings: Embeddings) -> None:
    """What goes together, at the moments that lists are judged at and served from."""
    baskets, timeline = dataset.baskets(), dataset.timeline
    content = dataset.catalogue(np.zeros((len(dataset.item_ids), len(ITEM_STATISTICS)), np.float32))
    window = timeline.ranker_windows[-1]
    exponent, summing = chosen(baskets, window, embeddings.neighbours(window[0]))
    for seconds in (timeline.cutoff, timeline.data_end):
        embeddings.save_related(seconds, related_by(baskets.between(0, seconds), exponent, summing, content))


def _embed(towers: Towers, moment: Moment, embeddings: Embeddings, settings: IndexSettings) -> None:
    queries, items = towers.embed_queries(moment.queries), towers.embed_items(moment.item_statistics)
    embeddings.save(moment.seconds, queries, items, settings)


def _recall(embeddings: Embeddings, seconds: int, settings: IndexSettings) -> float:
    return index_recall(embeddings.index(seconds), embeddings.items(seconds), embeddings.queries(seconds), settings)
