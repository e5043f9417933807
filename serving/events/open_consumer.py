"""The consumer of events as a server's settings have it, which knows who was erased."""

from contracts.erasure.suppression import SuppressionList
from serving.events.consumer import EventConsumer
from serving.events.log import ConsumedLog
from serving.events.metrics import ConsumerMetrics
from serving.features.online_rows import OnlineRows
from serving.features.recent_events import FeastRecentEvents
from serving.settings import ServingSettings


def new_consumer(settings: ServingSettings, log: ConsumedLog, metrics: ConsumerMetrics) -> EventConsumer:
    """Applies a log to the online store of the feature repository. Raises TandemError where that cannot be read."""
    recent = FeastRecentEvents(settings.feature_repo)
    if settings.erasures is None:
        return EventConsumer(log, recent, metrics, settings.event_retention_days)
    return EventConsumer(
        log,
        recent,
        metrics,
        settings.event_retention_days,
        SuppressionList(settings.erasures).contains,
        OnlineRows(settings.feature_repo).erase,
    )
