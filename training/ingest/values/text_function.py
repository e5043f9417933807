"""A function of ours over a column of texts, run by the engine.

DuckDB hands over an Arrow array of many rows, and leaves out nulls. Spark hands over one row, which may be null
(Ibis makes it a `udf(..., useArrow=True)`).
"""

from collections.abc import Callable
from typing import Any

import ibis
import pyarrow as pa


def text_function(read: Callable[[str], Any], kind: str = "string") -> Any:
    """The function for a query: what `read` says of each text, null for a null; kind is Ibis' name of its type.

    Each text of a chunk is read once: lines of one order have one time, and a log has few names of events.
    """

    answers = ibis.dtype(kind).to_pyarrow()

    def read_texts(texts: Any) -> Any:
        if not isinstance(texts, pa.Array | pa.ChunkedArray):
            return None if texts is None else read(texts)
        whole = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
        coded = whole.dictionary_encode()
        return pa.array(map(read, coded.dictionary.to_pylist()), answers).take(coded.indices)

    return ibis.udf.scalar.pyarrow(read_texts, signature=(("string",), kind))
