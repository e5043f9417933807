"""One drift run: the impression log against the bundle's reference sample, written for people, code and Prometheus."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from contracts.bundle.manifest import read_manifest
from contracts.errors import DataRejected
from monitoring.evidently_report import FeatureReport, compare, sample_of
from monitoring.exposition import write_exposition
from monitoring.exposure import exposure_gini
from monitoring.impressions import Impressions, read_impressions
from monitoring.psi import bin_counts, effective_rows, noise_floor, psi
from monitoring.reference import COLUMNS, read_reference
from monitoring.result import DriftResult, Exposure, Rows, Verdict

HTML: Final = "drift.html"
JSON: Final = "drift.json"
PROM: Final = "drift.prom"


@dataclass(frozen=True)
class DriftSettings:
    """When a feature, and when the whole, counts as drifted."""

    min_rows: int = 50  # full answers below which nothing is compared; to see a doubled feature surely takes 300 users
    psi_threshold: float = 0.1  # PSI from which a shift matters, however many rows prove it
    drift_share: float = 0.25  # share of drifted features from which the verdict is "drifted"
    false_alarm_probability: float = 0.01  # that chance alone lifts any feature of an undrifted log over its threshold


def drift_report(bundle: Path, impression_log: Path, output: Path, settings: DriftSettings) -> DriftResult:
    """The result, also written to output as drift.html, drift.json and drift.prom.

    Raises MissingArtifact without bundle or log, BundleRefused where the reference sample cannot be used, and
    DataRejected where the log has fewer than settings.min_rows full answers.
    """
    manifest = read_manifest(bundle)
    reference = read_reference(bundle, manifest)
    impressions = read_impressions(impression_log)
    if len(impressions.rows) < settings.min_rows:
        raise DataRejected(_too_few(impressions, impression_log, settings))
    current = impressions.frame()
    thresholds = _thresholds(current, reference, _effective_rows(impressions), settings)
    report = compare(current, reference, thresholds, settings.drift_share)
    result = _result(manifest.bundle_version, report, impressions, len(reference), settings)
    _write(result, report, output, settings)
    return result


def _thresholds(
    current: pd.DataFrame, reference: pd.DataFrame, rows: float, settings: DriftSettings
) -> Mapping[str, float]:
    """Threshold of each feature, the feature furthest above its own first."""
    thresholds, excess = {}, {}
    for column in COLUMNS:
        samples = sample_of(reference[column]), sample_of(current[column])
        bins = len(bin_counts(*samples)[0])
        # Bonferroni: the probability is of any false alarm, so each of the features gets an equal part.
        chance = noise_floor(bins, len(reference), rows, settings.false_alarm_probability / len(COLUMNS))
        thresholds[column] = max(settings.psi_threshold, chance)
        excess[column] = psi(*samples) / thresholds[column]
    return {column: thresholds[column] for column in sorted(COLUMNS, key=lambda name: -excess[name])}


def _result(
    bundle_version: str, report: FeatureReport, impressions: Impressions, reference_rows: int, settings: DriftSettings
) -> DriftResult:
    features = report.features()
    share = sum(feature.drifted for feature in features) / len(features)
    compared = len(impressions.rows)
    return DriftResult(
        bundle_version=bundle_version,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        verdict=Verdict.DRIFTED if share >= settings.drift_share else Verdict.STABLE,
        drifted_features_share=share,
        rows=Rows(
            lines=impressions.lines,
            compared=compared,
            degraded=impressions.degraded,
            malformed=impressions.malformed,
        ),
        reference_rows=reference_rows,
        users=len(impressions.rows_by_user),
        effective_rows=_effective_rows(impressions),
        degraded_share=impressions.degraded / (compared + impressions.degraded),
        exposure=Exposure(
            gini=exposure_gini(impressions.exposures.values()),
            shown_items=len(impressions.exposures),
            positions=impressions.exposures.total(),
        ),
        answers_by_bundle=dict(sorted(impressions.answers_by_bundle.items())),
        features=features,
        malformed_lines=impressions.malformed_lines,
    )


def _effective_rows(impressions: Impressions) -> float:
    return effective_rows(np.fromiter(impressions.rows_by_user.values(), dtype=np.int64))


def _write(result: DriftResult, report: FeatureReport, output: Path, settings: DriftSettings) -> None:
    output.mkdir(parents=True, exist_ok=True)
    report.write_html(
        output / HTML,
        title=f"Feature drift of bundle {result.bundle_version}: {result.verdict}",
        summary=_summary(result, settings),
    )
    (output / JSON).write_text(result.model_dump_json(indent=2) + "\n")
    write_exposition(result, output / PROM)


def _summary(result: DriftResult, settings: DriftSettings) -> list[str]:
    drifted = [feature.feature for feature in result.features if feature.drifted]
    rows = result.rows
    return [
        f"{len(drifted)} of {len(result.features)} features drifted{': ' * bool(drifted)}{', '.join(drifted)}. "
        f"The verdict turns to {Verdict.DRIFTED} at {settings.drift_share:.0%} of the features.",
        f"Current: {rows.compared:,} served answers to {result.users:,} users. Reference: {result.reference_rows:,} "
        f"rows at training time. A feature drifts from a PSI of {settings.psi_threshold}, or from what chance alone "
        "reaches with so few users where that is more; the tab Tests has the threshold of each.",
        f"The log has {rows.lines:,} lines; {rows.degraded:,} degraded and {rows.malformed:,} malformed are not "
        f"compared. Exposure Gini over {result.exposure.shown_items:,} shown items: {result.exposure.gini:.2f}. "
        f"Made {result.created_at}.",
    ]


def _too_few(impressions: Impressions, impression_log: Path, settings: DriftSettings) -> str:
    first = "".join(f", first line {line.line}: {line.reason}" for line in impressions.malformed_lines[:1])
    return (
        f"Drift needs at least {settings.min_rows} full answers; {impression_log} has {len(impressions.rows)} "
        f"in {impressions.lines} lines ({impressions.degraded} degraded, {impressions.malformed} malformed{first}). "
        f"Serve some requests first: run `tandem serve` with TANDEM_IMPRESSION_LOG={impression_log} "
        "and ask it for recommendations of known users."
    )
