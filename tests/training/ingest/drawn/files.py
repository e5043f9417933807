"""Rows to files: CSV, TSV, JSON lines and Parquet, in parts of several kinds, as exports come."""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from tests.training.ingest.drawn.cells import Draw, Real

Row = dict[str, Any]  # texts, None, Real, or a list of texts
KINDS = ("csv", "semicolon.csv", "tsv", "csv.gz", "jsonl", "parquet", "binary.parquet", "null.parquet")


def write_parts(
    draw: Draw, folder: Path, table: str, rows: Sequence[Row], columns: Sequence[str], optional: Sequence[str] = ()
) -> None:
    """The rows as one file or as a folder of parts, of kinds that are drawn, each with an order of its own.

    A part may lack an optional column for which it has no values.
    """
    count = draw(st.integers(1, 3))
    if count == 1:
        write_one(draw, folder / table, rows, columns)
        return
    (folder / table).mkdir()
    for number in range(count):
        part = rows[number::count]
        empty = [name for name in optional if all(row[name] is None for row in part)]
        left_out = empty if draw(st.booleans()) else []
        there = [name for name in draw(st.permutations(columns)) if name not in left_out]
        write_one(draw, folder / table / f"part-{number}", part, there)


def write_one(draw: Draw, stem: Path, rows: Sequence[Row], columns: Sequence[str]) -> None:
    """The rows as one file, of a kind that is drawn."""
    kind = draw(st.sampled_from(KINDS))
    if kind.endswith("parquet"):
        _parquet(stem.with_name(f"{stem.name}.parquet"), rows, columns, kind)
    elif kind == "jsonl" and rows:
        stem.with_name(f"{stem.name}.jsonl").write_bytes(_json(draw, rows, columns))
    else:
        kind = "csv" if kind == "jsonl" else kind
        suffix = kind.removeprefix("semicolon.")
        delimiter = {"tsv": "\t", "semicolon.csv": ";"}.get(kind, ",")
        content = _delimited(draw, rows, columns, delimiter)
        path = stem.with_name(f"{stem.name}.{suffix}")
        path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)


def _delimited(draw: Draw, rows: Sequence[Row], columns: Sequence[str], delimiter: str) -> bytes:
    lines = io.StringIO()
    end = draw(st.sampled_from(["\n", "\r\n"]))
    writer = csv.writer(
        lines,
        delimiter=delimiter,
        lineterminator=end,
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
    )
    writer.writerow(columns)
    writer.writerows([[_cell(row[name]) for name in columns] for row in rows])
    mark: bytes = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    return mark + lines.getvalue().encode()


def _cell(value: Any) -> str:
    if isinstance(value, Real):
        return repr(float(value)).replace(".", ",")
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value or ""


def _json(draw: Draw, rows: Sequence[Row], columns: Sequence[str]) -> bytes:
    escaped = draw(st.booleans())
    written = [{name: row[name] for name in columns if row[name] is not None or draw(st.booleans())} for row in rows]
    first = dict.fromkeys(columns) | written[0]  # so that every column is there
    return "".join(json.dumps(row, ensure_ascii=escaped) + "\n" for row in (first, *written[1:])).encode()


def _parquet(path: Path, rows: Sequence[Row], columns: Sequence[str], kind: str) -> None:
    fields = []
    for name in columns:
        values = [row[name] for row in rows]
        if any(isinstance(value, list) for value in values):
            fields.append(pa.array(values, pa.list_(pa.string())))
        elif any(isinstance(value, Real) for value in values) and not any(isinstance(value, str) for value in values):
            fields.append(pa.array(values, pa.float64()))
        elif kind == "null.parquet" and all(value is None for value in values):
            fields.append(pa.nulls(len(values)))
        elif kind == "binary.parquet":
            fields.append(pa.array([None if value is None else _cell(value).encode() for value in values], pa.binary()))
        else:
            fields.append(pa.array([None if value is None else _cell(value) for value in values], pa.string()))
    pq.write_table(pa.table(fields, names=list(columns)), path)
