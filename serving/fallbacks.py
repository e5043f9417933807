"""Lists for when the full path cannot be gone; each needs less than the one before."""

from contracts.api import DegradedLevel, Reason, RecommendationRequest
from contracts.candidates import POPULAR
from serving.bundle import LoadedBundle
from serving.draft import Draft, from_source


def popular(request: RecommendationRequest, bundle: LoadedBundle, reason: Reason) -> Draft:
    """What everybody buys; the last answer there is, it needs nothing but the bundle."""
    rows = bundle.items.popular[: request.n]
    scores = bundle.items.popularity[rows]
    return Draft(rows, scores, from_source(POPULAR, rows), DegradedLevel.POPULARITY, reason)
