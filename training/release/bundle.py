"""Trained parts to one sealed release bundle."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.bundle import files as bundle
from contracts.bundle.golden import GOLDEN_USERS
from contracts.bundle.manifest import seal, write_bundle
from contracts.events.items import SHELVES, shelf_of
from contracts.events.schema import UNKNOWN
from contracts.features import encoding, names
from contracts.features.names import REFERENCE_LENGTH
from contracts.ranking.neighbours import Neighbours
from contracts.ranking.segments import Segments
from training.dataset.dataset import Dataset, Moment
from training.ranking.scoring import rank_with_scores
from training.ranking.shortlists import shortlists
from training.ranking.without_history import segments_at
from training.release.golden import write_golden
from training.release.model_card import markdown
from training.release.signing import Sign
from training.retrieval.embeddings import Embeddings
from training.settings import Settings
from training.workspace import Workspace, require

REFERENCE_USERS = 2000
EXAMPLE_USERS = 20


@dataclass(frozen=True)
class Cards:
    """Writers of the model card; each is given names and values of what identifies the bundle."""

    markdown: Callable[[Mapping[str, str]], str]
    page: Callable[[Mapping[str, str]], str]


def assemble(workspace: Workspace, settings: Settings, sign: Sign | None = None) -> Path:
    """The new bundle's folder. Item features are as of the end of the data."""
    from training.release.model_card_page import page  # Plotly's second is for the bundles that have such a page

    metrics = json.loads(require(workspace.metrics, "tandem evaluate").read_text())
    cards = Cards(partial(markdown, metrics), partial(page, metrics))
    return sealed_bundle(workspace, settings, metrics, cards, sign)


def sealed_bundle(
    workspace: Workspace,
    settings: Settings,
    metrics: Mapping[str, Any],
    cards: Cards,
    sign: Sign | None = None,
    reference_users: int = REFERENCE_USERS,
) -> Path:
    """The folder of a bundle of the workspace's towers and ranker, with these metrics and cards.

    reference_users: how many users' features and scores are kept for drift, at most.
    """
    dataset = Dataset(workspace)
    moment = dataset.moment(dataset.timeline.data_end)
    embeddings = Embeddings(require(workspace.towers, "tandem train-towers"))
    items = embeddings.items(moment.seconds)
    with write_bundle(workspace.bundles) as folder:
        _copy_models(workspace, folder)
        write_shop(folder, dataset, moment, items, segments_at(dataset, moment), embeddings.neighbours(moment.seconds))
        if related := embeddings.related(moment.seconds):
            related.save(folder / bundle.RELATED)
        if workspace.evaluation.exists():
            shutil.copyfile(workspace.evaluation, folder / bundle.EVALUATION)
        _write_cards(folder, dataset, cards, len(items))
        users = _spread(len(moment.user_ids), reference_users)
        reference = _reference(workspace, dataset, moment, users, embeddings, settings)
        pq.write_table(reference, folder / bundle.REFERENCE)
        asked = users[:GOLDEN_USERS].tolist()
        candidates = shortlists(dataset, moment, asked, embeddings, settings.ranker)
        write_golden(folder, moment.queries, asked, candidates)
        sealed = seal(
            folder,
            sign,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            data_end_timestamp=float(dataset.timeline.data_end),
            training_cutoff_timestamp=float(dataset.timeline.cutoff),
            time_zone=dataset.timeline.time_zone,
            num_items=len(items),
            embedding_dim=items.shape[1],
            example_user_ids=_examples(moment),
            hyper_parameters=json.loads(json.dumps(settings.to_dict())),
            metrics=dict(metrics),
        )
    workspace.bundle_receipt.write_text(json.dumps({"bundle_version": sealed.name}) + "\n")
    return sealed


