"""Columns of Arrow tables as what the encoders read."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from contracts.features import names


def columns_of(table: pa.Table, columns: Sequence[str]) -> dict[str, Any]:
    """Arrays of numbers by column."""
    return {name: table.column(name).to_numpy() for name in columns}


def strings_of(table: pa.Table, column: str) -> list[str]:
    """One text a row; None where nothing is known."""
    return list(table.column(column).to_pylist())


def lists_of(table: pa.Table, column: str) -> list[Any]:
    """One Python or numpy sequence a row, None where Feast knows nothing."""
    array = table.column(column).combine_chunks()
    if column == names.HISTORY_ITEM_IDS:
        lists: list[Any] = array.to_pylist()
        return lists
    values, offsets = array.values.to_numpy(), array.offsets.to_numpy()
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    return [values[offsets[i] : offsets[i + 1]] if valid[i] else None for i in range(len(array))]
