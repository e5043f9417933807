"""Reads any Parquet file: by the engine if it reads every value correctly, else through Arrow."""

import ibis
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet as pq

from contracts.errors import DataRejected
from training.engine import read_parquet
from training.ingest.files.delimited import FAULT, NOT_UTF8, RAW
from training.ingest.files.location import DataFile, has_suffix, opened

WRONG_TYPE = "wrong_type"
RARE = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_null)
"""Types that engines read as something else: text that is not marked as UTF-8 (older Spark, Hive), no type at all."""


def read_parquet_file(connection: ibis.BaseBackend, file: DataFile, *, careful: bool = False) -> ibis.Table:
    """The rows with FAULT and RAW.

    careful: each text is looked at, for files that an engine has stopped at. Raises DataRejected for a file cut short.
    """
    schema = _schema(file)
    if careful or any(is_rare(column.type) for column in schema for is_rare in RARE) or _finer_than_micros(schema):
        return ibis.memtable(_mended(file, schema))
    table = read_parquet(connection, file.path) if file.is_local else ibis.memtable(_remote(connection, file))
    return table.mutate(**{FAULT: ibis.null("string"), RAW: ibis.null("string")})


def _finer_than_micros(schema: pa.Schema) -> bool:
    """Coarser moments than microseconds may be too far away for them; engines then stop."""
    return any(pa.types.is_timestamp(column.type) and column.type.unit in ("s", "ms") for column in schema)


def _remote(connection: ibis.BaseBackend, file: DataFile) -> pyarrow.dataset.Dataset | pa.Table:
    """Rows behind a URL, by Arrow through the fsspec filesystem: engines would need connectors of their own.

    DuckDB scans them as they come; Spark takes tables only, so there the file passes through this process' memory.
    """
    rows = pyarrow.dataset.dataset(file.path, filesystem=file.filesystem, format="parquet")
    return rows if connection.name == "duckdb" else rows.to_table()


def _schema(file: DataFile) -> pa.Schema:
    try:
        with file.open() as stream:
            return pq.read_schema(stream)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataRejected(
            f"{file.name} is not a whole Parquet file ({error}). It was probably cut short: copy it again."
        ) from error


def _mended(file: DataFile, schema: pa.Schema) -> pa.Table:
    """Each column in a type that engines know; a value that has none there is its row's fault."""
    with file.open() as stream:
        parts = pq.ParquetFile(stream)
        groups = [_mended_rows(parts.read_row_group(group)) for group in range(parts.num_row_groups)]
    return pa.concat_tables(groups) if groups else _mended_rows(schema.empty_table())


def _mended_rows(rows: pa.Table) -> pa.Table:
    fault = pa.nulls(rows.num_rows, pa.string())
    raw = pa.nulls(rows.num_rows, pa.string())
    columns = {}
    for name in rows.column_names:
        values, wrong, reason = _mended_column(rows.column(name).combine_chunks())
        columns[name] = values
        if wrong is not None:
            fault = pc.coalesce(fault, pc.if_else(wrong, reason, None))
            shown = pc.if_else(wrong, pa.array([_shown(name, value) for value in rows.column(name)], pa.string()), None)
            raw = pc.coalesce(raw, shown)
    return pa.table({**columns, FAULT: fault, RAW: raw})


def _mended_column(column: pa.Array) -> tuple[pa.Array, pa.Array | None, str]:
    """(values, whether each could not be had, why not)."""
    kind = column.type
    if pa.types.is_null(kind):
        return column.cast(pa.string()), None, ""
    if pa.types.is_timestamp(kind):
        fine = column.cast(pa.timestamp("us", kind.tz), safe=False)
        wrong = pc.not_equal(fine.cast(kind, safe=False), column) if kind.unit in ("s", "ms") else None
        return (fine, None, "") if wrong is None else (pc.if_else(wrong, None, fine), wrong, WRONG_TYPE)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or _is_binary(kind):
        return _decoded(column)
    return column, None, ""


def _is_binary(kind: pa.DataType) -> bool:
    return any(is_rare(kind) for is_rare in RARE[:3])


def _decoded(column: pa.Array) -> tuple[pa.Array, pa.Array | None, str]:
    raw = column.cast(pa.large_binary())
    try:
        return raw.cast(pa.large_string()), None, ""  # Arrow looks at each byte
    except pa.ArrowInvalid:
        values = raw.to_pylist()
    texts = [None if value is None else _text(value) for value in values]
    wrong = [value is not None and text is None for value, text in zip(values, texts, strict=True)]
    return pa.array(texts, pa.large_string()), pa.array(wrong), NOT_UTF8


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _shown(name: str, value: pa.Scalar) -> str:
    if _is_binary(value.type) or pa.types.is_string(value.type) or pa.types.is_large_string(value.type):
        content = value.as_buffer()
        return f"{name}={'' if content is None else bytes(content).decode(errors='backslashreplace')}"
    return f"{name}={value.cast(pa.int64()).as_py()}"


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
