"""What each part of the towers is worth: `python -m benchmarks.quality.ablations`, by what `tandem tune` is judged by.

Recall@100 among items new to the user in the last label window, after training up to it; the test window is not read.
A part is left out of training and asking alike, or one setting is another than in params.yaml.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from contracts.arrays import Doubles
from contracts.features import encoding
from training.dataset.dataset import Dataset, Positives
from training.metrics.intervals import difference
from training.params_file import load_settings
from training.retrieval.fit import fit, new_towers
from training.retrieval.tuning import RECALL_AT, validation_of
from training.retrieval.validation import Validation
from training.settings import Encoder, Settings
from training.workspace import Workspace


@dataclass
class World:
    """What a training reads; a part that is left out of it is zero everywhere."""

    dataset: Dataset
    positives: Positives
    validation: Validation

    def hide_of_users(self, *names: str) -> None:
        """Inputs of the query tower."""
        self.positives = replace(self.positives, queries=_without(self.positives.queries, names))
        moment = self.validation.moment
        self.validation = replace(self.validation, moment=replace(moment, queries=_without(moment.queries, names)))

    def hide_item_statistics(self) -> None:
        """All that counts how an item sells."""
        self.positives = replace(self.positives, item_statistics=np.zeros_like(self.positives.item_statistics))
        moment = self.validation.moment
        nothing = np.zeros_like(moment.item_statistics)
        self.validation = replace(self.validation, moment=replace(moment, item_statistics=nothing))

    def hide_content(self) -> None:
        """Department, category, brand and the like, of candidates and of the sequence."""
        self.dataset.content = np.zeros_like(self.dataset.content)

    def hide_text(self) -> None:
        """The title's numbers."""
        self.dataset.text = np.zeros_like(self.dataset.text)


SEQUENCE: Final = (encoding.SEQUENCE, encoding.SEQUENCE_TYPES, encoding.SEQUENCE_DAYS)
LEFT_OUT: Final[Mapping[str, Callable[[World], None]]] = {
    "without the sequence": lambda world: world.hide_of_users(*SEQUENCE),
    "without the user's statistics": lambda world: world.hide_of_users(encoding.STATISTICS),
    "without the user's profile": lambda world: world.hide_of_users(encoding.PROFILE),
    "without the user's id": lambda world: world.hide_of_users(encoding.USER),
    "without the item's statistics": World.hide_item_statistics,
    "without the item's content": World.hide_content,
    "without the item's text": World.hide_text,
}
CHANGED: Final[Mapping[str, dict[str, Any]]] = {
    "ids alone, no side features": {"side_features": False},
    "ids never hidden": {"id_dropout": 0.0},
    "no query asks as a cold user": {"cold_user_share": 0.0},
    "every purchase counts the same": {"user_evenness": 0.0},
    "repeats are positives": {"repeat_weight": 1.0},
    "512 uniform negatives": {"uniform_negatives": 512},
    "512 hard negatives": {"hard_negatives": 512},
    "a GRU reads the sequence": {"encoder": Encoder.GRU},
    "attention reads the sequence": {"encoder": Encoder.ATTENTION},
    "temperature 0.2": {"temperature": 0.2},
}


def main() -> None:
    """Prints a row a part."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.ablations", description=__doc__)
    parser.add_argument("--root", default=".", help="workspace of the pipeline")
    parser.add_argument("--only", nargs="*", choices=[*LEFT_OUT, *CHANGED], help="these parts alone")
    options = parser.parse_args()
    workspace, settings = Workspace(Path(options.root)), load_settings(Path(options.root) / "params.yaml")
    print(f"| towers | Recall@{RECALL_AT} | less than as they are | seconds |\n|---|---|---|---|", flush=True)
    whole, seconds = trained(workspace, settings)
    print(f"| as they are | {whole.mean():.4f} | | {seconds:.0f} |", flush=True)
    for name in options.only or [*LEFT_OUT, *CHANGED]:
        changed = replace(settings, two_tower=replace(settings.two_tower, **CHANGED.get(name, {})))
        own, seconds = trained(workspace, changed, LEFT_OUT.get(name))
        lost = difference(whole, own)
        print(
            f"| {name} | {own.mean():.4f} | {lost.mean:.4f} ({lost.low:.4f} to {lost.high:.4f}) | {seconds:.0f} |",
            flush=True,
        )


def trained(
    workspace: Workspace, settings: Settings, leave_out: Callable[[World], None] | None = None
) -> tuple[Doubles, float]:
    """([users] shares found, seconds of training)."""
    dataset = Dataset(workspace)
    world = World(dataset, dataset.positives(), validation_of(dataset))
    if leave_out:
        leave_out(world)
    started, tower = time.perf_counter(), settings.two_tower
    towers = new_towers(dataset, world.positives, tower)
    start, end = dataset.timeline.two_tower_start, world.validation.moment.seconds
    fit(towers, world.positives, start, end, tower.epochs, tower, lambda *_: None)
    return world.validation.shares(towers), time.perf_counter() - started


def _without(inputs: encoding.Inputs, names: tuple[str, ...]) -> encoding.Inputs:
    return {name: np.zeros_like(values) if name in names else values for name, values in inputs.items()}


if __name__ == "__main__":
    main()
