"""The training steps of the pipeline: each reads what earlier steps wrote and leaves files for the next."""

import json
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from contracts import encoding
from contracts.arrays import Floats
from contracts.bundle import INDEX
from contracts.candidates import (
    BASKETS_COLUMN,
    POPULAR_COLUMN,
    CandidatePlan,
    Shortlist,
    UserSide,
    item_side,
    shortlist,
)
from contracts.events import EventType
from contracts.features import ITEM_ID
from training.artifacts import Embeddings, export_towers
from training.dataset import Dataset, Moment
from training.distribution import output
from training.index import index_recall, search
from training.ranking_lists import CHOSEN, VIEWED, LabelledLists, Looks, joined, labelled_lists
from training.ranking_models import choose, train
from training.settings import IndexSettings, RankerSettings, Settings, TwoTowerSettings
from training.strangers import strangers
from training.two_tower import Progress, Towers, epochs_for, fit, new_towers
from training.workspace import Workspace, require

REPORT = "report.json"


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
    towers = new_towers(dataset, positives, settings.two_tower)
    tower = settings.two_tower
    windows_start = timeline.ranker_starts[0]
    base_window = timeline.two_tower_start, windows_start
    epochs = epochs_for(positives, *base_window, tower)
    base = fit(towers, positives, *base_window, epochs, tower, progress)
    for start in timeline.ranker_starts:
        moment = dataset.moment(start)
        _embed(towers, moment, embeddings, settings.index)
        if tower.stranger_share:
            unmet = strangers_of(dataset, moment, tower)
            embeddings.save_strangers(start, towers.embed_queries(unmet.queries))
    tuned = fit(towers, positives, windows_start, timeline.cutoff, tower.fine_tune_epochs, tower, progress)
    for end in (timeline.cutoff, timeline.data_end):
        _embed(towers, dataset.moment(end), embeddings, settings.index)
    export_towers(towers, folder)
    losses = {"base": base, "fine_tune": tuned}
    shutil.copy(embeddings.index_path(timeline.data_end), folder / INDEX)
    recall = _recall(embeddings, timeline.data_end, settings.index)
    report = {"losses": losses, f"index_recall@{settings.index.recall_k}": recall}
    (folder / REPORT).write_text(json.dumps(report, indent=2) + "\n")
    return losses


def train_ranking(workspace: Workspace, settings: Settings, progress: Progress) -> list[float]:
    """Losses of the ranker that was chosen, trained on all windows. Writes its exports and how the choice was made, and
    with what: the evaluation goes on from there.

    Strangers teach the one that serves; the choice between kinds is made of and by users who are known.
    """
    dataset, embeddings = Dataset(workspace), Embeddings(require(workspace.towers, "tandem train-towers"))
    windows, unmet = lessons(dataset, embeddings, settings, progress)
    choice = choose(windows, settings.ranker, progress)
    ranker, losses = train(choice.kind, joined(windows), settings.ranker, progress, joined(unmet))
    shutil.rmtree(workspace.ranker, ignore_errors=True)
    ranker.export(workspace.ranker)
    if choice.judged:
        choice.judged.export(workspace.judged_ranker)
    report = {"model": choice.kind, "validation_ndcg@20": choice.measured, "losses": losses}
    (workspace.ranker / REPORT).write_text(json.dumps(report, indent=2) + "\n")
    return losses


def lessons(
    dataset: Dataset, embeddings: Embeddings, settings: Settings, progress: Progress, without: Collection[str] = ()
) -> tuple[list[LabelledLists], list[LabelledLists]]:
    """What the ranker learns from: lists of each label window, and those of its strangers where any are wanted."""
    met, unmet = list[LabelledLists](), list[LabelledLists]()
    for window in dataset.timeline.ranker_windows:
        met.append(ranking_lists(dataset, embeddings, *window, settings, without=without))
        if settings.two_tower.stranger_share:
            unmet.append(ranking_lists(dataset, embeddings, *window, settings, unmet=True, without=without))
        progress(len(met), len(dataset.timeline.ranker_starts), "candidates")
    return met, unmet


