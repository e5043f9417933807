"""JSON, one object a line, to Arrow: every value as text, with each line accounted for."""

import codecs
import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from typing import Any

import pyarrow as pa

from contracts.errors import DataRejected
from training.ingest.files.delimited import FAULT, MALFORMED, NOT_UTF8, RAW, TO_UTF8
from training.ingest.files.location import DataFile
from training.ingest.files.names import beside

ROWS_AT_ONCE = 50_000
Line = dict[str, str | None]
MARKS = {  # of the longer ones one begins like a shorter one
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
HALF = re.compile("[\ud800-\udfff]")
"""Half of a character beyond the first plane: JSON can spell it alone, UTF-8 cannot."""
MAX_DEPTH = 100
"""Lists in lists, and objects in objects, that are read. Far below the depth at which Python stops to read or write."""
TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]', re.DOTALL)
"""A text, in which brackets and commas are its own; or one of these."""
STEP = {"[": 1, "{": 1, "]": -1, "}": -1}


def read_json_lines(file: DataFile, commas: Collection[str] = ()) -> pa.Table:
    """One row an object: the keys of all as string columns (left out or null is null), then FAULT and RAW.

    Arrays and objects stay JSON, numbers their own digits. commas: columns whose numbers have a comma before decimals.
    Raises DataRejected for a file without lines, or an array that is cut short.
    """
    names = dict.fromkeys(name for row in _rows(file, commas) for name in row if name not in (FAULT, RAW))
    return table_of(_rows(file, commas), (*names, FAULT, RAW))


def table_of(rows: Iterable[Line], names: Sequence[str]) -> pa.Table:
    """The rows as string columns; in slices, as a dictionary takes ten times the memory of its row."""
    schema = pa.schema([(name, pa.string()) for name in names])
    rows = iter(rows)
    slices = iter(lambda: list(islice(rows, ROWS_AT_ONCE)), [])
    return pa.concat_tables([schema.empty_table(), *(pa.Table.from_pylist(s, schema) for s in slices)])


def text_lines(file: DataFile) -> Iterator[tuple[str, str | None]]:
    """(line, fault) of each line that is not blank; lines end as they do on Unix, Windows or old Macs.

    Raises DataRejected for a file without any, or in UTF-16 or UTF-32.
    """
    with file.open(compression="infer") as stream:
        empty = True
        for number, ended in enumerate(stream):
            if number == 0 and (encoding := next((MARKS[mark] for mark in MARKS if ended.startswith(mark)), "")):
                raise DataRejected(f"{file.name} is {encoding}. {TO_UTF8.format(encoding=encoding)}")
            text = ended.removeprefix(b"\xef\xbb\xbf") if number == 0 else ended
            for line in filter(bytes.strip, text.removesuffix(b"\n").removesuffix(b"\r").split(b"\r")):
                empty = False
                try:
                    yield line.decode(), None
                except UnicodeDecodeError:
                    yield line.decode(errors="backslashreplace"), NOT_UTF8
    if empty:
        raise DataRejected(f"{file.name} is empty.")


def parsed(text: str) -> Any:
    """What the JSON says, with numbers as their own digits; an object that has a key twice is Repeated.

    Raises ValueError for text that is not JSON, and TooDeep for what could be read and not be written.
    """
    if _is_deep(text):
        raise TooDeep(f"lists in lists or objects in objects, more than {MAX_DEPTH} deep")
    return json.loads(text, parse_int=Digits, parse_float=Digits, parse_constant=_constant, object_pairs_hook=keys_once)


class TooDeep(ValueError):
    """JSON that nests deeper than MAX_DEPTH."""


def _is_deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    return max(accumulate(STEP.get(token[0], 0) for token in TOKEN.finditer(text))) > MAX_DEPTH


@dataclass(frozen=True)
class Unparsed:
    """A line that is no JSON."""

    fault: str
    text: str

    @property
    def line(self) -> Line:
        """As a row without columns."""
        return {FAULT: self.fault, RAW: self.text}


class Digits(str):
    """A number of JSON, as it was written: Python refuses one of 5,000 digits, and .10 is not .1 as an id."""

    __slots__ = ()


