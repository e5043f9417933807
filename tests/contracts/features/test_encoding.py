"""Feature values to model inputs: what is unknown, what is missing and what is too long."""

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from contracts.features import encoding, names
from contracts.features.encoding import item_statistics, query_inputs
from contracts.features.vocabulary import MANY_TERMS, OUT_OF_VOCABULARY, Vocabulary, vocabularies_from_json

VOCABULARIES = vocabularies_from_json(
    {
        names.USER_ID: ["u1", "u2"],
        names.ITEM_ID: ["milk", "bread"],
        **{column: ["low", "high"] for column in names.USER_PROFILE},
    }
)
MILK, BREAD = 1, 2


def features(**changes: list[Any]) -> dict[str, list[Any]]:
    """Two users of whom nothing is known, but for changes."""
    known = (*names.USER_PROFILE, *names.USER_STATISTICS, *names.SEQUENCE)
    return {name: [None, None] for name in known} | changes


def inputs(**changes: list[Any]) -> encoding.Inputs:
    hour, weekday = np.array([9, 24], np.int32), np.array([0, 7], np.int32)
    return query_inputs(["u2", "stranger"], features(**changes), VOCABULARIES, hour, weekday)


def test_vocabulary_numbers_its_terms_from_one() -> None:
    vocabulary = Vocabulary(["a", "b"])
    assert len(vocabulary) == 3  # two terms and the out-of-vocabulary row
    codes = vocabulary.encode(["b", "a", "c", None])
    assert codes.tolist() == [2, 1, OUT_OF_VOCABULARY, OUT_OF_VOCABULARY]
    assert codes.dtype == np.int32
    assert vocabulary.encode([]).shape == (0,)


def test_vocabulary_with_a_term_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="distinct"):
        Vocabulary(["a", "b", "a"])


def test_every_input_has_the_shape_and_type_of_the_towers_signature() -> None:
    assert {name: (values.shape, values.dtype.name) for name, values in inputs().items()} == {
        encoding.USER: ((2,), "int32"),
        encoding.PROFILE: ((2, 7), "int32"),
        encoding.STATISTICS: ((2, 37), "float32"),
        encoding.SEQUENCE: ((2, 50), "int32"),
        encoding.SEQUENCE_TYPES: ((2, 50), "int32"),
        encoding.SEQUENCE_DAYS: ((2, 50), "float32"),
        encoding.HOUR: ((2,), "int32"),
        encoding.WEEKDAY: ((2,), "int32"),
    }


def test_a_user_of_whom_nothing_is_known_is_all_zeros() -> None:
    values = inputs()
    for name in (encoding.PROFILE, encoding.STATISTICS, encoding.SEQUENCE, encoding.SEQUENCE_TYPES):
        assert not values[name].any(), name
    assert values[encoding.USER].tolist() == [2, OUT_OF_VOCABULARY]


def test_hour_and_weekday_are_passed_on() -> None:
    values = inputs()
    assert (values[encoding.HOUR].tolist(), values[encoding.WEEKDAY].tolist()) == ([9, 24], [0, 7])


def test_profile_columns_keep_their_order_and_unknown_terms_are_zero() -> None:
    values = inputs(age_band=["high", "never seen"], kids_count=[float("nan"), "low"])
    assert values[encoding.PROFILE].tolist() == [[2, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 1]]


def test_statistics_keep_their_order_and_missing_numbers_are_zero() -> None:
    values = inputs(user_purchases_7d=[3, None], user_basket_gap_days=[float("nan"), 2.5])
    statistics = values[encoding.STATISTICS]
    assert statistics[:, names.USER_STATISTICS.index("user_purchases_7d")].tolist() == [3, 0]
    assert statistics[:, names.USER_STATISTICS.index("user_basket_gap_days")].tolist() == [0, 2.5]
    assert statistics.sum() == 3 + 2.5


def test_sequences_are_filled_with_zeros_behind_and_unknown_items_keep_their_place() -> None:
    sequence = inputs(sequence_item_ids=[["bread", "withdrawn", "milk"], []])[encoding.SEQUENCE]
    assert sequence[0, :4].tolist() == [BREAD, 0, MILK, 0]
    assert sequence[0].sum() == BREAD + MILK
    assert not sequence[1].any()


