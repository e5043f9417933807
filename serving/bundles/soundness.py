"""Whether a bundle that was loaded can answer: values, shapes, and its golden requests."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import onnxruntime

from contracts.arrays import Floats
from contracts.bundle.files import GOLDEN
from contracts.bundle.golden import Golden, golden_from
from contracts.bundle.manifest import Manifest
from contracts.errors import BundleRefused
from serving.bundles.bundle import LoadedBundle, from_files
from serving.bundles.sealed_files import SealedFiles

DTYPES: Final = {"tensor(float)": np.float32, "tensor(int32)": np.int32, "tensor(int64)": np.int64}
MOST_CANDIDATES: Final = 10_000
"""Of one list; a plan of a billion asked for 7 GiB."""
LATEST_MOMENT: Final = datetime(2200, 1, 1).timestamp()
TOLERANCE: Final = 1e-3
"""Between two processors; scores and embeddings are about 1."""
LEAST_OVERLAP: Final = 0.8
"""Of the nearest that the index found then and finds now: equal distances may be in another order."""


def answering(files: SealedFiles) -> LoadedBundle:
    """The bundle, which has answered what it must be able to answer. Raises BundleRefused."""
    golden = golden_from(files.read(GOLDEN)) if files.has(GOLDEN) else None
    return tried(check_sound(from_files(files), golden))


def check_sound(bundle: LoadedBundle, golden: Golden | None) -> LoadedBundle:
    """The bundle. Raises BundleRefused naming everything for which it could not answer.

    golden: None for a bundle of an earlier release, which has none.
    """
    faults = [*_impossible(bundle.manifest, bundle), *_not_finite(bundle)]
    if not faults:
        faults = [*_wrong_shapes(bundle), *(_unlike(bundle, golden) if golden else ())]
    if faults:
        raise BundleRefused(f"Bundle {bundle.manifest.bundle_version} cannot answer: {'; '.join(faults)}.")
    return bundle


def tried(bundle: LoadedBundle) -> LoadedBundle:
    """The bundle, after each part has computed once: first allocations are made, and parts that raise are found."""
    for session in (bundle.query_tower, bundle.ranker):
        session.run(None, {one.name: _zeros(one) for one in session.get_inputs()})
    bundle.nearest(np.zeros(bundle.manifest.embedding_dim, np.float32), bundle.plan.num_nearest)
    return bundle


def _zeros(described: onnxruntime.NodeArg) -> Any:
    shape = [size if isinstance(size, int) else 1 for size in described.shape]  # names are free dimensions
    return np.zeros(shape, DTYPES[described.type])


def _impossible(manifest: Manifest, bundle: LoadedBundle) -> Iterator[str]:
    try:
        ZoneInfo(manifest.time_zone)
    except (OSError, ValueError, KeyError):  # a text that names no file, a folder, and a file that is missing
        yield f"{manifest.time_zone[:64]!r} is not a time zone"
    for name in ("data_end_timestamp", "training_cutoff_timestamp"):
        moment = getattr(manifest, name)
        if not 0 <= moment <= LATEST_MOMENT:
            yield f"{name} {moment:g} is not a moment"
    try:
        datetime.fromisoformat(manifest.created_at)
    except ValueError:
        yield f"created_at {manifest.created_at[:64]!r} is not a date"
    for name, value in vars(bundle.plan).items():
        if not isinstance(value, int) or not 0 <= value <= MOST_CANDIDATES:
            yield f"{name} {str(value)[:64]} is not a number from 0 to {MOST_CANDIDATES}"


def _not_finite(bundle: LoadedBundle) -> Iterator[str]:
    items = bundle.items
    for name, values in (
        ("embeddings", items.embeddings),
        ("statistics", items.catalogue.statistics),
        ("texts", items.catalogue.text),
        ("the text projection", bundle.text_projection),
    ):
        if not np.isfinite(values).all():
            yield f"{name} of items hold NaN or infinity"
    if np.isinf(items.prices).any() or (items.prices < 0).any():  # NaN is a price that is not known
        yield "prices of items are negative or infinite"


def _wrong_shapes(bundle: LoadedBundle) -> Iterator[str]:
    for which, ranker in (("the ranker", bundle.ranker), ("the ranker of unseen items", bundle.unseen_ranker)):
        if ranker is None:
            continue
        read = ranker.get_inputs()[0]
        (scores,) = ranker.run(None, {read.name: np.zeros((1, 3, read.shape[-1]), np.float32)})
        if np.shape(scores) != (1, 3):
            yield f"{which} gives {list(np.shape(scores))} for 3 candidates, expected [1, 3]"
        elif not np.isfinite(scores).all():
            yield f"{which} gives NaN or infinity"


def _unlike(bundle: LoadedBundle, golden: Golden) -> Iterator[str]:
    (embeddings,) = bundle.query_tower.run(None, golden.queries)
    if not _alike(embeddings, golden.embeddings):
        yield "the query tower answers its golden requests otherwise than when the bundle was sealed"
        return
    answers = {"the ranker": (bundle.ranker, golden.scores)}
    if bundle.unseen_ranker and golden.unseen_scores is not None:
        answers["the ranker of unseen items"] = bundle.unseen_ranker, golden.unseen_scores
    for which, (ranker, expected_scores) in answers.items():
        name = ranker.get_inputs()[0].name
        scores = [ranker.run(None, {name: inputs[np.newaxis]})[0][0] for inputs in golden.candidates]
        if not _alike(np.asarray(scores), expected_scores):
            yield f"{which} answers its golden requests otherwise than when the bundle was sealed"
    for query, expected in zip(golden.embeddings, golden.nearest, strict=True):
        found, _ = bundle.nearest(query, len(expected))
        if len(set(found.tolist()) & set(expected.tolist())) < LEAST_OVERLAP * len(expected):
            yield "the index finds other items for its golden requests than when the bundle was sealed"
            return


def _alike(found: Floats, expected: Floats) -> bool:
    return found.shape == expected.shape and bool(np.allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE))
