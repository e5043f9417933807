"""Rows of a feature view as the messages that online stores keep, made once where Feast makes one a value.

Equal values of a column share one message, lists become messages without Feast's look at every element, and a key is
the encoding of an empty id with another end. Tests hold all of it equal to what Feast's own engine writes.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from feast import FeatureView
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import PYTHON_LIST_VALUE_TYPE_TO_PROTO_VALUE, python_values_to_proto_values
from feast.value_type import ValueType

KEY_SIZE = "_key_size"


@dataclass(frozen=True)
class Column:
    """Values of a column; row i has values[rows[i]]. Of a feature they are Feast's messages."""

    values: Sequence[Any]
    rows: Sequence[int]
    is_list: bool = False

    def spread(self, each: Sequence[Any]) -> list[Any]:
        """One entry a row, where entry i of `each` belongs to value i."""
        return [each[row] for row in self.rows]


@dataclass(frozen=True)
class Slice:
    """Latest rows of some entities; entry i of ids, and of each column, is entity i."""

    join_key: str
    ids: Sequence[str]
    moments: Column  # datetime, UTC
    features: dict[str, Column]

    def keys(self, version: int) -> list[bytes]:
        """Feast's serialized entity keys: the same for all ids but for the id and its length at the end."""
        start = serialize_entity_key(entity_key(self.join_key, ""), entity_key_serialization_version=version)[:-4]
        return [start + struct.pack("<I", len(end)) + end for end in map(str.encode, self.ids)]


def entity_key(join_key: str, entity_id: str) -> EntityKey:
    """Feast's message for an entity with one join key."""
    return EntityKey(join_keys=[join_key], entity_values=[Value(string_val=entity_id)])


def sorted_by_key(table: pa.Table, join_key: str) -> pa.Table:
    """The table ordered by serialized key, which begins with the length of the id."""
    sized = table.append_column(KEY_SIZE, pc.binary_length(table[join_key]))
    return sized.sort_by([(KEY_SIZE, "ascending"), (join_key, "ascending")]).combine_chunks()


def slice_of(batch: pa.RecordBatch, view: FeatureView, join_key: str) -> Slice:
    """The rows of one batch."""
    moments = batch.column(view.batch_source.timestamp_field).dictionary_encode()
    return Slice(
        join_key=join_key,
        ids=batch.column(join_key).to_pylist(),
        moments=Column(moments.dictionary.to_pylist(), moments.indices.to_pylist()),
        features={f.name: _column(batch.column(f.name), f.dtype.to_value_type()) for f in view.features},
    )


def _column(values: pa.Array, kind: ValueType) -> Column:
    if pa.types.is_nested(values.type):  # no two histories are equal
        return Column(_list_messages(values, kind), range(len(values)), is_list=True)
    encoded = values.dictionary_encode(null_encoding="encode")
    messages = python_values_to_proto_values(encoded.dictionary.to_numpy(zero_copy_only=False), kind)
    return Column(messages, encoded.indices.to_pylist())


def _list_messages(lists: pa.Array, kind: ValueType) -> list[Any]:
    _, field, _ = PYTHON_LIST_VALUE_TYPE_TO_PROTO_VALUE[kind]
    elements = lists.flatten().to_numpy(zero_copy_only=False).tolist()
    ends = np.cumsum(pc.fill_null(pc.list_value_length(lists), 0).to_numpy()).tolist()
    known = lists.is_valid().to_pylist()
    return [
        Value(**{field: {"val": elements[start:end]}}) if valid else Value()
        for start, end, valid in zip([0, *ends], ends, known, strict=False)
    ]
