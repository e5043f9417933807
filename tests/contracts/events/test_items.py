"""What may be posted of an item is what ingest keeps of it."""

import pytest
from pydantic import ValidationError

from contracts.events.items import MAX_TERMS, CatalogueItem
from contracts.events.schema import LIST_SEPARATOR
from contracts.limits import MAX_TERM

LONGEST = "x" * MAX_TERM


def test_an_item_of_several_categories_is_measured_by_each() -> None:
    several = LIST_SEPARATOR.join([LONGEST, LONGEST, "y"])
    assert CatalogueItem(item_id="i", category=several).category == several
    assert CatalogueItem(item_id="i", title=LONGEST + "y").title == LONGEST + "y"


@pytest.mark.parametrize("column", ["department", "category", "subcategory", "brand", "manufacturer"])
def test_one_that_is_too_long_is_refused_with_how_several_are_written(column: str) -> None:
    said = f"one of them has {MAX_TERM + 1} characters, and a term has at most {MAX_TERM}; ' | ' stands between"
    with pytest.raises(ValidationError, match=said.replace("|", r"\|")):
        CatalogueItem.model_validate({"item_id": "i", column: f"short{LIST_SEPARATOR}{LONGEST}y"})


def test_all_of_them_together_have_a_limit() -> None:
    with pytest.raises(ValidationError, match=f"at most {MAX_TERMS} characters"):
        CatalogueItem(item_id="i", brand=LIST_SEPARATOR.join([LONGEST] * 20))
