"""Values of Parquet in types that every engine knows, inside of structs and lists too.

Text that is not marked as UTF-8 (older Spark, Hive) is text, what has no type at all is text that is not there, and
moments are of microseconds.
"""

import uuid
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from training.ingest.files.delimited import NOT_UTF8
from training.ingest.files.names import told_apart

WRONG_TYPE: Final = "wrong_type"
BINARY: Final = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view)
TEXT: Final = (types.is_string, types.is_large_string, types.is_string_view)
LISTS: Final = (types.is_list, types.is_large_list, types.is_fixed_size_list, types.is_list_view)
UNKNOWN: Final = (types.is_float16, types.is_decimal256, types.is_binary_view, types.is_list_view)
"""Types that engines do not take from Arrow."""
DECIMAL128_DIGITS: Final = 38


@dataclass(frozen=True)
class Plain:
    """Values, and row by row why one could not be had and what stood there; both null where it could."""

    values: pa.Array
    reasons: pa.Array | None = None
    shown: pa.Array | None = None


def leaves(kind: pa.DataType, path: str) -> Iterator[tuple[str, pa.DataType]]:
    """The types of the values inside, each with the path to it; entries of lists have the path of their list."""
    if types.is_struct(kind):
        for field in kind:
            yield from leaves(field.type, f"{path}.{field.name}")
    elif types.is_map(kind):
        yield from leaves(kind.key_type, path)
        yield from leaves(kind.item_type, path)
    elif types.is_dictionary(kind) or _is_any(kind, LISTS):
        yield from leaves(kind.value_type, path)
    else:
        yield path, kind


def is_misread(leaf: pa.DataType) -> bool:
    """Whether engines take it for something else, or stop at a moment too far away for microseconds."""
    return types.is_null(leaf) or _is_any(leaf, BINARY) or _is_coarse(leaf)


def is_known_to_engines(kind: pa.DataType) -> bool:
    """Whether engines take the type from Arrow; of a Parquet file they read each."""
    unknown = [leaf for _, leaf in leaves(kind, "") if _is_any(leaf, (*UNKNOWN, _is_extension))]
    return not unknown and not types.is_list_view(kind)


def is_wanted(path: str, wanted: Collection[str]) -> bool:
    """Whether a value is read: by its own path, or as a part of an object that is read whole."""
    return any(path == one or path.startswith(f"{one}.") for one in wanted)


def plain(column: pa.Array, path: str, wanted: Collection[str]) -> Plain:
    """The values of a column; a value that cannot be read is a fault only in a column that is wanted.

    Raises DataRejected where two wanted fields differ in case alone.
    """
    convert = next((convert for tests, convert in CONVERSIONS if _is_any(column.type, tests)), None)
    return Plain(column) if convert is None else convert(column, path, wanted)


def first(one: pa.Array | None, other: pa.Array | None) -> pa.Array | None:
    """Row by row the first that is there."""
    return one if other is None else other if one is None else pc.coalesce(one, other)


def _is_any(kind: pa.DataType, tests: Any) -> bool:
    return any(test(kind) for test in tests)


def _is_coarse(kind: pa.DataType) -> bool:
    return bool(types.is_timestamp(kind)) and kind.unit in ("s", "ms")


def _is_extension(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.BaseExtensionType)


def _extension(column: pa.ExtensionArray, path: str, wanted: Collection[str]) -> Plain:
    stored = column.storage
    if column.type.extension_name == "arrow.uuid":
        texts = [None if value is None else str(uuid.UUID(bytes=value)) for value in stored.to_pylist()]
        return Plain(pa.array(texts, pa.string()))
    return plain(stored, path, wanted)


def _dictionary(column: pa.DictionaryArray, path: str, wanted: Collection[str]) -> Plain:
    return plain(column.dictionary_decode(), path, wanted)


def _struct(column: pa.StructArray, path: str, wanted: Collection[str]) -> Plain:
    fields = [f"{path}.{field.name}" for field in column.type]
    names = [name[len(path) + 1 :] for name in told_apart(fields, wanted, path)]
    inside = [plain(values, name, wanted) for values, name in zip(column.flatten(), fields, strict=True)]
    reasons = shown = None
    for one in inside:
        reasons, shown = first(reasons, one.reasons), first(shown, one.shown)
    return Plain(
        pa.StructArray.from_arrays([one.values for one in inside], names=names, mask=column.is_null()), reasons, shown
    )


