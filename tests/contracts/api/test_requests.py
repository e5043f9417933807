"""What a request may say: the limits, and no field that would be silently ignored."""

from typing import Any

import pytest
from pydantic import ValidationError

from contracts.api.limits import MAX_ITEMS
from contracts.api.requests import BatchRequest, RankingRequest, RecommendationRequest, Request, RetrievalRequest

USER = {"user_id": "u1"}


def test_lengths_that_are_not_asked_for_have_defaults() -> None:
    assert RecommendationRequest.model_validate(USER).n == 10
    assert RetrievalRequest.model_validate(USER).k == 100


@pytest.mark.parametrize(
    ("model", "payload"),
    [
        (RecommendationRequest, {"user_id": "x" * 128, "n": 1}),
        (RecommendationRequest, {"user_id": "x", "n": MAX_ITEMS, "seed": 2**32 - 1}),
        (RetrievalRequest, USER | {"k": 1000}),
        (RankingRequest, USER | {"item_ids": ["i"] * 1000}),
    ],
)
def test_limits_themselves_are_allowed(model: type[Request], payload: dict[str, Any]) -> None:
    assert model.model_validate(payload).model_dump(exclude_unset=True) == payload


@pytest.mark.parametrize(
    ("model", "payload", "field"),
    [
        (RecommendationRequest, {}, "user_id"),
        (RecommendationRequest, {"user_id": ""}, "user_id"),
        (RecommendationRequest, {"user_id": "x" * 129}, "user_id"),
        (RecommendationRequest, {"user_id": 1}, "user_id"),
        (RecommendationRequest, USER | {"n": 0}, "n"),
        (RecommendationRequest, USER | {"n": MAX_ITEMS + 1}, "n"),
        (RecommendationRequest, USER | {"n": "10"}, "n"),
        (RecommendationRequest, USER | {"n": True}, "n"),
        (RecommendationRequest, USER | {"num": 10}, "num"),
        (RetrievalRequest, USER | {"k": 0}, "k"),
        (RetrievalRequest, USER | {"k": 1001}, "k"),
        (RankingRequest, USER, "item_ids"),
        (RankingRequest, USER | {"item_ids": []}, "item_ids"),
        (RankingRequest, USER | {"item_ids": ["i"] * 1001}, "item_ids"),
        (RankingRequest, USER | {"item_ids": ["i", ""]}, "item_ids"),
        (RecommendationRequest, USER | {"include_seen": "no"}, "include_seen"),
        (RecommendationRequest, USER | {"surface": "Home page"}, "surface"),
        (RecommendationRequest, USER | {"context": ["i"] * 51}, "context"),
        (RecommendationRequest, USER | {"seed": -1}, "seed"),
        (RecommendationRequest, USER | {"page": "x" * 6001}, "page"),
        (RetrievalRequest, USER | {"price_max": "cheap"}, "price_max"),
        (BatchRequest, {"requests": []}, "requests"),
        (BatchRequest, {"requests": [USER] * 65}, "requests"),
    ],
)
def test_everything_else_is_refused_naming_the_field(model: type[Request], payload: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        model.model_validate(payload)
    assert [error["loc"][0] for error in refused.value.errors()] == [field]
