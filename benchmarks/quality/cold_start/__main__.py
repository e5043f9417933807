"""New users and new items, compared with popularity: `python -m benchmarks.quality.cold_start`, last label window.

Users and items are new of which towers, ranker and segments have not seen a purchase; of new items nobody has.
The test window is not read.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.quality.cold_start.new_items import LENGTH, new_item_lists
from benchmarks.quality.cold_start.shop import Shop, opened
from benchmarks.quality.cold_start.visitors import POPULARITY, SEGMENT, WAYS, Counter, Visitor, session_rows, visitors
from contracts.arrays import Rows
from training.metrics.intervals import Interval, difference, interval
from training.metrics.ranking_metrics import NDCG_AT, padded, per_user_metrics, without
from training.params_file import load_settings
from training.retrieval.embeddings import Embeddings
from training.retrieval.train import fit_towers
from training.workspace import Workspace

NDCG: Final = f"ndcg@{NDCG_AT}"
RECALL: Final = f"recall@{LENGTH}"


def main() -> None:
    """Prints a table a case."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.cold_start", description=__doc__)
    parser.add_argument("--root", default=".", help="workspace of the pipeline")
    workspace = Workspace(Path(parser.parse_args().root))
    settings, shop = load_settings(workspace.root / "params.yaml"), Shop(workspace)
    with tempfile.TemporaryDirectory() as folder:
        counter = Counter(opened(shop, settings, Path(folder)), shop.companions())
        for lines in user_tables(shop, counter, visitors(shop)):
            print("\n".join(lines), flush=True)
        renewed, towers = Shop(workspace, new_items=True), Path(folder) / "new_items"
        fit_towers(renewed, towers, settings, lambda *_: None)
        print("\n".join(item_table(*new_item_lists(renewed, Embeddings(towers)))), flush=True)


def user_tables(shop: Shop, counter: Counter, people: Sequence[Visitor]) -> list[list[str]]:
    """Markdown: what is known, with everything bought; and of the session what is bought besides its items."""
    own = [session_rows(one, shop) for one in people]
    in_session = {
        SEGMENT: [counter.segment(one) for one in people],
        POPULARITY: [counter.popularity(one) for one in people],
    }
    tables = []
    for known, ways in WAYS.items():
        lists = {name: [way(counter, one) for one in people] for name, way in ways.items()} | in_session
        tables.append(table(f"{known}, all purchases", NDCG, lists, [one.truth for one in people]))
        if known == "session":
            rest = [row for row, one in enumerate(people) if len(without(one.truth, own[row]))]
            fewer = {name: [without(rows[row], own[row]) for row in rest] for name, rows in lists.items()}
            truths = [without(people[row].truth, own[row]) for row in rest]
            tables.append(table("session, what is not in it", NDCG, fewer, truths))
    return tables


def item_table(lists: Mapping[str, Sequence[Rows]], truths: Sequence[Rows]) -> list[str]:
    """Markdown: new items among themselves."""
    return table("new items", RECALL, lists, truths)


def table(title: str, metric: str, lists: Mapping[str, Sequence[Rows]], truths: Sequence[Rows]) -> list[str]:
    """Markdown: each list with its metric and what it has more than the two popularities."""
    values = {name: per_user_metrics(padded(rows, LENGTH), truths)[metric] for name, rows in lists.items()}
    lines = [
        "",
        f"| {title}, {len(truths)} users | {metric} | more than {SEGMENT} | more than {POPULARITY} |",
        "|---|---|---|---|",
    ]
    for name, own in values.items():
        more = (difference(own, values[other]) if other != name else None for other in (SEGMENT, POPULARITY))
        lines.append(f"| {name} | {_shown(interval(own))} | {' | '.join(_shown(one) if one else '' for one in more)} |")
    return lines


def _shown(one: Interval) -> str:
    return f"{one.mean:.4f} ({one.low:.4f} to {one.high:.4f})"


if __name__ == "__main__":
    main()