def write_shop(
    folder: Path,
    dataset: Dataset,
    moment: Moment,
    embeddings: npt.NDArray[np.float32],
    segments: Segments,
    neighbours: Neighbours | None = None,
) -> None:
    """All of a bundle that is neither model nor index; embeddings, segments and neighbours are as of the moment."""
    shutil.copyfile(dataset.folder / "vocabularies.json", folder / bundle.VOCABULARIES)
    np.save(folder / bundle.ITEM_EMBEDDINGS, embeddings)
    shutil.copyfile(dataset.folder / bundle.TEXT_PROJECTION, folder / bundle.TEXT_PROJECTION)
    np.savez_compressed(
        folder / bundle.ITEMS,
        codes=dataset.content,
        statistics=moment.item_statistics,
        text=dataset.text,
        prices=dataset.prices(),
    )
    if neighbours:
        neighbours.save(folder / bundle.NEIGHBOURS)
    np.savez_compressed(folder / bundle.SEGMENTS, rows=segments.rows, buyers=segments.buyers)
    (folder / bundle.DISPLAY).write_text(json.dumps(_display(dataset)))


def _copy_models(workspace: Workspace, folder: Path) -> None:
    for name in (bundle.QUERY_TOWER, bundle.CANDIDATE_TOWER, bundle.INDEX):
        shutil.copyfile(workspace.towers / name, folder / name)
    shutil.copyfile(workspace.ranker / bundle.RANKER, folder / bundle.RANKER)
    if (workspace.unseen_ranker / bundle.RANKER).exists():
        shutil.copyfile(workspace.unseen_ranker / bundle.RANKER, folder / bundle.UNSEEN_RANKER)
    for models in (workspace.towers, workspace.ranker):
        if (models / bundle.SAVED_MODELS).exists():  # trees have no SavedModel
            shutil.copytree(models / bundle.SAVED_MODELS, folder / bundle.SAVED_MODELS, dirs_exist_ok=True)


def _write_cards(folder: Path, dataset: Dataset, cards: Cards, num_items: int) -> None:
    facts = {
        "data until": datetime.fromtimestamp(dataset.timeline.data_end, UTC).date().isoformat(),
        "items": f"{num_items:,}",
        "users": f"{len(dataset.vocabularies[names.USER_ID].terms):,}",
    }
    (folder / bundle.MODEL_CARD).write_text(cards.markdown(facts), encoding="utf-8")
    (folder / bundle.MODEL_CARD_PAGE).write_text(cards.page(facts), encoding="utf-8")


def _display(dataset: Dataset) -> dict[str, list[str]]:
    columns = {name: dataset.display().column(name).to_pylist() for name in (names.ITEM_ID, "title", *SHELVES)}
    shelves = zip(*(columns[name] for name in SHELVES), strict=True)
    return {
        "title": [title or item for title, item in zip(columns["title"], columns[names.ITEM_ID], strict=True)],
        "department": [shelf_of(values) for values in shelves],
    }


def _examples(moment: Moment) -> list[str]:
    """Users with histories of every length, longest and shortest left out."""
    order = np.argsort([len(history) for history in moment.histories], kind="stable")
    quantiles = np.linspace(0.98, 0.3, EXAMPLE_USERS) * (len(order) - 1)
    return list(dict.fromkeys(moment.user_ids[order[int(at)]] for at in quantiles))


def _spread(users: int, most: int) -> npt.NDArray[np.int64]:
    """At most this many rows of users, evenly spread."""
    return np.linspace(0, users - 1, min(most, users), dtype=np.int64)


def _reference(
    workspace: Workspace,
    dataset: Dataset,
    moment: Moment,
    users: npt.NDArray[np.int64],
    embeddings: Embeddings,
    settings: Settings,
) -> pa.Table:
    """What the server will log for users of today: profile, statistics and scores of their lists."""
    candidates = shortlists(dataset, moment, users.tolist(), embeddings, settings.ranker)
    scores = [ranked[1][:REFERENCE_LENGTH] for ranked in rank_with_scores(candidates, workspace.ranker)]
    profile, statistics = moment.queries[encoding.PROFILE][users], moment.queries[encoding.STATISTICS][users]
    columns: dict[str, pa.Array] = {}
    for i, name in enumerate(names.USER_PROFILE):
        terms = (UNKNOWN, *dataset.vocabularies[name].terms)
        columns[name] = pa.array([terms[code] for code in profile[:, i]])
    for i, name in enumerate(names.USER_STATISTICS):
        columns[name] = pa.array(statistics[:, i].astype(np.float64))
    columns[names.TOP_SCORE] = pa.array([float(one.max()) for one in scores])
    columns[names.MEAN_SCORE] = pa.array([float(one.mean()) for one in scores])
    return pa.table(columns)
