"""A bundle that could not answer is refused in words, and what is checked is what is loaded."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.bundle import files as parts
from contracts.bundle.golden import Golden, golden_from
from contracts.bundle.manifest import write_bundle
from contracts.errors import BundleRefused
from contracts.features import names
from serving.bundles.bundle import LoadedBundle, load_bundle
from serving.bundles.loader import Loader
from serving.bundles.sealed_files import SealedFiles, regular_bytes
from serving.bundles.soundness import check_sound
from serving.bundles.sources import DirectorySource
from tests.support.bundles.variations import copied, reseal
from training.workspace import Workspace

pytestmark = pytest.mark.tf
WORDS = (names.ITEM_ID, *names.ITEM_CONTENT)


@pytest.fixture(scope="module")
def source(trained: Workspace) -> Path:
    return (trained.bundles / "current").resolve()


@pytest.fixture(scope="module")
def bundle(source: Path) -> LoadedBundle:
    return load_bundle(source)


@pytest.fixture(scope="module")
def golden(bundle: LoadedBundle) -> Golden:
    """Three users of whom nothing is known, and random candidates."""
    queries: dict[str, Any] = {}
    for one in bundle.query_tower.get_inputs():
        shape = [3, *(size if isinstance(size, int) else 1 for size in one.shape[1:])]
        queries[one.name] = np.zeros(shape, np.int32 if "int32" in one.type else np.float32)
    embeddings = bundle.embed(queries)
    nearest = np.stack([bundle.nearest(query, 20)[0] for query in embeddings])
    width = bundle.ranker.get_inputs()[0].shape[-1]
    candidates = np.random.default_rng(0).random((3, 10, width), np.float32)
    return Golden(queries, embeddings, nearest, candidates, np.stack([bundle.rank(one) for one in candidates]))


def test_golden_requests_come_back_from_a_file_and_are_answered_as_before(bundle: LoadedBundle, golden: Golden) -> None:
    read = golden_from(golden.to_bytes())
    assert read.queries.keys() == golden.queries.keys()
    assert check_sound(bundle, read) is bundle
    assert check_sound(bundle, None) is bundle  # sealed by an earlier release


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda g: replace(g, embeddings=g.embeddings + 0.1), "the query tower answers its golden requests otherwise"),
        (lambda g: replace(g, scores=g.scores + 0.1), "the ranker answers its golden requests otherwise"),
        (lambda g: replace(g, scores=g.scores[:, :5]), "the ranker answers its golden requests otherwise"),
        (lambda g: replace(g, nearest=g.nearest[:, ::-1] + 1000), "the index finds other items"),
    ],
)
def test_models_that_answer_otherwise_are_refused(
    bundle: LoadedBundle, golden: Golden, change: Callable[[Golden], Golden], said: str
) -> None:
    with pytest.raises(BundleRefused, match=said):
        check_sound(bundle, change(golden))


def test_the_ranker_of_unseen_items_is_held_to_its_own_answers(bundle: LoadedBundle, golden: Golden) -> None:
    two = replace(bundle, unseen_ranker=bundle.ranker)
    asked = golden_from(replace(golden, unseen_scores=golden.scores).to_bytes())
    assert check_sound(two, asked) is two
    with pytest.raises(BundleRefused, match="the ranker of unseen items answers its golden requests otherwise"):
        check_sound(two, replace(asked, unseen_scores=golden.scores + 0.1))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"time_zone": "Europe/Nowhere"}, "'Europe/Nowhere' is not a time zone"),
        ({"time_zone": "../../etc/passwd"}, "is not a time zone"),
        ({"data_end_timestamp": 1e300}, "data_end_timestamp 1e[+]300 is not a moment"),
        ({"training_cutoff_timestamp": -1.0}, "training_cutoff_timestamp -1 is not a moment"),
        ({"created_at": "yesterday"}, "created_at 'yesterday' is not a date"),
    ],
)
def test_an_impossible_manifest_is_refused(bundle: LoadedBundle, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BundleRefused, match=said):
        check_sound(replace(bundle, manifest=bundle.manifest.model_copy(update=changes)), None)


@pytest.mark.parametrize("value", [10**9, -1, 1.5, "many", None])
def test_a_plan_that_no_memory_holds_is_refused(bundle: LoadedBundle, value: Any) -> None:
    with pytest.raises(BundleRefused, match="is not a number from 0 to 10000"):
        check_sound(replace(bundle, plan=replace(bundle.plan, num_popular=value)), None)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(bundle: LoadedBundle, bad: float) -> None:
    embeddings = bundle.items.embeddings.copy()
    embeddings[3, 0] = bad
    with pytest.raises(BundleRefused, match="embeddings of items hold NaN"):
        check_sound(replace(bundle, items=replace(bundle.items, embeddings=embeddings)), None)
    prices = bundle.items.prices.copy()
    prices[3] = -1 if np.isnan(bad) else bad
    with pytest.raises(BundleRefused, match="prices of items"):
        check_sound(replace(bundle, items=replace(bundle.items, prices=prices)), None)


COLUMNS = [(parts.DISPLAY, "title"), (parts.DISPLAY, "department"), *((parts.VOCABULARIES, one) for one in WORDS)]


@pytest.mark.parametrize(
    ("file", "column", "bad"),  # every column and every kind once: each column is looked through in the same way
    [(*one, bad) for one, bad in zip(COLUMNS, cycle(["\ud800", "half \udc00 of one", 1, None, ["a"]]), strict=False)],
)
def test_texts_that_no_answer_can_hold_are_refused(
    source: Path, tmp_path: Path, file: str, column: str, bad: Any
) -> None:
    with write_bundle(tmp_path) as folder:
        copied(source, folder, file)
        texts = json.loads((folder / file).read_text())
        texts[column][-1] = bad
        (folder / file).write_text(json.dumps(texts))
        sealed = reseal(folder)
    with pytest.raises(
        BundleRefused, match=f"cannot answer: {file}: {column} [0-9]+ is .*, which is no text in UTF-8"
    ) as no:
        Loader(DirectorySource(sealed)).load()
    assert str(no.value).isascii()


def test_a_bundle_with_fewer_departments_than_titles_is_refused(source: Path, tmp_path: Path) -> None:
    with write_bundle(tmp_path) as folder:
        copied(source, folder, parts.DISPLAY)
        display = json.loads((folder / parts.DISPLAY).read_text())
        display["department"].pop()
        (folder / parts.DISPLAY).write_text(json.dumps(display))
        sealed = reseal(folder)
    with pytest.raises(BundleRefused, match=r"does not fit together: \d+ departments, \d+ item ids"):
        Loader(DirectorySource(sealed)).load()


@pytest.mark.parametrize("matrix", ["codes", "statistics", "text", "prices"])
def test_a_bundle_whose_catalogue_ends_early_is_refused(source: Path, tmp_path: Path, matrix: str) -> None:
    """Only a list with an item of the missing rows would show it."""
    with write_bundle(tmp_path) as folder:
        copied(source, folder, parts.ITEMS)
        with np.load(folder / parts.ITEMS) as arrays:
            items = dict(arrays)
        np.savez(folder / parts.ITEMS, **items | {matrix: items[matrix][:-1]})
        sealed = reseal(folder)
    with pytest.raises(BundleRefused, match=rf"does not fit together: \d+ rows of {matrix}, \d+ item ids"):
        Loader(DirectorySource(sealed)).load()


def test_a_bundle_is_refused_by_the_loader_with_golden_requests_that_it_does_not_answer(
    source: Path, golden: Golden, tmp_path: Path
) -> None:
    for shift in (0.0, 0.1):
        with write_bundle(tmp_path) as folder:
            copied(source, folder, parts.GOLDEN)
            wanted = replace(golden, scores=golden.scores + np.float32(shift))
            (folder / parts.GOLDEN).write_bytes(wanted.to_bytes())
            sealed = reseal(folder)
        loader = Loader(DirectorySource(sealed))
        if shift:
            with pytest.raises(BundleRefused, match="the ranker answers its golden requests otherwise"):
                loader.load()
        else:
            assert loader.load().manifest.bundle_version == sealed.name


def test_the_version_that_was_asked_for_is_the_one_in_the_manifest(source: Path, tmp_path: Path) -> None:
    with write_bundle(tmp_path) as folder:
        copied(source, folder)
        sealed = reseal(folder)
    sealed.rename(tmp_path / "0123456789ab")
    with pytest.raises(BundleRefused, match="Bundle 0123456789ab is refused: it holds"):
        Loader(DirectorySource(tmp_path / "current")).load("0123456789ab")


def test_a_file_that_is_exchanged_after_the_check_is_not_parsed(source: Path, tmp_path: Path) -> None:
    with write_bundle(tmp_path) as folder:
        copied(source, folder, parts.RANKER)
        sealed = reseal(folder)
    files = SealedFiles(sealed)
    (sealed / parts.RANKER).write_bytes(b"another ranker")
    with pytest.raises(BundleRefused, match=r"ranker\.onnx is altered"):
        files.read(parts.RANKER)


def test_links_pipes_and_folders_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    assert regular_bytes(tmp_path / "file") == b"content"
    plain = "not a plain file"
    for name, said in (("link", "cannot be read"), ("pipe", plain), ("folder", f"{plain}|cannot be")):
        with pytest.raises(BundleRefused, match=said):
            regular_bytes(tmp_path / name)
    with pytest.raises(BundleRefused, match="cannot be read"):
        regular_bytes(tmp_path / "absent")
