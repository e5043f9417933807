"""Raw tables to typed columns: what cannot be read becomes a reason next to the row, never a lost row."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis

from contracts.errors import DataRejected, InvalidInput
from contracts.spelling import meant
from training.ingest.files.delimited import FAULT, RAW, looks_like_a_row
from training.ingest.files.location import has_suffix
from training.ingest.files.names import as_in_file
from training.ingest.files.plain_types import WRONG_TYPE
from training.ingest.values.currencies import named_currencies, one_currency, plain_name
from training.ingest.values.moment_text import Reading
from training.ingest.values.moments import TIMESTAMP, moments
from training.ingest.values.numbers import as_number
from training.ingest.values.texts import as_id, as_terms, as_text, is_given, is_whole
from training.ingest.values.totals import TOTALS_ROW, totals_in

WITHOUT_ZONE = "timestamp_without_zone"
WRONG_COLUMN = "wrong_column"
"""Next to `reason`: the source's column whose value could not be read."""
FIRST_FAULT, SHOWN = "__first_fault", "__shown"
FREE_TEXTS = frozenset({"title", "description"})
"""Ours that are one text, also where they look like a list."""
MONEY = frozenset({"price", "discount", "list_price"})


@dataclass(frozen=True)
class Part:
    """One of the files of a table."""

    name: str
    columns: tuple[str, ...]
    rows: int


