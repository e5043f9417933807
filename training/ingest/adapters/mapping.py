"""The mapping file: YAML with the names that the files and columns of a source have.

Nested sections become dotted keys: `interactions: {user_id: visitor}` is `interactions.user_id` → `visitor`. A
column may have a section of its own, `{column: at, epoch_unit: ms}`, or stand for a constant, `{value: purchase}`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from contracts.errors import InvalidInput
from contracts.spelling import meant
from contracts.yaml_keys import load_texts

READING_OPTIONS = ("time_zone", "epoch_unit", "date_format", "decimal")
"""How values are read: said of all tables, of one (`products.epoch_unit`) or of one column."""
SLIP = 0.8
"""How alike a key and the one that was meant are where the hand has slipped."""
OPTIONS_OF = {
    **dict.fromkeys(("time_zone", "epoch_unit", "date_format", "time"), "times"),
    "decimal": "numbers",
    "separator": "texts",
}
"""What an option of one column is about."""
EVENT_TYPES = "event_types."
"""The section whose keys are a shop's own words, `column` and `buy.column` among them."""
ID_COLUMNS = ("event_id", "user_id", "item_id", "basket_id", "session_id")
COLUMN_OPTIONS = (*READING_OPTIONS, "value", "separator", "time")


def table_keys(tables: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """The keys of an adapter that reads these tables with these columns."""
    per_table = (f"{table}.{key}" for table, columns in tables.items() for key in ("file", *READING_OPTIONS, *columns))
    return (*READING_OPTIONS, *per_table)


def load_mapping(path: str) -> dict[str, str]:
    """Dotted keys and texts of a mapping file; no path: {}.

    Every scalar is the text that was written: `on: view` is not a switch, and 007 keeps its noughts.

    Raises InvalidInput for a file that cannot be read or is not a mapping of texts.
    """
    if not path:
        return {}
    try:
        raw = load_texts(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInput(f"Cannot read the mapping in {path}: {error}") from error
    if not isinstance(raw, dict):
        raise InvalidInput(f"{path} holds no mapping: expected lines like `time_zone: Europe/Paris`.")
    mapping: dict[str, str] = {}
    for key, value in _flat(raw, "", path):
        if key in mapping:
            raise InvalidInput(f"{path} says twice what {key} is: {mapping[key]!r} and {value!r}. Keep one line of it.")
        mapping[key] = value
    return mapping


def _flat(section: Mapping[Any, Any], prefix: str, path: str) -> Iterable[tuple[str, str]]:
    for key, value in section.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.", path)
        elif isinstance(value, str):
            dotted = f"{prefix}{key}"
            yield dotted if dotted.startswith(EVENT_TYPES) else dotted.removesuffix(".column"), value
        else:
            raise InvalidInput(f"{prefix}{key} in {path} is {value!r}, expected a name.")


def refuse_unknown_keys(mapping: Mapping[str, str], known: Iterable[str], adapter: str) -> None:
    """Raises InvalidInput listing every key that the adapter does not read; `section.*` in known allows a section.

    Also for a column that is said to be two of a column, a constant and what the path says.
    """
    exact = set(known)
    open_sections = tuple(key.removesuffix("*") for key in exact if key.endswith(".*"))
    unknown = [
        key
        for key in mapping
        if key not in exact and not (open_sections and key.startswith(open_sections)) and not _is_option(key, exact)
    ]
    if unknown:
        raise InvalidInput(
            f"The adapter {adapter} does not know the mapping {'keys' if len(unknown) > 1 else 'key'} "
            f"{', '.join(one + meant(one, sorted(exact), SLIP) for one in sorted(unknown))}. "
            f"It knows: {', '.join(_of_interest(unknown, exact)) or 'none'}."
        )
    if twice := [key for key in mapping if _said_otherwise(key, exact) & mapping.keys()]:
        raise InvalidInput(
            f"Of a column one thing can be said, and the mapping has another one than {', '.join(twice)}: "
            "keep the one that is meant."
        )


def _said_otherwise(key: str, known: set[str]) -> set[str]:
    """Of `item_id.value` the other keys that say what fills the column; none of other keys."""
    column = key.rpartition(".")[0]
    ways = {f"{column}.value", f"{column}.path"}
    return {column, *ways} - {key} if key in ways and column in known else set()


def refuse_idle_options(mapping: Mapping[str, str], tables: Mapping[str, Mapping[str, str]]) -> None:
    """Raises InvalidInput for options of a column that say nothing of its kind, such as the separator of an id.

    tables: by table the columns and their types.
    """
    for key in mapping:
        column, _, option = key.rpartition(".")
        table, _, name = column.partition(".")
        kind = tables.get(table, {}).get(name)
        if kind is None or option not in OPTIONS_OF or _kind(name, kind) == OPTIONS_OF[option]:
            continue
        more = ""
        if option == "separator" and name in ID_COLUMNS:
            shown = mapping.get(column, name)
            more = f" Of several ids in a cell each is a row by `{table}: {{rows: {{column: {shown}, separator: …}}}}`."
        raise InvalidInput(f"{key} says nothing: {option} is of {OPTIONS_OF[option]}, and {name} has none.{more}")


def _kind(name: str, kind: str) -> str:
    if name in ID_COLUMNS:
        return "ids"
    return "texts" if kind == "string" else "times" if kind.startswith("timestamp") else "numbers"


def _of_interest(unknown: Iterable[str], known: Iterable[str]) -> list[str]:
    """The keys of the sections that the unknown ones stand in; all where one stands in none of them."""
    sections = {key.partition(".")[0] for key in unknown}
    near = {key for key in known if key.partition(".")[0] in sections}
    there = {key.partition(".")[0] for key in near}
    return sorted(near if there == sections else known)


def _is_option(key: str, known: set[str]) -> bool:
    column, _, option = key.rpartition(".")
    return option in COLUMN_OPTIONS and column in known


def decimal_commas(mapping: Mapping[str, str], table: str, columns: Iterable[str]) -> list[str]:
    """What the source calls those of a table's columns of numbers whose texts have a comma before decimals."""
    keys = (f"{table}.{name}" for name in columns)
    said = ((key, (f"{key}.decimal", f"{table}.decimal", "decimal")) for key in keys)
    return [
        mapping.get(key, key.removeprefix(f"{table}."))
        for key, options in said
        if next((mapping[option] for option in options if option in mapping), "") == ","
    ]


def time_zone_of(mapping: Mapping[str, str], default: str = "UTC") -> str:
    """The shop's zone.

    Raises InvalidInput for a name that is not IANA's.
    """
    name = mapping.get("time_zone", default)
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError; a folder's name an OSError
        raise InvalidInput(f"time_zone is {name!r}, expected an IANA name like Europe/Paris or UTC.") from error


def number_of(mapping: Mapping[str, str], key: str, default: int) -> int:
    """A whole number of at least 1.

    Raises InvalidInput for anything else.
    """
    text = mapping.get(key, str(default)).replace("_", "")
    if not text.isdecimal() or int(text) < 1:
        raise InvalidInput(f"{key} is {mapping[key]!r}, expected a whole number of at least 1.")
    return int(text)
