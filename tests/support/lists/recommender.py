"""A recommender without a server around it."""

from contracts.api.answers import Recommendations
from contracts.api.requests import RecommendationRequest
from serving.bundles.release import Releases
from serving.events.impressions import ImpressionSink, NoImpressions
from serving.features.lookup import FeatureLookup
from serving.metrics import Metrics
from serving.recommendation.safeguards import Safeguards
from serving.recommender import Recommender
from serving.resilience.circuit_breakers import CircuitBreakers
from serving.retrieval.index_recall import IndexRecall
from serving.rules.rule_file import RuleBook
from serving.runtime.clock import Now
from serving.runtime.list_ids import ListIds
from serving.runtime.stage_batching import alone


def new_recommender(
    releases: Releases,
    lookup: FeatureLookup,
    metrics: Metrics,
    now: Now,
    impressions: ImpressionSink | None = None,
    rules: RuleBook | None = None,
    safeguards: Safeguards | None = None,
    list_ids: ListIds | None = None,
) -> Recommender:
    """With nothing that is not named: no rules, no impressions, no cache, default breakers."""
    return Recommender(
        releases,
        lookup,
        impressions or NoImpressions(),
        metrics,
        now,
        rules or RuleBook(),
        IndexRecall(0),
        safeguards or Safeguards(CircuitBreakers(metrics)),
        list_ids or ListIds(),
    )


def recommend(
    recommender: Recommender, request: RecommendationRequest, arrived: float | None = None, *, shown: bool = True
) -> Recommendations:
    """The answer to one request that nothing interrupts."""
    return alone(recommender.steps(request, arrived, shown=shown))
