"""Two bundles part by part: what is the same to the bit, what within a tolerance, and what differs.

Data becomes the same arrays every time. Trained weights do so where the machine adds sums in the same order, which
other processors and numbers of cores do not promise; after an epoch they then differ by more than rounding. So weights
that differ are described, and what is held to a tolerance is what they are worth: the metrics of the lists.
"""

import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from contracts.bundle import files as bundle
from contracts.bundle.manifest import Manifest, read_manifest

Array = npt.NDArray[Any]
SMALLEST: Final = 1e-12  # divided by, where an array holds zeros
ROUNDING: Final = 1e-4
"""Relative to the largest value: sums of 32-bit numbers in another order."""
TRAINED: Final = (
    bundle.ITEM_EMBEDDINGS,
    bundle.INDEX,
    bundle.QUERY_TOWER,
    bundle.CANDIDATE_TOWER,
    bundle.RANKER,
    bundle.UNSEEN_RANKER,
    bundle.NEIGHBOURS,
    bundle.GOLDEN,
    bundle.REFERENCE,
    bundle.EVALUATION,
    bundle.MODEL_CARD,
    bundle.MODEL_CARD_PAGE,
    f"{bundle.SAVED_MODELS}/",
)
"""Parts that follow from trained weights, by the beginning of the path."""
JUDGED: Final = ("all_items", "new_to_user")
LIST_METRICS: Final = ("ndcg@20", "recall@20")


class Verdict(StrEnum):
    """How a part compares."""

    EQUAL = "bit-equal"
    WITHIN = "within tolerance"
    TRAINED = "trained"  # differs, as weights do; the metrics say whether it matters
    DIFFERS = "differs"


@dataclass(frozen=True)
class ComparedPart:
    """One file or metric of both bundles."""

    name: str
    verdict: Verdict
    words: str = ""


def compared(before: Path, again: Path, tolerance: float) -> list[ComparedPart]:
    """Files, then metrics; tolerance: how far a metric may be from the recorded one."""
    manifests = read_manifest(before), read_manifest(again)
    return [*_files(before, again, *manifests), *_metrics(*manifests, tolerance)]


def reproduced(parts: list[ComparedPart]) -> bool:
    """Whether nothing differs but what weights explain."""
    return all(part.verdict is not Verdict.DIFFERS for part in parts)


def _files(before: Path, again: Path, recorded: Manifest, made: Manifest) -> Iterator[ComparedPart]:
    for name in sorted(recorded.files.keys() | made.files.keys()):
        if name not in made.files or name not in recorded.files:
            where = "the recorded bundle" if name in recorded.files else "the one made again"
            yield ComparedPart(
                name, Verdict.TRAINED if name.startswith(TRAINED) else Verdict.DIFFERS, f"only in {where}"
            )
        elif recorded.files[name].sha256 == made.files[name].sha256:
            yield ComparedPart(name, Verdict.EQUAL)
        else:
            yield _part(name, before / name, again / name)


def _part(name: str, before: Path, again: Path) -> ComparedPart:
    """How a file differs whose bytes differ."""
    read = READERS.get(before.suffix)
    if read is None:
        return ComparedPart(name, Verdict.TRAINED if name.startswith(TRAINED) else Verdict.DIFFERS, "other bytes")
    distance = _distance(read(before), read(again))
    if distance == 0:
        return ComparedPart(name, Verdict.EQUAL, "the same values in other bytes")
    if distance is not None and distance <= ROUNDING:
        return ComparedPart(name, Verdict.WITHIN, f"values up to {distance:.1e} apart, of the largest")
    words = "of other shape or texts" if distance is None else f"values up to {distance:.1e} apart, of the largest"
    return ComparedPart(name, Verdict.TRAINED if name.startswith(TRAINED) else Verdict.DIFFERS, words)


def _distance(before: Mapping[str, Array], again: Mapping[str, Array]) -> float | None:
    """Largest difference of a value relative to the largest value of its array; None where shapes or texts differ."""
    if before.keys() != again.keys():
        return None
    largest = 0.0
    for name, array in before.items():
        apart = _apart(array, again[name])
        if apart is None:
            return None
        largest = max(largest, apart)
    return largest


def _apart(array: Array, other: Array) -> float | None:
    """The largest relative difference of two arrays; a value that one side alone has is infinitely far."""
    if array.shape != other.shape or array.dtype != other.dtype:
        return None
    if not np.issubdtype(array.dtype, np.number):
        return 0.0 if _texts(array) == _texts(other) else None
    before, again = array.astype(np.float64), other.astype(np.float64)
    if not np.array_equal(np.isnan(before), np.isnan(again)):
        return np.inf
    apart = np.nan_to_num(np.abs(before - again)).max(initial=0.0)
    return float(apart / max(np.nan_to_num(np.abs(before)).max(initial=0.0), SMALLEST))


def _texts(array: Array) -> str:
    """Texts, and lists of them as Parquet has them."""
    return repr(array.tolist())


def _arrays(path: Path) -> dict[str, Array]:
    loaded = np.load(io.BytesIO(path.read_bytes()))
    return {"": loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded}


def _columns(path: Path) -> dict[str, Array]:
    table = pq.read_table(path)
    return {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}


def _weights(path: Path) -> dict[str, Array]:
    """Weights by name and constants by shape, numbered by their values where several share that.

    The exporter names what it makes up, such as axes, by numbers and in an order that each process has anew. Layers are
    numbered from the start of the process, which may have trained other models before.
    """
    import onnx

    groups: dict[str, list[Array]] = {}
    for one in onnx.load(str(path)).graph.initializer:
        array = onnx.numpy_helper.to_array(one)
        name = "const" if one.name.startswith("const_") else re.sub(r"\d+", "", one.name)
        groups.setdefault(f"{name} {array.dtype} {array.shape}", []).append(array)
    return {
        f"{name} {place}": array
        for name, group in groups.items()
        for place, array in enumerate(sorted(group, key=lambda array: array.tobytes()))
    }


READERS: Final[Mapping[str, Callable[[Path], dict[str, Array]]]] = {
    ".npy": _arrays,
    ".npz": _arrays,
    ".parquet": _columns,
    ".onnx": _weights,
}


def _metrics(recorded: Manifest, made: Manifest, tolerance: float) -> Iterator[ComparedPart]:
    before, again = dict(_judged(recorded.metrics)), dict(_judged(made.metrics))
    for name in sorted(before.keys() | again.keys()):
        if name not in before or name not in again:
            yield ComparedPart(name, Verdict.DIFFERS, "measured on one side alone")
            continue
        apart = abs(before[name] - again[name])
        verdict = Verdict.EQUAL if apart == 0 else Verdict.WITHIN if apart <= tolerance else Verdict.DIFFERS
        yield ComparedPart(name, verdict, f"{before[name]:.4f} recorded, {again[name]:.4f} made again")


def _judged(metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The metrics of every list, by table."""
    for table in JUDGED:
        for name, values in metrics.get(table, {}).items():
            for metric in LIST_METRICS:
                yield f"{table} {name} {metric}", float(values[metric])
