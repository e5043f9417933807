"""Reads any Parquet file: by the engine if it reads every value correctly, else through Arrow."""

from collections.abc import Collection, Sequence

import ibis
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

from contracts.errors import DataRejected
from training.engine import read_parquet
from training.ingest.files.delimited import FAULT, RAW
from training.ingest.files.location import DataFile, has_suffix, opened
from training.ingest.files.names import beside, refuse_named_twice, told_apart
from training.ingest.files.plain_types import (
    first,
    is_known_to_engines,
    is_misread,
    is_wanted,
    leaves,
    plain,
)


def read_parquet_file(
    connection: ibis.BaseBackend, file: DataFile, wanted: Collection[str] = (), *, careful: bool = False
) -> ibis.Table:
    """The rows with FAULT and RAW.

    wanted: names of the columns that are read, and paths into them; a value of another column is no row's fault.
    careful: each text is looked at, for files that an engine has stopped at. Raises DataRejected for a file cut short,
    or with a column twice.
    """
    schema = _schema(file)
    own = [beside(name, (FAULT, RAW)) for name in schema.names]
    names = told_apart([*own, FAULT, RAW], {*wanted, FAULT, RAW}, file.name)[: len(own)]
    by_arrow = careful or names != schema.names or not file.has_text_path
    if by_arrow or any(_is_misread(one.type, one.name, wanted, file) for one in schema):
        return ibis.memtable(_mended(file, schema, names, wanted))
    table = read_parquet(connection, file.path) if file.is_local else ibis.memtable(_remote(connection, file))
    return table.mutate(**{FAULT: ibis.null("string"), RAW: ibis.null("string")})


def _is_misread(kind: pa.DataType, path: str, wanted: Collection[str], file: DataFile) -> bool:
    """Whether a column must be mended: an engine would stop at it, or read something else."""
    if pa.types.is_null(kind) or (not file.is_local and not is_known_to_engines(kind)):
        return True
    return any(is_wanted(where, wanted) and is_misread(leaf) for where, leaf in leaves(kind, path))


def _remote(connection: ibis.BaseBackend, file: DataFile) -> pyarrow.dataset.Dataset | pa.Table:
    """Rows behind a URL, by Arrow through the fsspec filesystem: engines would need connectors of their own.

    DuckDB scans them as they come; Spark takes tables only, so there the file passes through this process' memory.
    """
    rows = pyarrow.dataset.dataset(file.path, filesystem=file.filesystem, format="parquet")
    return rows if connection.name == "duckdb" else rows.to_table()


def _schema(file: DataFile) -> pa.Schema:
    try:
        with file.open() as stream:
            schema = pq.read_schema(stream)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataRejected(
            f"{file.name} is not a whole Parquet file ({error}). It was probably cut short: copy it again."
        ) from error
    refuse_named_twice(schema.names, file.name)
    return schema


def _mended(file: DataFile, schema: pa.Schema, names: Sequence[str], wanted: Collection[str]) -> pa.Table:
    """Each column in a type that engines know, under these names; a value that has none there is its row's fault."""
    with file.open() as stream:
        parts = pq.ParquetFile(stream)
        groups = [_mended_rows(parts.read_row_group(group), names, wanted) for group in range(parts.num_row_groups)]
    return pa.concat_tables(groups) if groups else _mended_rows(schema.empty_table(), names, wanted)


def _mended_rows(rows: pa.Table, names: Sequence[str], wanted: Collection[str]) -> pa.Table:
    columns = [
        plain(values.combine_chunks(), name, wanted)
        for values, name in zip(rows.columns, rows.column_names, strict=True)
    ]
    fault = raw = pa.nulls(rows.num_rows, pa.string())
    for one in columns:
        fault, raw = first(fault, one.reasons), first(raw, one.shown)
    return pa.table([*(one.values for one in columns), fault, raw], names=[*names, FAULT, RAW])


def refuse_damaged_parquet(path: str) -> None:
    """Raises DataRejected naming a Parquet file below the path that cannot be read to its end.

    For when an engine has stopped: its own message need not name the file, and to look before would read all twice.
    """
    filesystem, folder = opened(path)
    for name in filesystem.find(folder):
        file = DataFile(filesystem, name)
        if not has_suffix(file.name, (".parquet",)):
            continue
        try:
            with file.open() as stream:
                parts = pq.ParquetFile(stream)
                for part in range(parts.num_row_groups):
                    parts.read_row_group(part)
        except (pa.ArrowException, OSError) as error:
            said = " ".join(str(error).split())
            raise DataRejected(f"{file.name} is damaged ({said}): copy it again.") from error
