"""What keeps answers coming when a part is slow or gone."""

from dataclasses import dataclass, field

from serving.features.remembered import RememberedFeatures
from serving.metrics import Metrics
from serving.recommendation.answer_cache import LIST_BYTES, AnswerCache, Cache, NoCache
from serving.resilience.circuit_breakers import CircuitBreakers
from serving.resilience.deadline import Budget
from serving.settings import ServingSettings


@dataclass(frozen=True)
class Safeguards:
    """Breakers, time, memory and cache of one server."""

    breakers: CircuitBreakers
    budget: Budget = field(default_factory=Budget)
    remembered: RememberedFeatures = field(default_factory=RememberedFeatures)
    cache: Cache = field(default_factory=NoCache)


def safeguards_of(settings: ServingSettings, metrics: Metrics) -> Safeguards:
    """The safeguards that the settings ask for."""
    return Safeguards(
        CircuitBreakers(metrics, settings.breaker_failures, settings.breaker_retry_ms / 1000),
        Budget(settings.retrieval_deadline_ms / 1000, settings.ranking_deadline_ms / 1000),
        RememberedFeatures(settings.remembered_users, settings.remembered_seconds),
        _cache(settings, metrics),
    )


def _cache(settings: ServingSettings, metrics: Metrics) -> Cache:
    if settings.cache_seconds == 0:
        return NoCache()
    return AnswerCache(settings.cache_lists * LIST_BYTES, settings.cache_seconds, metrics.cache)