class Columns:
    """Typed columns of a raw table under the names that the source gives them, and what was wrong with each row.

    lacking: by column the parts of the table that have not got it.
    """

    def __init__(
        self,
        table: ibis.Table,
        section: str,
        mapping: Mapping[str, str],
        lacking: Mapping[str, Sequence[Part]] | None = None,
    ) -> None:
        self.table = table
        self._section = section
        self._mapping = mapping
        self._lacking = lacking or {}
        self._optional: set[str] = set()  # ours, which parts may lack
        self._notes: list[str] = []
        self._used: list[str] = []
        self.kinds: dict[str, str] = {}  # what the source's columns of times and numbers should hold
        self._faults: list[tuple[Any, str, str | None]] = []  # which rows, why, in which of the source's columns
        self._excused: list[tuple[str, Any]] = []  # faults of the file, and the rows that may have them

    def has(self, name: str) -> bool:
        """True when the table has the column, under its own or its mapped name, or the mapping its value.

        Raises InvalidInput for a mapped column that is not there.
        """
        key = f"{self._section}.{name}"
        if key in self._mapping and (named := self._mapping[key]) not in self._names():
            raise InvalidInput(f"{key} is mapped to {named!r}{meant(named, self._in_file())}; {self._columns()}")
        return f"{key}.value" in self._mapping or self._mapping.get(key, name) in self._names()

    def require(self, *names: str) -> None:
        """Raises InvalidInput naming all of these columns that the table lacks."""
        if missing := [name for name in names if not self.has(name)]:
            if looks_like_a_row(self._names()):
                raise InvalidInput(
                    f"{self._section} has no line of column names: its first line is {', '.join(self._names())}. Say "
                    f"in the mapping what would stand there, as in `{self._section}: {{header: "
                    '"user_id::item_id::event_timestamp"}`, with the separator of the file (ecommerce).'
                )
            lines = ", ".join(f"{name}: {json.dumps(self._alike(name) or '…', ensure_ascii=False)}" for name in missing)
            raise InvalidInput(
                f"{self._section} needs a column {' and a column '.join(missing)}: {self._columns()} "
                f"Say in the mapping which they are: `{self._section}: {{{lines}}}`; of what only the path says, as in "
                f'date=2024-01-31/part.csv, `{missing[-1]}: {{path: "date=*"}}` (ecommerce).'
            )

    def notes(self, names: Iterable[str], elsewhere: Collection[str] = ()) -> Iterator[str]:
        """One sentence for each column that only some parts have, and for each that is like one of ours and not read.

        It is called like one of these names but for case or blanks. elsewhere: columns that another table has read of
        the same file.
        """
        yield from self._notes
        if any(self.has(name) for name in MONEY & set(names)):
            yield from named_currencies(self.table, self._names(), self._section)
        for column, parts in self._lacking.items():
            if column in self._used:
                yield (
                    f"{sum(part.rows for part in parts):,} rows of {self._section} have no {column}: "
                    f"{self._parts(parts)} no such column. It is null there."
                )
        read = {*elsewhere, *(self._mapping.get(f"{self._section}.{name}", name) for name in names)}
        for name in names:
            if not self.has(name) and (alike := self._alike(name)) is not None and alike not in read:
                line = f"{name}: {json.dumps(alike, ensure_ascii=False)}"
                yield f"The column {alike!r} of {self._section} is not used. If it is {name}, map it: `{line}`."

    def note(self, sentences: Iterable[str]) -> None:
        """More sentences for `notes`."""
        self._notes += sentences

    @property
    def used(self) -> tuple[str, ...]:
        """The source's columns that were read."""
        return tuple(self._used)

    def _alike(self, name: str) -> str | None:
        return next((column for column in self._in_file() if plain_name(column) == plain_name(name)), None)

    def option(self, name: str, option: str) -> str:
        """The mapping's entry for the column, else for its table, else for all; empty where there is none."""
        for key in (f"{self._section}.{name}.{option}", f"{self._section}.{option}", option):
            if key in self._mapping:
                return self._mapping[key]
        return ""

    def _raw(self, name: str) -> Any:
        self.require(name)
        constant = self._mapping.get(f"{self._section}.{name}.value")
        if constant is not None:
            return ibis.literal(constant)
        return self._read(self._named(name), needed=name not in self._optional)

    def _read(self, column: str, *, needed: bool) -> Any:
        """The source's column.

        Raises DataRejected where it is needed and a part of the table lacks it.
        """
        head = next((name for name in self._lacking if column == name or column.startswith(f"{name}.")), "")
        if head and needed:
            parts = self._lacking[head]
            header = "" if has_suffix(parts[0].name, (".parquet",)) else " Its first line must be names of columns."
            raise DataRejected(
                f"{self._section} needs the column {head!r} in each part, and {self._parts(parts)} none"
                f"{meant(head, parts[0].columns)}. "
                f"{parts[0].name} has {', '.join(parts[0].columns)}.{header} Give it the column, or move it elsewhere."
            )
        if column not in self._used:
            self._used.append(column)
        return self.table[column]

    def _parts(self, parts: Sequence[Part]) -> str:
        return f"{parts[0].name} has" if len(parts) == 1 else f"{len(parts):,} parts, {parts[0].name} first, have"

    def _named(self, name: str) -> str:
        """What the source calls our column."""
        return self._mapping.get(f"{self._section}.{name}", name)

    def _names(self) -> list[str]:
        return [column for column in self.table.columns if column not in (FAULT, RAW)]

    def _in_file(self) -> list[str]:
        return [as_in_file(column) for column in self._names()]

    def _columns(self) -> str:
        return f"{self._section} has {', '.join(self._in_file())}."

    def text(self, name: str) -> Any:
        """Strings as the source wrote them; empty is null."""
        return as_text(self._raw(name))

    def terms(self, name: str) -> Any:
        """Strings, and lists of them in the contract's form; the mapping may say their `separator`."""
        value, separator = self._raw(name), self._mapping.get(f"{self._section}.{name}.separator", "")
        plain = name in FREE_TEXTS and value.type().is_string() and not separator
        return as_text(value) if plain else as_terms(value, separator)

    def id(self, name: str) -> Any:
        """The column as texts; ids that pandas has turned into floats lose their `.0`."""
        return as_id(self._raw(name))

    def array(self, name: str) -> Any:
        """An array of strings: `read_table` knows that the column holds lists."""
        value = self._raw(name)
        return value.map(as_id)

    def number(self, name: str, kind: str = "float64", within: tuple[int, int] | None = None) -> Any:
        """The column as float64, which is money, or int64, which are units: a WRONG_TYPE where it is neither.

        within: the least and the greatest number that there is; another one is a WRONG_TYPE.
        Raises DataRejected for money in several currencies.
        """
        value = self._raw(name)
        self.kinds[self._named(name)] = "units" if kind == "int64" else "money"
        decimal = self.option(name, "decimal")
        number = as_number(value, decimal, money=kind == "float64")
        fine = number.notnull()
        if kind == "int64":
            fine = is_whole(number) if within is None else is_whole(number) & number.between(*within)
        elif value.type().is_string() and f"{self._section}.{name}.value" not in self._mapping:
            self._notes += one_currency(self.table, self._named(name), self._section, decimal)
        self._faults.append((is_given(value) & ~fine.fill_null(False), WRONG_TYPE, self._named(name)))
        return ibis.ifelse(fine, number, None).cast(kind)

    def timestamp(self, name: str) -> Any:
        """Moments in UTC. Without a zone of its own one is in the mapping's `time_zone`, and WITHOUT_ZONE without that.

        Whole numbers are read with the mapping's `epoch_unit`, other texts than ISO 8601 with its `date_format`. A
        clock in a column of its own (`time`) is read behind the day.
        """
        self.kinds[self._named(name)] = "times"
        options = ("time_zone", "epoch_unit", "date_format")
        value = self._raw(name)
        if (clock := self._mapping.get(f"{self._section}.{name}.time")) is not None:
            value = self._with_clock(name, value, clock)
        found = moments(value, Reading(*(self.option(name, option) for option in options)))
        self._faults.append((found.unreadable, WRONG_TYPE, self._named(name)))
        self._faults.append((found.without_zone, WITHOUT_ZONE, self._named(name)))
        return found.utc

    def _with_clock(self, name: str, day: Any, clock: str) -> Any:
        if clock not in self._names():
            raise InvalidInput(f"{self._section}.{name}.time is mapped to {clock!r}; {self._columns()}")
        text = as_text(self._read(clock, needed=name not in self._optional))
        return as_text(day) + (" " + text).fill_null("")

    def optional(self, name: str, kind: str = "string") -> Any:
        """The column, or null where the source, or a part of the table, has none. kind: of a column, or `id`."""
        if not self.has(name):
            return ibis.null({"timestamp": TIMESTAMP, "id": "string"}.get(kind, kind))
        self._optional.add(name)
        if kind == "timestamp":
            return self.timestamp(name)
        if kind == "id":
            return self.id(name)
        return self.terms(name) if kind == "string" else self.number(name, kind)

    def content(self) -> Any:
        """A digest of the whole row: only exact copies have the same.

        Each value stands behind its length, so that no two rows are spelt alike.
        """
        texts = [self.table[column].cast("string") for column in self._names()]
        measured = [(text.length().cast("string") + ":" + text).fill_null("-") for text in texts]
        return ibis.literal("").join(["", *measured]).hexdigest("md5")

    def leave_out_totals(self, key: str, moment: str) -> None:
        """Marks the lines of totals below the rows. moment: the source's column of times."""
        totals = totals_in(self.table, self._names(), self._named(key), moment, self.option(key, "decimal"))
        if totals is not None:
            self.leave_out(totals, TOTALS_ROW)

    def leave_out(self, rows: Any, reason: str) -> None:
        """Marks rows that can be read but are not kept."""
        self._faults.append((rows, reason, None))

    def excuse(self, fault: str, rows: Any) -> None:
        """Rows that the fault of the file says nothing against: an event without items may be of a kind without any."""
        self._excused.append((fault, rows))

    def select(self, **values: Any) -> ibis.Table:
        """The values with `reason`, WRONG_COLUMN and `raw`: the line as it stood, or the columns that were read."""
        fault = self.table[FAULT]
        for excused, rows in self._excused:
            fault = ibis.ifelse((fault == excused) & rows, None, fault)
        shown = [f"{column}=" + self.table[column].cast("string").fill_null("") for column in self._used]
        line = ibis.literal(" ").join(["", *shown]).strip()
        # In two steps: the notes are all made of the first fault, which an engine would look for as often.
        cases = [(rows, at) for at, (rows, _, _) in enumerate(self._faults)]
        first = ibis.cases(*cases) if cases else ibis.null("int8")
        own = {FAULT: fault, RAW: self.table[RAW], FIRST_FAULT: first, SHOWN: line}
        read = self.table.select(**values, **own)
        reason = read[FAULT].coalesce(self._of_first_fault(read, 1))
        raw = read[RAW].coalesce(ibis.ifelse(reason.notnull(), read[SHOWN], None))
        at_fault = ibis.ifelse(read[FAULT].isnull(), self._of_first_fault(read, 2), None)
        return read.select(*values, reason=reason, raw=raw, **{WRONG_COLUMN: at_fault})

    def _of_first_fault(self, read: ibis.Table, what: int) -> Any:
        """Of the first fault of each row the reason (1) or the column (2)."""
        cases = [(at, ibis.literal(one[what], "string")) for at, one in enumerate(self._faults)]
        return read[FIRST_FAULT].cases(*cases) if cases else ibis.null("string")
