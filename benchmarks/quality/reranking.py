"""What variety, caps and exploration cost: `python -m benchmarks.quality.reranking`, on the last label window.

The lists are the pipeline's for users of that window, by a ranker that has learned from the windows before it, arranged
by the rules that serve. The test window is not read.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from contracts.arrays import Floats, Rows
from contracts.ranking.candidates import ItemSide, item_side
from contracts.rules.rules import rule_set
from serving.rules.arrangement import arrange
from serving.rules.compile import CompiledRules, compiled
from training.dataset.dataset import Dataset
from training.evaluation.window import EvaluationWindow, window_at
from training.metrics.intervals import difference
from training.metrics.ranking_metrics import NDCG_AT, per_user_metrics
from training.params_file import load_settings
from training.ranking.scoring import exported_scores
from training.retrieval.embeddings import Embeddings
from training.settings import Settings
from training.workspace import Workspace, require

CAPS: Final = ((5, "department"), (2, "category"))
RULES: Final[dict[str, dict[str, Any]]] = {
    **{f"diversity, strength {s}": {"diversity": {"strength": s}} for s in (0.1, 0.2, 0.4)},
    **{f"at most {n} of a {per}": {"cap": {"at_most": n, "per": per}} for n, per in CAPS},
    **{f"explore {s:.0%} of the places among 50": {"explore": {"share": s, "among": 50}} for s in (0.05, 0.1, 0.2)},
}  # fmt: skip
USERS: Final = 1000
SEED: Final = 17


@dataclass(frozen=True)
class Ranked:
    """The window's lists before rules; entry i of scores is origin.candidates[i]'s."""

    window: EvaluationWindow
    scores: Sequence[Floats]
    items: ItemSide

    def shown(self, rules: CompiledRules) -> Rows:
        """[users, NDCG_AT] what the rules make of them."""
        lists = np.full((len(self.scores), NDCG_AT), -1, np.int64)
        for user, (one, own) in enumerate(zip(self.window.candidates, self.scores, strict=True)):
            order = np.argsort(-own, kind="stable")
            done = arrange(one.rows, own, order, NDCG_AT, rules.rules, seed=SEED + user)
            lists[user, : len(done.positions)] = one.rows[done.positions]
        return lists


def main() -> None:
    """Prints a row a rule."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.reranking", description=__doc__)
    parser.add_argument("--root", default=".", help="workspace of the pipeline")
    root = Path(parser.parse_args().root)
    print(f"| rule | NDCG@{NDCG_AT} | less than without | categories in a list | likeness | items shown |")
    print("|---|---|---|---|---|---|")
    for line in rows(ranked(Workspace(root), load_settings(root / "params.yaml")), Dataset(Workspace(root))):
        print(line, flush=True)


def ranked(workspace: Workspace, settings: Settings) -> Ranked:
    """The last label window, by the ranker that the pipeline has kept out of it."""
    dataset = Dataset(workspace)
    embeddings = Embeddings(require(workspace.towers, "tandem train-towers"))
    window = window_at(dataset, embeddings, *dataset.timeline.ranker_windows[-1], settings, USERS)
    catalogue = dataset.catalogue(window.item_statistics)
    items = item_side(catalogue, embeddings.items(window.start), 1)
    return Ranked(
        window,
        exported_scores(window.candidates, workspace.judged_ranker(len(dataset.timeline.ranker_windows) - 1)),
        items,
    )


def rows(lists: Ranked, dataset: Dataset, rules: Mapping[str, dict[str, Any]] = RULES) -> list[str]:
    """Markdown; the first is without rules."""
    plain = lists.shown(CompiledRules())
    lines = [_row("none", plain, plain, lists)]
    for name, rule in rules.items():
        asked = rule_set({"version": "1", "rules": [{"name": "asked", **rule}]})
        lines.append(_row(name, lists.shown(compiled(asked, lists.items, dataset.vocabularies)), plain, lists))
    return lines


def _row(name: str, shown: Rows, plain: Rows, lists: Ranked) -> str:
    found, without = (per_user_metrics(one, lists.window.truths)[f"ndcg@{NDCG_AT}"] for one in (shown, plain))
    lost = difference(without, found)
    categories = lists.items.catalogue.codes["category"]
    kinds = np.mean([len(np.unique(categories[own[own >= 0]])) for own in shown])
    return (
        f"| {name} | {found.mean():.4f} | {lost.mean:.4f} ({lost.low:.4f} to {lost.high:.4f}) | {kinds:.1f} "
        f"| {np.mean([_likeness(lists.items.embeddings[own[own >= 0]]) for own in shown]):.3f} "
        f"| {len(np.unique(shown[shown >= 0])):,} |"
    )


def _likeness(embeddings: Floats) -> float:
    """Mean cosine of the pairs of a list."""
    units = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-9)
    size = len(units)
    return float(((units @ units.T).sum() - size) / max(size * (size - 1), 1))


if __name__ == "__main__":
    main()
