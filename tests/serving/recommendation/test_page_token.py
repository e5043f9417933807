"""Tokens of the next page: what they hold, where they end, and texts that are not tokens."""

import numpy as np
import pytest

from contracts.errors import InvalidInput
from contracts.features.vocabulary import Vocabulary
from serving.recommendation.page_token import MAX_SHOWN, page_token, rows_shown, shown_before

IDS = [f"item-{number}" for number in range(2000)]
NONE = np.zeros(0, np.uint32)


def test_a_token_holds_every_earlier_page() -> None:
    first = page_token(NONE, IDS[:10])
    assert first is not None
    second = page_token(shown_before(first), IDS[20:25])
    assert rows_shown(shown_before(second), Vocabulary(IDS)).tolist() == [*range(10), *range(20, 25)]


def test_items_keep_their_name_in_another_catalogue() -> None:
    """The next page may come from a bundle with other items in other rows."""
    token = page_token(NONE, ["item-7", "gone"])
    assert rows_shown(shown_before(token), Vocabulary(["new", "item-7"])).tolist() == [1]


def test_there_is_a_last_page() -> None:
    assert len(page_token(NONE, IDS[:MAX_SHOWN]) or "") < 6000
    assert page_token(NONE, IDS[: MAX_SHOWN + 1]) is None


def test_without_a_token_nothing_was_shown() -> None:
    assert len(shown_before(None)) == 0
    assert len(rows_shown(shown_before(None), Vocabulary(IDS))) == 0


@pytest.mark.parametrize("text", ["", "!", "abc", "AAAA", "AAAAAAAAAA", "é", "x" * 5999])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="not one that an answer gave as next_page"):
        shown_before(text)


def test_a_token_that_was_cut_or_changed_is_refused() -> None:
    token = page_token(NONE, IDS[:5])
    assert token is not None
    for broken in (token[:-6], token[6:], token[::-1]):
        with pytest.raises(InvalidInput):
            shown_before(broken)
