"""Lists for a page or a basket, as a server gives them: `python -m benchmarks.quality.lists_in_context LOG --root DIR`.

The pipeline runs with its defaults on a log without its last 28 days. Half of each basket of these days is then the
context of a request, and the list is asked for the other half: for the customer, and for a stranger with this basket.
For the page of a product, one item is asked for the rest of its basket. What goes with it by baskets alone, and the
customer's list without a context, stand next to them. Figures are Recall@10, means over users with 95 % intervals.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from benchmarks.quality.metrics import interval
from benchmarks.quality.sets import benchmark_folder
from benchmarks.quality.shop_logs import ZONES, write_raw
from benchmarks.quality.workspaces import train
from contracts.api.limits import MAX_CONTEXT
from contracts.api.requests import RecommendationRequest
from contracts.arrays import Rows
from contracts.bundle.files import CURRENT
from contracts.errors import TandemError
from contracts.features.names import ITEM_ID, USER_ID
from contracts.features.vocabulary import OUT_OF_VOCABULARY, Vocabulary
from contracts.ranking.candidates import NO_ROWS
from serving.bundles.bundle import load_bundle
from serving.retrieval.filters import known_rows
from serving.runtime.stage_batching import alone
from tandem.sandbox import recommenders
from training.retrieval.held_out_baskets import Question, recall
from training.workspace import Workspace

AT: Final = 10
STRANGER: Final = "nobody of this log"
DAYS: Final = 28
SEED: Final = 17


Basket = tuple[int, Rows]
"""A user's place in the vocabulary, and distinct catalogue rows in an order of chance."""


def main() -> None:
    """Prints one table; ends with a message where the log is not here."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.lists_in_context", description=__doc__)
    parser.add_argument("data", choices=sorted(ZONES))
    parser.add_argument("--folder", type=Path, help="where the public logs lie (default: TANDEM_BENCHMARKS)")
    parser.add_argument("--root", type=Path, required=True, help="a new folder for the workspace")
    parser.add_argument("--baskets", type=int, default=1000)
    options = parser.parse_args()
    try:
        later = cut_off(options.data, options.folder or benchmark_folder(), options.root)
    except TandemError as error:
        raise SystemExit(str(error)) from error
    for line in table(options.root, later, options.baskets):
        print(line, flush=True)


def cut_off(name: str, public: Path, root: Path) -> pd.DataFrame:
    """Runs the pipeline on the log without its last DAYS in a new workspace; returns their lines.

    Raises MissingArtifact without the log.
    """
    raw, mapping = root / "raw", root / "mapping.yaml"
    write_raw(name, public, raw)
    lines = pq.read_table(raw / "interactions.parquet").to_pandas()
    times = pd.to_datetime(lines["event_timestamp"])
    kept = times < times.max() - pd.Timedelta(days=DAYS)
    lines[kept].to_parquet(raw / "interactions.parquet", index=False)
    mapping.write_text(f"time_zone: {ZONES[name]}\n")
    train(root, f"ingest: {{adapter: ecommerce, path: {raw}, mapping: {mapping}}}\n", sealed=True)
    later: pd.DataFrame = lines[~kept]
    return later


def table(root: Path, later: pd.DataFrame, most: int) -> Iterator[str]:
    """The lines of the table of a workspace whose bundle has seen none of the later lines."""
    workspace = Workspace(root)
    bundle = load_bundle(workspace.bundles / CURRENT)
    (recommender,) = recommenders(workspace, CURRENT, [None], historical=True)
    users, items = bundle.vocabularies[USER_ID], bundle.vocabularies[ITEM_ID]
    baskets = drawn(later, users, items, most)

    def by_baskets(one: Question) -> Rows:
        return bundle.related.nearest(one.asked, AT, None, bundle.items.neighbours)[0] if bundle.related else NO_ROWS

    def listed(user: str, **fields: Rows) -> Rows:
        ids = {name: [bundle.item_ids[row] for row in rows] for name, rows in fields.items()}
        request = RecommendationRequest.model_validate({"user_id": user, "n": AT, **ids})
        answer = alone(recommender.steps(request, shown=False))
        return known_rows([item.item_id for item in answer.items], bundle.vocabularies)

    answers: dict[str, Callable[[Question], Rows]] = {
        "what goes with it by baskets": by_baskets,
        "the customer's list without a context": lambda one: listed(users.terms[one.user], exclude=one.asked),
        "the customer's list": lambda one: listed(users.terms[one.user], context=one.asked),
        "a stranger's list": lambda one: listed(STRANGER, context=one.asked),
    }
    yield f"| {len(baskets):,} baskets, recall@{AT} | asked with one item | asked with half |"
    yield "|---|---|---|"
    kinds = [halved(baskets, 1), halved(baskets, MAX_CONTEXT)]
    for name, answer in answers.items():
        yield f"| {name} | {' | '.join(measured(questions, answer) for questions in kinds)} |"


def drawn(later: pd.DataFrame, users: Vocabulary, items: Vocabulary, most: int) -> list[Basket]:
    """Baskets of known users with two known items or more, in an order of chance; at most this many."""
    coded = later.assign(user=users.encode(later[USER_ID].tolist()), item=items.encode(later[ITEM_ID].tolist()))
    known = coded[(coded["user"] != OUT_OF_VOCABULARY) & (coded["item"] != OUT_OF_VOCABULARY)]
    basket = "basket_id" if "basket_id" in known else "event_timestamp"
    random = np.random.default_rng(SEED)
    bought = [
        (int(lines["user"].iloc[0]) - 1, random.permutation(lines["item"].unique()).astype(np.int64) - 1)
        for _, lines in known.groupby(["user", basket], sort=False)
    ]
    several = [one for one in bought if len(one[1]) > 1]
    return [several[at] for at in random.permutation(len(several))[:most].tolist()]


def halved(baskets: Sequence[Basket], most: int) -> list[Question]:
    """The first half of each basket, at most this many items, asked for the others."""
    asked = [(user, items, min((len(items) + 1) // 2, most)) for user, items in baskets]
    return [Question(user, items[:at], items[at:]) for user, items, at in asked]


def measured(questions: Sequence[Question], answer: Callable[[Question], Rows]) -> str:
    """The mean over users of what they found, with its interval."""
    answers = iter([answer(one) for one in questions])  # in the order of the questions
    mean, low, high = interval(recall(questions, lambda _: next(answers), AT)[0])
    return f"{mean:.4f} ({low:.4f} to {high:.4f})"


if __name__ == "__main__":
    main()
