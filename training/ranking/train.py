"""The ranker's training step: from the towers' embeddings to the ranker that serves."""

import json
import shutil
from collections.abc import Collection, Sequence

from training.dataset.cold_users import cold_users_of
from training.dataset.dataset import Dataset
from training.metrics.ranking_metrics import without
from training.progress import Progress
from training.ranking.labelled_lists import LabelledLists, joined, labelled_lists
from training.ranking.models import NeuralRanker, choose, train
from training.ranking.shortlists import engagements_in, shortlists
from training.ranking.unseen import Discount, chosen_discount
from training.retrieval.embeddings import Embeddings
from training.settings import Settings
from training.workspace import REPORT, Workspace, require


def train_ranking(workspace: Workspace, settings: Settings, progress: Progress) -> list[float]:
    """Losses of the ranker that was chosen, trained on all windows. Writes its exports and how the choice was made, and
    with what: the evaluation goes on from there.

    Cold users are part of what the serving ranker learns; the choice between kinds is made on known users alone.
    """
    dataset, embeddings = Dataset(workspace), Embeddings(require(workspace.towers, "tandem train-towers"))
    windows, cold = lessons(dataset, embeddings, settings, progress)
    choice = choose(windows, settings.ranker, progress)
    ranker, losses = train(choice.kind, joined(windows), settings.ranker, progress, joined(cold))
    latest = choice.judged[-1] if choice.judged else None
    shutil.rmtree(workspace.ranker, ignore_errors=True)
    ranker.export(workspace.ranker)
    for learned_from, one in enumerate(choice.judged, 1):
        one.export(workspace.judged_ranker(learned_from))
    discount = Discount()
    if isinstance(latest, NeuralRanker):  # trees have none
        last = unseen_lists(dataset, embeddings, *dataset.timeline.ranker_windows[-1], settings)
        discount = chosen_discount(latest, *last, settings.ranker)
    if of_unseen := discount.applied(ranker, settings.ranker):
        of_unseen.export(workspace.unseen_ranker)
    report = {
        "model": choice.kind,
        "validation_ndcg@20": choice.measured,
        "unseen": {"popularity_discount": discount.value, **discount.measured},
        "losses": losses,
    }
    (workspace.ranker / REPORT).write_text(json.dumps(report, indent=2) + "\n")
    return losses


def unseen_lists(
    dataset: Dataset, embeddings: Embeddings, start: int, end: int, settings: Settings
) -> tuple[LabelledLists, LabelledLists]:
    """Candidates as of start without what is in a user's history, labelled by what was new to the user in [start, end).

    Of all who bought something, and of those with a history alone.
    """
    moment, bought, before = dataset.moment(start), dataset.bought(start, end), dataset.bought(0, start)
    users = [row for row, user in enumerate(moment.user_ids) if user in bought]
    lists = shortlists(dataset, moment, users, embeddings, settings.ranker, include_seen=False)
    user_ids = [moment.user_ids[row] for row in users]
    truths = [without(bought[user], before[user]) if user in before else bought[user] for user in user_ids]
    engagements = engagements_in(dataset, user_ids, start, end)

    def labelled(some: Sequence[int]) -> LabelledLists:
        inputs, rows = [lists[at].inputs for at in some], [lists[at].rows for at in some]
        return labelled_lists(inputs, rows, [truths[at] for at in some], [engagements[at] for at in some])

    return labelled(range(len(users))), labelled([at for at, user in enumerate(user_ids) if user in before])


def lessons(
    dataset: Dataset, embeddings: Embeddings, settings: Settings, progress: Progress, without: Collection[str] = ()
) -> tuple[list[LabelledLists], list[LabelledLists]]:
    """What the ranker learns from: lists of each label window, and lists of its cold users where any are wanted."""
    known, cold = list[LabelledLists](), list[LabelledLists]()
    for window in dataset.timeline.ranker_windows:
        known.append(ranking_lists(dataset, embeddings, *window, settings, without=without))
        if settings.two_tower.cold_user_share:
            cold.append(ranking_lists(dataset, embeddings, *window, settings, cold=True, without=without))
        progress(len(known), len(dataset.timeline.ranker_starts), "candidates")
    return known, cold


def ranking_lists(
    dataset: Dataset,
    embeddings: Embeddings,
    start: int,
    end: int,
    settings: Settings,
    *,
    cold: bool = False,
    without: Collection[str] = (),
) -> LabelledLists:
    """Candidates as of start, labelled by what was bought in [start, end).

    cold: of the moment's cold users instead of its users. without: users that are left out.
    """
    moment, queries, bought = dataset.moment(start), embeddings.queries(start), dataset.bought(start, end)
    if cold:
        moment, queries = cold_users_of(dataset, moment, settings.two_tower), embeddings.cold_users(start)
    users = [row for row, user in enumerate(moment.user_ids) if user in bought and user not in without]
    lists = shortlists(dataset, moment, users, embeddings, settings.ranker, queries)
    user_ids = [moment.user_ids[row] for row in users]
    truths, engagements = [bought[user] for user in user_ids], engagements_in(dataset, user_ids, start, end)
    return labelled_lists([one.inputs for one in lists], [one.rows for one in lists], truths, engagements)
