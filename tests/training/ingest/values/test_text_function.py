"""What engines hand over to a function of ours: DuckDB an array of texts, Spark one text."""

import pickle
from typing import Any

import ibis
import pyarrow as pa
import pytest

from training.ingest.adapters.event_names import plain
from training.ingest.values.moment_text import Reading, reader
from training.ingest.values.text_function import text_function


def handed_over(function: Any) -> Any:
    """The function that an engine runs."""
    return function(ibis.literal("a")).op().__func__


@pytest.mark.parametrize(
    "texts",
    [
        pa.array(["Köpa ", "VIEW", "Köpa "]),
        pa.chunked_array([pa.array(["Köpa "]), pa.array(["VIEW", "Köpa "])]),
        pa.array([], pa.string()),
    ],
)
def test_an_array_is_answered_row_by_row(texts: Any) -> None:
    assert handed_over(text_function(plain))(texts).to_pylist() == [plain(text) for text in texts.to_pylist()]


def test_each_text_of_an_array_is_read_once() -> None:
    asked: list[str] = []

    def length(text: str) -> float:
        asked.append(text)
        return float(len(text))

    assert handed_over(text_function(length, "float64"))(pa.array(["a", "bb", "a"])).to_pylist() == [1, 2, 1]
    assert asked == ["a", "bb"]


def test_one_text_is_answered_by_itself_and_a_null_by_a_null() -> None:
    read = handed_over(text_function(plain))
    assert (read("Köpa "), read(None)) == ("köpa", None)


def test_what_reads_times_can_be_sent_to_another_process() -> None:
    read = pickle.loads(pickle.dumps(reader(Reading(time_zone="Europe/Stockholm"))))
    assert read("2024-01-01 10:00").startswith("2024-01-01 09:00")
