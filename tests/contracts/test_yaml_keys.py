"""YAML that people write: a key that is there twice is refused, wherever it stands."""

import pytest
import yaml

from contracts.yaml_keys import load, load_texts


@pytest.mark.parametrize("read", [load, load_texts])
@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: 2\na: 3\n",
        "{a: 1, 'a': 1}",
        "x: {y: {a: 1, a: 2}}",
        "- {a: 1}\n- {a: 1, a: 2}",
        "a: {b: 1}\na: {c: 2}",
    ],
)
def test_a_key_that_is_there_twice_is_named_with_its_line(read: type, text: str) -> None:
    with pytest.raises(yaml.YAMLError, match=r"(?s)the key 'a' is there twice.*line \d, column"):
        read(text)


def test_the_same_key_of_two_objects_is_fine_and_what_is_merged_may_be_said_again() -> None:
    assert load("- {a: 1}\n- {a: 2}") == [{"a": 1}, {"a": 2}]
    merged = "base: &base {a: 1, b: 1}\nx: {deep: &one {<<: *base, a: 2}}\ny: {<<: *one, b: 3}\n"
    assert load(merged)["y"] == {"a": 2, "b": 3}


def test_texts_stay_as_they_were_written() -> None:
    assert load_texts("{on: yes, 007: 1.10}") == {"on": "yes", "007": "1.10"}
    assert load("{epochs: 1.5}") == {"epochs": 1.5}


@pytest.mark.parametrize("text", ["a: 2024-02-31", f"a: {'9' * 5000}", "[" * 500, "{"])
def test_whatever_cannot_be_read_is_one_kind_of_fault(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        load(text)
