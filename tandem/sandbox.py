"""Recommenders of this project without a server, for commands that try something out."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from training.workspace import Workspace

if TYPE_CHECKING:
    from serving.bundles.bundle import LoadedBundle
    from serving.features.lookup import FeatureLookup
    from serving.recommender import Recommender
    from serving.runtime.clock import Now


def recommenders(
    workspace: Workspace, bundle: str, rules: Sequence[Path | None], *, historical: bool
) -> "list[Recommender]":
    """A recommender for each file of rules, over the same bundle: each answers as a server with these rules would.

    Raises TandemError where bundle, feature store or rules cannot be used.
    """
    from serving.bundles.bundle import load_bundle
    from serving.features.lookup import FeastLookup
    from serving.runtime.clock import frozen_clock, wall_clock

    loaded, lookup = load_bundle(workspace.bundles / bundle), FeastLookup(workspace.feature_repo)
    manifest = loaded.manifest
    now = frozen_clock(manifest.data_end_timestamp) if historical else wall_clock(manifest.time_zone)
    return [recommender_over(loaded, lookup, now, path) for path in rules]


def recommender_over(bundle: "LoadedBundle", lookup: "FeatureLookup", now: "Now", rules: Path | None) -> "Recommender":
    """Answers as a server with this bundle and these rules would. Raises MissingArtifact or InvalidInput for rules."""
    from prometheus_client import CollectorRegistry

    from serving.bundles.release import OneRelease
    from serving.events.impressions import NoImpressions
    from serving.metrics import Metrics
    from serving.recommendation.safeguards import Safeguards
    from serving.recommender import Recommender
    from serving.resilience.circuit_breakers import CircuitBreakers
    from serving.retrieval.index_recall import IndexRecall
    from serving.rules.rule_file import RuleBook
    from serving.runtime.list_ids import ListIds

    metrics = Metrics(CollectorRegistry())
    book, safeguards = RuleBook(rules, metrics.registry), Safeguards(CircuitBreakers(metrics))
    releases = OneRelease(bundle, "sandbox")
    return Recommender(releases, lookup, NoImpressions(), metrics, now, book, IndexRecall(0), safeguards, ListIds())
