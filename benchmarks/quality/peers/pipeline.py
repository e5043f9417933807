"""Ours as it serves: the candidates and the exported ranker that the pipeline has trained."""

import numpy as np

from benchmarks.quality.peers.peer import NO_CANDIDATE, Scores
from benchmarks.quality.splits import Split
from benchmarks.quality.workspaces import with_seed
from contracts.arrays import Rows
from training.dataset.dataset import Dataset
from training.params_file import load_settings
from training.ranking.scoring import rank_with_scores, ranker_of_unseen
from training.ranking.shortlists import shortlists
from training.ranking.without_history import as_served, lists_without_history
from training.retrieval.embeddings import Embeddings
from training.workspace import Workspace, require


class PipelineList:
    """The final list. It is not fitted here: `tandem train-towers` and `tandem train-ranker` have done that."""

    def __init__(self, *, include_seen: bool = True, seed: int | None = None) -> None:
        """include_seen: of the requests. seed: of models trained anew; None for those that are there."""
        self._include_seen, self._seed = include_seen, seed

    def fit(self, split: Split) -> None:
        """Makes the lists of all users that are asked about. Raises MissingArtifact where the pipeline has not run."""
        assert split.moment is not None, "only sets of the pipeline have its lists"
        root = split.moment.root if self._seed is None else with_seed(split.moment.root, self._seed)
        workspace, settings = Workspace(root), load_settings(root / "params.yaml")
        dataset = Dataset(workspace)
        embeddings = Embeddings(require(workspace.towers, "tandem train-towers"))
        moment = dataset.moment(split.moment.seconds)
        users = split.users
        drawn = shortlists(
            dataset, moment, users.tolist(), embeddings, settings.ranker, include_seen=self._include_seen
        )
        ranker = workspace.ranker if self._include_seen else ranker_of_unseen(workspace)
        without_history = lists_without_history(dataset, moment, users.tolist())
        served = as_served(rank_with_scores(drawn, ranker), without_history)
        self._lists = dict(zip(users.tolist(), served, strict=True))
        self._split = split

    def discovering(self) -> "PipelineList":
        """The list of a request with include_seen=false."""
        other = PipelineList(include_seen=False, seed=self._seed)
        other.fit(self._split)
        return other

    def scores(self, users: Rows) -> Scores:
        """Places from the list's end, and next to nothing for items that are not in it."""
        scores = np.full((len(users), self._split.num_items), NO_CANDIDATE, np.float32)
        for row, user in enumerate(users.tolist()):
            items = self._lists[user]
            scores[row, items] = np.arange(len(items), 0, -1)
        return scores
