"""A receipt of an erasure: one spelling of what it says."""

import pytest

from contracts.erasure.receipt import Erased, LearnedFrom, new_receipt, read_receipt
from contracts.errors import InvalidInput


def test_a_receipt_names_the_day_when_the_last_bundle_retires() -> None:
    bundles = [
        LearnedFrom(bundle_version="a", made_at="2024-01-01T00:00:00+00:00", retires_on="2024-06-29"),
        LearnedFrom(bundle_version="b", made_at="2023-01-01T00:00:00+00:00", retires_on="2023-06-30"),
    ]
    receipt = new_receipt("hash", [Erased(store="event log", found=2)], bundles)
    assert receipt.last_retires_on == "2024-06-29"
    assert read_receipt(receipt.model_dump_json()) == receipt
    assert new_receipt("hash", [], []).last_retires_on == ""


def test_what_is_no_receipt_is_refused_in_words() -> None:
    with pytest.raises(InvalidInput, match=r"not a receipt of an erasure: .*person"):
        read_receipt("{}")
