"""A part of the towers that is left out is gone from training and from asking, and nothing else is."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.quality.ablations import LEFT_OUT, World
from benchmarks.quality.ablations import trained as train_without
from contracts.features import encoding
from training.dataset.dataset import Dataset
from training.params_file import load_settings
from training.retrieval.tuning import validation_of
from training.workspace import Workspace

pytestmark = pytest.mark.tf


def test_what_is_left_out_is_zero_in_training_and_validation(trained: Workspace) -> None:
    dataset = Dataset(trained)
    world = World(dataset, dataset.positives(), validation_of(dataset))
    items = dataset.content.shape
    for name in ("without the sequence", "without the item's statistics", "without the item's content"):
        LEFT_OUT[name](world)
    for queries in (world.positives.queries, world.validation.moment.queries):
        assert not queries[encoding.SEQUENCE].any()
        assert queries[encoding.STATISTICS].any()
    assert not world.positives.item_statistics.any()
    assert not world.validation.moment.item_statistics.any()
    assert dataset.content.shape == items
    assert not dataset.content.any()
    assert dataset.text.any()


def test_shares_are_of_the_same_users_whatever_is_left_out(trained: Workspace) -> None:
    settings = load_settings(trained.root / "params.yaml")
    settings = replace(settings, two_tower=replace(settings.two_tower, side_features=False))  # which takes half as long
    whole, _ = train_without(trained, settings)
    less, _ = train_without(trained, settings, LEFT_OUT["without the user's id"])
    assert len(whole) == len(less) == len(validation_of(Dataset(trained)).users)
    assert np.isfinite(whole).all()