def test_long_sequences_keep_their_latest_fifty() -> None:
    latest_first = ["bread"] + ["milk"] * 49 + ["bread"] * 20
    sequence = inputs(sequence_item_ids=[latest_first, None])[encoding.SEQUENCE]
    assert sequence[0].tolist() == [BREAD] + [MILK] * 49
    assert not sequence[1].any()


def test_types_and_days_of_a_sequence_are_those_of_its_items() -> None:
    values = inputs(
        sequence_item_ids=[["bread", "milk", "milk"], None],
        sequence_event_types=[["purchase", "view", "teleport"], None],
        sequence_timestamps=[[10 * 86_400, 9 * 86_400, 86_400 * 7 // 2], None],
    )
    codes = {kind: code for code, kind in enumerate(names.SEQUENCE_TYPES, start=1)}
    assert values[encoding.SEQUENCE_TYPES][0, :4].tolist() == [codes["purchase"], codes["view"], 0, 0]
    assert values[encoding.SEQUENCE_DAYS][0, :4].tolist() == [0, 1, 6.5, 0]  # before the latest
    assert not values[encoding.SEQUENCE_DAYS][1].any()


def test_the_array_of_the_online_store_becomes_named_numbers() -> None:
    packed = {"age_band": "high", names.USER_STATISTICS_VALUES: list(range(len(names.USER_STATISTICS)))}
    named = encoding.unpacked(packed)
    assert named == {"age_band": "high"} | {name: at for at, name in enumerate(names.USER_STATISTICS)}


def test_a_user_without_an_array_has_no_numbers() -> None:
    named = encoding.unpacked({names.USER_STATISTICS_VALUES: None})
    assert named == dict.fromkeys(names.USER_STATISTICS)


def test_an_array_of_another_version_is_not_read_as_ours() -> None:
    with pytest.raises(ValueError, match="zip"):
        encoding.unpacked({names.USER_STATISTICS_VALUES: [1.0]})


def test_item_statistics_keep_their_order_and_missing_numbers_are_zero() -> None:
    columns: dict[str, list[Any]] = {name: [None, float("nan")] for name in names.ITEM_STATISTICS}
    matrix = item_statistics(columns | {"item_price": [2.5, 4]})
    assert matrix.shape == (2, len(names.ITEM_STATISTICS))
    assert matrix.dtype == np.float32
    assert matrix[:, names.ITEM_STATISTICS.index("item_price")].tolist() == [2.5, 4]
    assert matrix.sum() == 6.5


def test_many_terms_are_encoded_as_few_are() -> None:
    terms = [f"item-{number}" for number in range(MANY_TERMS)]
    vocabulary = Vocabulary(terms)
    asked = [terms[-1], "unknown", terms[0], None, terms[7], ""]
    expected = [MANY_TERMS, OUT_OF_VOCABULARY, 1, OUT_OF_VOCABULARY, 8, OUT_OF_VOCABULARY]
    assert vocabulary.encode(asked).tolist() == vocabulary.encode_many(asked).tolist() == expected
    assert vocabulary.encode_many(asked).dtype == np.int32
    assert vocabulary.encode_many(terms).tolist() == list(range(1, MANY_TERMS + 1))
    assert vocabulary.encode_many([]).shape == (0,)
    assert vocabulary.extended(["later"]).encode_many([*asked, "later"]).tolist() == [*expected, MANY_TERMS + 1]


def test_terms_with_the_same_hash_are_told_apart() -> None:
    class Colliding(str):
        __slots__ = ()

        def __hash__(self) -> int:
            return 1

    terms = [Colliding(number) for number in range(MANY_TERMS)]
    assert Vocabulary(terms).encode_many(terms[:3]).tolist() == [1, 2, 3]


def test_a_vocabulary_goes_to_another_process_by_its_terms() -> None:
    vocabulary = Vocabulary([f"item-{number}" for number in range(MANY_TERMS)])
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).encode_many(['item-7', 'item-x']).tolist())"
    elsewhere = subprocess.run(  # another process hashes text otherwise
        [sys.executable, "-c", code], input=pickle.dumps(vocabulary), stdout=subprocess.PIPE, check=True
    )
    assert elsewhere.stdout.decode().strip() == "[8, 0]"