def _map(column: pa.MapArray, path: str, wanted: Collection[str]) -> Plain:
    pair = pa.struct([pa.field("key", column.type.key_type), pa.field("value", column.type.item_type)])
    pairs = _list(column.cast(pa.list_(pair)), path, {path} if is_wanted(path, wanted) else ())
    keys, items = pairs.values.flatten().flatten()
    return Plain(pa.MapArray.from_arrays(_offsets(pairs.values), keys, items), pairs.reasons, pairs.shown)


def _list(column: Any, path: str, wanted: Collection[str]) -> Plain:
    inside = plain(column.flatten(), path, wanted)
    values = pa.ListArray.from_arrays(_offsets(column), inside.values)
    if inside.reasons is None or inside.shown is None:
        return Plain(values)
    wrong = inside.reasons.is_valid()
    faulty = pa.table(
        {
            "row": pc.list_parent_indices(column).filter(wrong).cast(pa.int64()),
            "reason": inside.reasons.filter(wrong),
            "shown": inside.shown.filter(wrong),
        }
    )
    firsts = faulty.group_by("row", use_threads=False).aggregate([("reason", "first"), ("shown", "first")])
    place = pc.index_in(pa.array(range(len(column)), pa.int64()), value_set=firsts["row"].combine_chunks())
    return Plain(values, *(firsts[f"{name}_first"].combine_chunks().take(place) for name in ("reason", "shown")))


def _offsets(column: Any) -> pa.Array:
    """Where each list begins, and the last one ends, among the entries of all; null where there is no list."""
    lengths = pc.list_value_length(column).cast(pa.int32())
    starts = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths.fill_null(0))])
    return pc.if_else(pa.concat_arrays([column.is_null(), pa.array([False])]), None, starts)


def _nothing(column: pa.Array, _path: str, _wanted: Collection[str]) -> Plain:
    return Plain(column.cast(pa.string()))


def _short_float(column: pa.Array, _path: str, _wanted: Collection[str]) -> Plain:
    return Plain(column.cast(pa.float32()))


def _long_decimal(column: pa.Array, _path: str, _wanted: Collection[str]) -> Plain:
    digits, scale = column.type.precision, column.type.scale
    return Plain(column.cast(pa.decimal128(digits, scale) if digits <= DECIMAL128_DIGITS else pa.float64()))


def _moments(column: pa.Array, path: str, wanted: Collection[str]) -> Plain:
    kind = column.type
    fine = column.cast(pa.timestamp("us", kind.tz), safe=False)
    if not _is_coarse(kind):
        return Plain(fine)
    wrong = pc.not_equal(fine.cast(kind, safe=False), column)
    values = pc.if_else(wrong, None, fine)
    if not is_wanted(path, wanted):
        return Plain(values)
    return Plain(values, *_faults(wrong, WRONG_TYPE, path, column.cast(pa.int64())))


def _texts(column: pa.Array, path: str, wanted: Collection[str]) -> Plain:
    raw = column.cast(pa.large_binary())
    try:
        return Plain(raw.cast(pa.large_string()))  # Arrow looks at each byte
    except pa.ArrowInvalid:
        spelt = [None if value is None else value.decode(errors="backslashreplace") for value in raw.to_pylist()]
    texts = pa.array(spelt, pa.large_string())
    if not is_wanted(path, wanted):
        return Plain(texts)
    wrong = pc.not_equal(texts.cast(pa.large_binary()), raw)
    return Plain(pc.if_else(wrong, None, texts), *_faults(wrong, NOT_UTF8, path, texts))


def _faults(wrong: pa.Array, reason: str, path: str, values: pa.Array) -> tuple[pa.Array, pa.Array]:
    """(the reason, `path=value`) where a value is wrong."""
    shown = pc.binary_join_element_wise(f"{path}=", values.cast(pa.string()), "")
    return tuple(pc.if_else(wrong, text, pa.scalar(None, pa.string())) for text in (reason, shown))


CONVERSIONS: Final[tuple[tuple[Any, Callable[..., Plain]], ...]] = (
    ((_is_extension,), _extension),
    ((types.is_dictionary,), _dictionary),
    ((types.is_struct,), _struct),
    ((types.is_map,), _map),
    (LISTS, _list),
    ((types.is_null,), _nothing),
    ((types.is_timestamp,), _moments),
    ((*TEXT, *BINARY), _texts),
    ((types.is_float16,), _short_float),
    ((types.is_decimal256,), _long_decimal),
)
"""How a type is converted, where engines would not know it or read something else."""