def _constant(name: str) -> Digits | None:
    """Nothing for NaN, which pandas writes for what is missing."""
    return None if name == "NaN" else Digits(name)


@dataclass(frozen=True)
class Repeated:
    """An object that says two things of one key: nobody knows which is meant, so it is not made a dictionary."""

    pairs: list[tuple[str, Any]]


def keys_once(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Repeated:
    """The object of the pairs."""
    found = dict(pairs)
    return found if len(found) == len(pairs) else Repeated(pairs)


def as_text(value: Any, *, comma: bool = False) -> str | None:
    """A value of JSON as a column of text holds it; half a character is U+FFFD.

    comma: a number, which JSON writes with a point, is spelt as the texts of a column with decimal commas.
    """
    if value is None:
        return None
    if comma and isinstance(value, Digits):
        return value.replace(".", ",")
    text = str(value) if isinstance(value, str) else _written(value)
    return HALF.sub("\ufffd", text)


def _written(value: Any) -> str:
    if isinstance(value, Digits):
        return str(value)
    if isinstance(value, dict | Repeated):
        pairs = value.items() if isinstance(value, dict) else value.pairs
        return "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {_written(v)}" for key, v in pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def values_of(file: DataFile) -> Iterator[Any]:
    """What the file lists, as JSON gives it: one value a line, or the entries of one array.

    A line that is no JSON is Unparsed. Raises DataRejected for an array that is cut short.
    """
    lines = text_lines(file)
    first = list(islice(lines, 2))
    if first[0][0].lstrip().startswith("[") and not (len(first) > 1 and any(map(_is_whole, first))):
        yield from _array(file)
        return
    for line, bad in chain(first, lines):
        yield _parsed_alone(line) if bad is None else Unparsed(bad, line)


def _is_whole(line: tuple[str, str | None]) -> bool:
    """Whether the line is JSON by itself, as the lines of an array are not: they end in commas."""
    try:
        return line[1] is None and parsed(line[0]) is not None
    except ValueError:
        return False


def _array(file: DataFile) -> list[Any]:
    try:
        with file.open(compression="infer") as stream:
            text = stream.read().decode("utf-8-sig")
        found: list[Any] = parsed(text)
    except UnicodeDecodeError as error:
        fix = TO_UTF8.format(encoding="WINDOWS-1252")
        raise DataRejected(f"{file.name} is not UTF-8 at byte {error.start}. {fix}") from error
    except TooDeep:
        return [_parsed_alone(entry) for entry in _entries(text, file.name)]
    except ValueError as error:
        raise DataRejected(
            f"{file.name} is not a whole JSON array: {error}. With one object a line, a bad one costs only itself."
        ) from error
    return found


def _entries(text: str, file_name: str) -> Iterator[str]:
    """The texts between the commas of an array. Raises DataRejected for text that is not one array."""
    depth, start = 0, 0
    for token in TOKEN.finditer(text):
        depth += STEP.get(token[0], 0)
        if depth == 1 and not start:
            start = token.end()
        elif (depth == 1 and token[0] == ",") or (depth == 0 and text[start : token.start()].strip()):
            yield text[start : token.start()]
            start = token.end()
    if depth or text[start:].strip():
        raise DataRejected(f"{file_name} is not a whole JSON array: it does not end, or goes on behind its end.")


def _parsed_alone(text: str) -> Any:
    """What `parsed` gives; Unparsed where the text is no JSON."""
    try:
        return parsed(text)
    except ValueError:
        return Unparsed(MALFORMED, text.strip())


def _rows(file: DataFile, commas: Collection[str]) -> Iterator[Line]:
    for value in values_of(file):
        if isinstance(value, Unparsed):
            yield value.line
        else:
            found = _object(value, commas)
            yield {FAULT: MALFORMED, RAW: as_text(value) or "null"} if found is None else found


def _object(value: Any, commas: Collection[str]) -> Line | None:
    """None where the value is something else."""
    if not isinstance(value, dict):
        return None
    return {
        beside(as_text(name) or "", (FAULT, RAW)): as_text(one, comma=name in commas) or None
        for name, one in value.items()
    }
