"""What goes with an item, ours next to peers: `python -m benchmarks.quality.related_items ROOT`.

Baskets of the test window are asked: one item for the rest of its basket (`similar`), and half a basket for the other
half. Peers are the item-to-item models of the table, fitted to baskets and to users; the baskets of the 28 days before
choose among their hyper-parameters. Figures are Recall@10, means over users with 95 % intervals.
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.quality.entrants import EASE, ITEM_KNN, Entrant
from benchmarks.quality.metrics import Values, interval
from benchmarks.quality.peers.peer import Peer, counts, top_lists
from benchmarks.quality.peers.simple import Popularity
from benchmarks.quality.pipeline_sets import window
from benchmarks.quality.splits import Baskets, Split
from contracts.errors import TandemError
from training.dataset.dataset import Dataset
from training.evaluation.related import AT, QUESTIONS
from training.retrieval.embeddings import Embeddings
from training.retrieval.held_out_baskets import Question, basket_questions, recall, similar_questions
from training.workspace import Workspace, require

OURS = "Tandem"
LEARNED = ("baskets", "users")
MAX_ITEMS = 8000  # of the peers: the most popular ones, as the dense matrix of EASE has them


@dataclass(frozen=True)
class Asked:
    """Questions of one window, and what may be learned before it."""

    num_items: int
    learned: Mapping[str, list[Baskets]]  # by LEARNED
    questions: Mapping[str, list[Question]]  # by kind


def main() -> None:
    """Prints one table a kind of question; ends with a message where the pipeline has not run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.related_items", description=__doc__)
    parser.add_argument("root", type=Path, help="workspace in which `tandem train-towers` has run")
    root = parser.parse_args().root
    try:
        validation, test = asked(root, 1), asked(root, 0)
        dataset = Dataset(Workspace(root))
        embeddings = Embeddings(require(Workspace(root).towers, "tandem train-towers"))
        related = embeddings.related(dataset.timeline.cutoff)
        neighbours = embeddings.neighbours(dataset.timeline.cutoff)
    except TandemError as error:
        raise SystemExit(str(error)) from error
    for kind, questions in test.questions.items():
        print(f"\n| {kind}, {len(questions):,} questions | recall@{AT} |\n|---|---|", flush=True)
        if related:
            found = recall(questions, lambda rows: related.nearest(rows, AT, neighbours=neighbours)[0], AT)[0]
            print(line(OURS, found), flush=True)
        for name, values in peers(validation, test, kind):
            print(line(name, values), flush=True)


def asked(root: Path, back: int) -> Asked:
    """The test window for back 0, the label window before it for 1. Raises MissingArtifact where nothing is trained."""
    split, dataset = window(root, back), Dataset(Workspace(root))
    timeline = dataset.timeline
    start, end = [*timeline.ranker_windows, (timeline.cutoff, timeline.data_end)][-1 - back]
    before, of_window = dataset.baskets().between(0, start), dataset.baskets().between(start, end)
    spans = np.split(before.items.indices, before.items.indptr[1:-1])
    questions = {"similar": similar_questions(of_window, QUESTIONS), "basket": basket_questions(of_window, QUESTIONS)}
    learned = {"baskets": [[rows.astype(np.int64)] for rows in spans], "users": split.histories}
    return Asked(split.num_items, learned, {kind: found for kind, found in questions.items() if found})


def peers(validation: Asked, test: Asked, kind: str) -> Iterator[tuple[str, Values]]:
    """(name, [users] recall) of popularity and of each peer with the choice that validation prefers."""
    yield "popularity", answered(Popularity(), test, "baskets", kind)
    for entrant in (ITEM_KNN, EASE):
        for of in LEARNED:
            best = max(entrant.grid, key=lambda choice: answered(built(entrant, choice), validation, of, kind).mean())
            yield f"{entrant.name} of {of} {dict(best)}", answered(built(entrant, best), test, of, kind)


def built(entrant: Entrant, choice: Mapping[str, object]) -> Peer:
    """The entrant over MAX_ITEMS."""
    return entrant.build(**choice, max_items=MAX_ITEMS)


def answered(peer: Peer, asked: Asked, of: str, kind: str) -> Values:
    """[users] the mean recall of a peer that has learned from baskets or users; what is asked with is its history."""
    questions = asked.questions[kind]
    histories = [[one.asked] for one in questions]
    truths = [one.truth for one in questions]
    split = Split(asked.num_items, histories, asked.learned[of], truths, repeats=False, ordered=False, k=AT)
    peer.fit(split)
    lists = iter(top_lists(peer, split, counts(split, binary=True)))  # in the order of the questions
    return recall(questions, lambda _: next(lists), AT)[0]


def line(name: str, values: Values) -> str:
    """One row of the table."""
    mean, low, high = interval(values)
    return f"| {name} | {mean:.4f} ({low:.4f} to {high:.4f}) |"


if __name__ == "__main__":
    main()
