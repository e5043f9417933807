"""The first rows of a raw file, for guessing its mapping."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import DataRejected, InvalidInput
from training.ingest.files.delimited import FAULT, RAW, read_delimited
from training.ingest.files.json_lines import read_json_lines
from training.ingest.files.location import JSON_SUFFIXES, TABLE_SUFFIXES, DataFile, has_suffix, opened

SAMPLE_BYTES, SAMPLE_ROWS, SHOWN = 1 << 20, 1000, 3


@dataclass(frozen=True)
class Sample:
    """Names of the columns and the first rows of a file."""

    path: Path
    rows: pa.Table

    @property
    def columns(self) -> list[str]:
        """The names of the columns, as in the file."""
        return [name for name in self.rows.column_names if name not in (FAULT, RAW)]

    def values(self, column: str) -> list[Any]:
        """Distinct values that are there, in the order of the rows."""
        return list(dict.fromkeys(value for value in self.rows.column(column).to_pylist() if value not in (None, "")))

    def shown(self, column: str) -> str:
        """Some values for people, on one line."""
        return ", ".join(" ".join(str(value).split())[:40] for value in self.values(column)[:SHOWN])


class _Start:
    """The first whole lines of a file, as `DataFile.open` gives them."""

    def __init__(self, file: DataFile) -> None:
        with file.open(compression="infer") as stream:
            start = stream.read(SAMPLE_BYTES)
        whole = start.rfind(b"\n") + 1 if len(start) == SAMPLE_BYTES else len(start)
        self.name, self._start = file.name, start[: whole or len(start)]

    def open(self, compression: str | None = None) -> io.BytesIO:
        """The lines, decompressed."""
        return io.BytesIO(self._start)


def sample(path: Path) -> Sample:
    """The first rows.

    Raises InvalidInput for a file that is not there or of another kind, DataRejected for one that is damaged.
    """
    if not path.exists():
        raise InvalidInput(f"There is no file {path}.")
    if not path.is_file() or not has_suffix(path.name, TABLE_SUFFIXES):
        raise InvalidInput(f"{path} is not a file of {', '.join(TABLE_SUFFIXES)}.")
    file = DataFile(opened(str(path))[0], str(path.absolute()))
    if has_suffix(path.name, (".parquet",)):
        return Sample(path, _parquet(path))
    read: Any = read_json_lines if has_suffix(path.name, JSON_SUFFIXES) else read_delimited
    return Sample(path, read(_Start(file)).slice(0, SAMPLE_ROWS))


def _parquet(path: Path) -> pa.Table:
    try:
        with path.open("rb") as stream:
            file = pq.ParquetFile(stream)
            batches = list(file.iter_batches(SAMPLE_ROWS, row_groups=[0])) if file.num_row_groups else []
            return pa.Table.from_batches(batches[:1], file.schema_arrow)
    except (pa.ArrowException, OSError) as error:
        raise DataRejected(f"{path.name} is not a whole Parquet file ({error}). Copy it again.") from error