def ranking_lists(
    dataset: Dataset,
    embeddings: Embeddings,
    start: int,
    end: int,
    settings: Settings,
    *,
    unmet: bool = False,
    without: Collection[str] = (),
) -> LabelledLists:
    """Candidates as of start, labelled by what was bought in [start, end).

    unmet: of the moment's strangers, not of its users. without: users who teach nothing.
    """
    moment, queries, bought = dataset.moment(start), embeddings.queries(start), dataset.bought(start, end)
    if unmet:
        moment, queries = strangers_of(dataset, moment, settings.two_tower), embeddings.strangers(start)
    users = [row for row, user in enumerate(moment.user_ids) if user in bought and user not in without]
    lists = shortlists(dataset, moment, users, embeddings, settings.ranker, queries)
    user_ids = [moment.user_ids[row] for row in users]
    truths, looks = [bought[user] for user in user_ids], looks_in(dataset, user_ids, start, end)
    return labelled_lists([one.inputs for one in lists], [one.rows for one in lists], truths, looks)


def strangers_of(dataset: Dataset, moment: Moment, settings: TwoTowerSettings) -> Moment:
    """The settings' share of the moment's users as if nobody had met them."""
    return strangers(moment, dataset.vocabularies[ITEM_ID], settings.stranger_share)


def looks_in(dataset: Dataset, user_ids: Sequence[str], start: int, end: int) -> Looks:
    """What each user looked at in [start, end), with its label."""
    labels = {EventType.CART_ADD: CHOSEN, EventType.LIKE: CHOSEN, EventType.VIEW: VIEWED}
    by_label = [(label, dataset.looked_at(kind, start, end)) for kind, label in labels.items()]
    return [[(label, seen[user]) for label, seen in by_label if user in seen] for user in user_ids]


def shortlists(
    dataset: Dataset,
    moment: Moment,
    users: Sequence[int],
    embeddings: Embeddings,
    ranker: RankerSettings,
    queries: Floats | None = None,
) -> list[Shortlist]:
    """Candidates of the moment's users, by the code that serves: entry i belongs to users[i].

    queries: [users of the moment, embedding_dim], where they are not those that were kept.
    """
    plan = candidate_plan(ranker)
    items = item_side(
        dataset.catalogue(moment.item_statistics), embeddings.items(moment.seconds), POPULAR_COLUMN, plan.num_popular
    )
    asked = (embeddings.queries(moment.seconds) if queries is None else queries)[list(users)]
    nearest = search(embeddings.index(moment.seconds), asked, plan.num_nearest)
    return [
        shortlist(user_side(moment, row, query), found, items, plan)
        for row, query, found in zip(users, asked, nearest, strict=True)
    ]


def user_side(moment: Moment, row: int, query: Floats) -> UserSide:
    """One user of a moment as the shared candidate code wants it."""
    statistics = moment.queries[encoding.STATISTICS][row]
    baskets = float(statistics[BASKETS_COLUMN])
    return UserSide(query, moment.histories[row], statistics, baskets, moment.seconds, moment.looks[row])


def candidate_plan(settings: RankerSettings) -> CandidatePlan:
    """The sources' shares of the candidates."""
    return CandidatePlan(settings.num_candidates, settings.num_repeat, settings.num_popular, settings.num_looked)


def _embed(towers: Towers, moment: Moment, embeddings: Embeddings, settings: IndexSettings) -> None:
    queries, items = towers.embed_queries(moment.queries), towers.embed_items(moment.item_statistics)
    embeddings.save(moment.seconds, queries, items, settings)


def _recall(embeddings: Embeddings, seconds: int, settings: IndexSettings) -> float:
    return index_recall(embeddings.index(seconds), embeddings.items(seconds), embeddings.queries(seconds), settings)
