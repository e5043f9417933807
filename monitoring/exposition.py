"""drift.prom: the result as Prometheus text, for a node exporter's textfile collector or a Pushgateway."""

from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from monitoring.result import DriftResult


def write_exposition(result: DriftResult, path: Path) -> None:
    """Writes path in one rename, so that a scrape never sees half of it."""
    write_to_textfile(str(path), registry_of(result))


def registry_of(result: DriftResult) -> CollectorRegistry:
    """A registry of its own: a batch job's gauges must not carry the process metrics of the default one."""
    registry = CollectorRegistry()

    def gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(name, text, labels, registry=registry)

    score = gauge("tandem_feature_drift_score", "Drift score against the reference sample.", ("feature", "method"))
    threshold = gauge("tandem_feature_drift_threshold", "Score from which it counts as drift.", ("feature", "method"))
    for feature in result.features:
        score.labels(feature.feature, feature.method).set(feature.score)
        threshold.labels(feature.feature, feature.method).set(feature.threshold)
    share = gauge("tandem_drifted_features_share", "Share of features at or above their threshold.")
    share.set(result.drifted_features_share)
    rows = gauge("tandem_drift_rows", "Lines of the impression log by what became of them.", ("outcome",))
    for outcome in ("compared", "degraded", "malformed"):
        rows.labels(outcome).set(getattr(result.rows, outcome))
    gauge("tandem_exposure_gini", "Gini index of exposure over shown items.").set(result.exposure.gini)
    gauge("tandem_degraded_answers_share", "Share of degraded answers in the log.").set(result.degraded_share)
    created = gauge(
        "tandem_drift_report_timestamp_seconds", "When the report was made; old means the job is not running."
    )
    created.set(datetime.fromisoformat(result.created_at).timestamp())
    return registry
