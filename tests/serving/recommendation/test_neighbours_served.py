"""Item-to-item weights of a bundle: part of every list, and refused where they do not fit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts.bundle.files import NEIGHBOURS
from contracts.bundle.manifest import write_bundle
from contracts.errors import BundleRefused
from serving.bundles.bundle import LoadedBundle, _check_dimensions, load_bundle
from tests.support.bundles.variations import copied, reseal
from training.workspace import Workspace

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def bundle(trained: Workspace) -> LoadedBundle:
    return load_bundle(trained.bundles / "current")


def test_a_trained_bundle_has_weights_that_its_ranker_reads(bundle: LoadedBundle) -> None:
    assert bundle.items.neighbours is not None
    assert bundle.plan.num_neighbours == 150
    assert not bundle.reads_engagements


def test_weights_for_other_inputs_are_refused(trained: Workspace, tmp_path: Path) -> None:
    with write_bundle(tmp_path) as folder:
        copied(trained.bundles / "current", folder, NEIGHBOURS)
        np.savez(folder / NEIGHBOURS, features=np.array(["nearness"]))
        sealed = reseal(folder)
    with pytest.raises(BundleRefused, match="weights are for the inputs nearness"):
        load_bundle(sealed)


def test_weights_of_another_catalogue_are_refused(bundle: LoadedBundle) -> None:
    assert bundle.items.neighbours is not None
    other = replace(bundle.items, neighbours=replace(bundle.items.neighbours, num_items=7))
    with pytest.raises(BundleRefused, match=r"7 items in neighbours\.npz"):
        _check_dimensions(replace(bundle, items=other))


def test_a_ranker_that_reads_weights_is_refused_without_them(bundle: LoadedBundle) -> None:
    without = replace(bundle, items=replace(bundle.items, neighbours=None))
    with pytest.raises(BundleRefused, match="the ranker reads"):
        _check_dimensions(without)
