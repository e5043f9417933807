"""Raw tables to typed columns: what cannot be read becomes a reason beside the row, never a lost row."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import fsspec  # type: ignore[import-untyped,unused-ignore]  # ships no types
import ibis
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

from contracts.errors import DataRejected, InvalidInput
from training.ingest.adapters.delimited import FAULT, RAW, read_delimited
from training.ingest.adapters.json_lines import read_json_lines
from training.ingest.adapters.location import JSON_SUFFIXES, DataFile

WRONG_TYPE, WITHOUT_ZONE = "wrong_type", "timestamp_without_zone"
# A time of day with an offset or a zone's name behind it; the day of `2024-01-02` must not pass for an offset.
ZONED = r"\d{1,2}:\d{2}.*(Z|z|[+-]\d{2}(:?\d{2})?|UTC|[A-Za-z]+/[A-Za-z_/]+)$"
TIMESTAMP = "timestamp('UTC', 6)"
EPOCH_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000}  # per second


def read_table(connection: ibis.BaseBackend, files: Sequence[DataFile]) -> ibis.Table:
    """The rows of all files, with FAULT and RAW.

    Raises DataRejected naming the file that is empty, cut short or of another shape than the first.
    """
    return reduce(_union, (_read_file(connection, file) for file in files))


def _union(one: ibis.Table, other: ibis.Table) -> ibis.Table:
    if set(one.columns) != set(other.columns):
        raise DataRejected(f"Parts of a table differ in columns: {', '.join(one.columns)}; {', '.join(other.columns)}.")
    return one.union(other.select(*one.columns))


def _read_file(connection: ibis.BaseBackend, file: DataFile) -> ibis.Table:
    if file.name.endswith(JSON_SUFFIXES):
        return ibis.memtable(read_json_lines(file))
    if not file.name.endswith(".parquet"):
        return ibis.memtable(read_delimited(file))
    _check_parquet(file)
    table = connection.read_parquet(file.path) if file.is_local else ibis.memtable(_remote(connection, file))
    return table.mutate(**{FAULT: ibis.null("string"), RAW: ibis.null("string")})


def _remote(connection: ibis.BaseBackend, file: DataFile) -> pyarrow.dataset.Dataset | pa.Table:
    """Rows behind a URL, by Arrow through the fsspec filesystem: engines would need connectors of their own.

    DuckDB scans them as they come; Spark takes tables only, so there the file passes through this process' memory.
    """
    rows = pyarrow.dataset.dataset(file.path, filesystem=file.filesystem, format="parquet")
    return rows if connection.name == "duckdb" else rows.to_table()


def _check_parquet(file: DataFile) -> None:
    try:
        with file.open() as stream:
            pq.read_metadata(stream)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataRejected(
            f"{file.name} is not a whole Parquet file ({error}). It was probably cut short: copy it again."
        ) from error


def refuse_damaged_parquet(path: str) -> None:
    """Raises DataRejected naming a Parquet file below the path that cannot be read to its end.

    For when an engine has stopped: its own message need not name the file, and to look before would read all twice.
    """
    filesystem, folder = fsspec.core.url_to_fs(path)
    for name in filesystem.find(folder):
        file = DataFile(filesystem, name)
        if not file.name.endswith(".parquet"):
            continue
        try:
            with file.open() as stream:
                parts = pq.ParquetFile(stream)
                for part in range(parts.num_row_groups):
                    parts.read_row_group(part)
        except (pa.ArrowException, OSError) as error:
            said = " ".join(str(error).split())
            raise DataRejected(f"{file.name} is damaged ({said}): copy it again.") from error


class Columns:
    """Typed columns of a raw table under the names that the source gives them, and what was wrong with each row."""

    def __init__(self, table: ibis.Table, section: str, mapping: Mapping[str, str]) -> None:
        self.table = table
        self._section = section
        self._mapping = mapping
        self._used: list[str] = []
        self._faults: list[tuple[Any, str]] = []

    def has(self, name: str) -> bool:
        """True when the table has the column, under its own or its mapped name.

        Raises InvalidInput for a mapped column that is not there.
        """
        key = f"{self._section}.{name}"
        if key in self._mapping and self._mapping[key] not in self.table.columns:
            raise InvalidInput(f"{key} is mapped to {self._mapping[key]!r}; {self._columns()}")
        return self._mapping.get(key, name) in self.table.columns

    def _raw(self, name: str) -> Any:
        if not self.has(name):
            raise InvalidInput(
                f"{self._section} needs a column {name}: {self._columns()} Map it as {self._section}.{name}."
            )
        column = self._mapping.get(f"{self._section}.{name}", name)
        if column not in self._used:
            self._used.append(column)
        return self.table[column]

    def _columns(self) -> str:
        return f"{self._section} has {', '.join(c for c in self.table.columns if c not in (FAULT, RAW))}."

    def text(self, name: str) -> Any:
        """As a string, empty as null; ids that pandas has turned into floats lose their `.0`."""
        value = self._raw(name)
        if value.type().is_floating():
            value = value.try_cast("int64")
        return value.cast("string").nullif("")

    def list_of_texts(self, name: str) -> Any:
        """An array of strings; text like `[1, 2]` is taken apart."""
        value = self._raw(name)
        if value.type().is_array():
            return value.cast("array<string>")
        return value.cast("string").re_replace(r"[\[\]\"'\s]", "").nullif("").split(",")

    def number(self, name: str, kind: str = "float64") -> Any:
        """As float64 or int64; text that is none, and fractions where whole numbers are due, are WRONG_TYPE."""
        value = self._raw(name)
        number = value.try_cast("float64")
        fine = ~number.isnan() & ~number.isinf()
        if kind == "int64":
            fine = fine & (number == number.floor()) & (number.abs() < 2**53)
        self._fault(value.notnull() & ~fine.fill_null(False), WRONG_TYPE)
        return ibis.ifelse(fine, number, None).cast(kind)

    def timestamp(self, name: str) -> Any:
        """As UTC. Without a zone of its own it is in the mapping's `time_zone`, and WITHOUT_ZONE when there is none.

        Whole numbers are read with the mapping's `epoch_unit`: s, ms or us since 1970.
        """
        value = self._raw(name)
        if unit := self._mapping.get("epoch_unit"):
            return self._epoch(value, unit)
        if value.type().is_timestamp() and value.type().timezone is not None:
            return value.cast(TIMESTAMP)
        text = value.cast("string")
        moment = text.try_cast(TIMESTAMP)
        self._fault(value.notnull() & moment.isnull(), WRONG_TYPE)
        zoned = text.re_search(ZONED)
        if "time_zone" not in self._mapping:
            self._fault(moment.notnull() & ~zoned, WITHOUT_ZONE)
            return ibis.ifelse(zoned, moment, None)
        # A zone's name behind the text is understood by DuckDB and Spark alike, and knows daylight saving.
        at_noon_of_day = text.try_cast("timestamp").cast("string") + f" {self._mapping['time_zone']}"
        return ibis.ifelse(zoned, moment, at_noon_of_day.try_cast(TIMESTAMP))

    def _epoch(self, value: Any, unit: str) -> Any:
        if unit not in EPOCH_UNITS:
            raise InvalidInput(f"epoch_unit is {unit!r}, expected one of {', '.join(EPOCH_UNITS)}.")
        number = value.try_cast("int64")
        self._fault(value.notnull() & number.isnull(), WRONG_TYPE)
        seconds = number // EPOCH_UNITS[unit]
        micros = number % EPOCH_UNITS[unit] * (1_000_000 // EPOCH_UNITS[unit])
        return (seconds.as_timestamp("s") + micros.as_interval("us")).cast(TIMESTAMP)

    def optional(self, name: str, kind: str = "string") -> Any:
        """The column, or null where the source has none."""
        if not self.has(name):
            return ibis.null(TIMESTAMP if kind == "timestamp" else kind)
        if kind == "timestamp":
            return self.timestamp(name)
        return self.text(name) if kind == "string" else self.number(name, kind)

    def _fault(self, wrong: Any, reason: str) -> None:
        self._faults.append((wrong, reason))

    def select(self, **values: Any) -> ibis.Table:
        """The values with `reason` and `raw`; raw is the line as it stood, or the columns that were read."""
        cases = ibis.cases(*self._faults) if self._faults else ibis.null("string")
        reason = self.table[FAULT].coalesce(cases)
        shown: Any = ibis.literal("")
        for column in self._used:
            shown = shown + f"{column}=" + self.table[column].cast("string").fill_null("") + " "
        raw = self.table[RAW].coalesce(ibis.ifelse(reason.notnull(), shown.strip(), None))
        return self.table.select(**values, reason=reason, raw=raw)


def with_faults(table: ibis.Table, *others: ibis.Table) -> ibis.Table:
    """The table, and the unreadable rows of tables that it was joined with: they must be counted somewhere."""
    for other in others:
        faulty = other.filter(other.reason.notnull())
        nothing = {name: ibis.null(kind) for name, kind in table.schema().items() if name not in ("reason", "raw")}
        table = table.union(faulty.select(**nothing, reason="reason", raw="raw").select(*table.columns))
    return table


def moment_text(moment: Any) -> Any:
    """UTC to the microsecond, empty for null: a part of ids, spelt the same by every engine."""
    return moment.cast("timestamp(6)").cast("string").fill_null("")
