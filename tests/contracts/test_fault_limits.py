"""Refusing a request costs no more than answering it."""

from typing import Any

import pytest
from pydantic import ValidationError

from contracts.api.requests import RankingRequest, RecommendationRequest, RetrievalRequest
from contracts.errors import MAX_FIELDS, faults_of
from contracts.events.interactions import Interaction
from contracts.events.items import CatalogueItem

MODELS = (RecommendationRequest, RetrievalRequest, RankingRequest, Interaction, CatalogueItem)


@pytest.mark.parametrize("model", MODELS)
def test_an_object_of_too_many_fields_is_one_fault(model: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        model.model_validate({str(number): 1 for number in range(80_000)})
    assert refused.value.error_count() == 1
    assert faults_of(refused.value) == [f"as a whole: 80000 fields were sent, at most {MAX_FIELDS} are looked at"]


@pytest.mark.parametrize("model", MODELS)
def test_no_model_has_as_many(model: Any) -> None:
    assert len(model.model_fields) < MAX_FIELDS


@pytest.mark.parametrize("field", ["only", "exclude", "category", "department", "brand", "context", "segment"])
def test_one_wrong_element_of_a_list_is_enough(field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        RecommendationRequest.model_validate({"user_id": "1", field: [1] * 80_000})
    assert refused.value.error_count() == 1


@pytest.mark.parametrize("field", ["only", "exclude", "category", "context"])
def test_a_list_that_is_too_long_is_refused_and_one_text_is_a_list(field: str) -> None:
    with pytest.raises(ValidationError, match="at most"):
        RecommendationRequest.model_validate({"user_id": "1", field: ["x"] * 2000})
    assert getattr(RecommendationRequest.model_validate({"user_id": "1", field: "x"}), field) == ["x"]
