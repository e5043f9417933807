"""Lists of ids that a text column holds: `[1, 2]` of JSON or Python, `a, b`, or one id."""

import re

import pyarrow as pa

from training.ingest.files.json_lines import as_text, parsed

ENTRY = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^,]*?))\s*(?:,|$)""", re.DOTALL)
"""An entry in double quotes, in single quotes, or up to the next comma."""


def parsed_lists(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """[n] lists of strings; each distinct text is taken apart once."""
    coded = column.cast(pa.large_string()).combine_chunks().dictionary_encode()
    lists = pa.array([ids_of(text) for text in coded.dictionary.to_pylist()], pa.list_(pa.string()))
    return pa.chunked_array([lists.take(coded.indices)])


def ids_of(text: str) -> list[str | None]:
    """The ids as they are written, without the quotes and the blanks around them.

    Brackets around the whole are a list's; a quote or bracket inside an id is its own.
    """
    stripped = text.strip()
    if not (stripped.startswith("[") and stripped.endswith("]")):
        return [entry or None for entry in _entries(stripped)] if stripped else []
    try:
        found = parsed(stripped)
    except ValueError:
        inside = stripped[1:-1].strip()
        return [entry or None for entry in _entries(inside)] if inside else []
    return [as_text(entry) or None for entry in found]


def _entries(text: str) -> list[str]:
    entries, at = [], 0
    while at <= len(text):
        match = ENTRY.match(text, at)
        if match is None:  # a quote that closes in the middle of an entry
            end = text.find(",", at)
            end = len(text) if end < 0 else end
            entries.append(text[at:end].strip())
            at = end + 1
            continue
        quoted = match[1] if match[1] is not None else match[2]
        entries.append(match[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        ended = not match[0].endswith(",") or match.end() > len(text)
        at = len(text) + 1 if ended else match.end()
    return entries
