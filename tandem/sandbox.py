"""Recommenders of this project without a server, for commands that try something out."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from training.workspace import Workspace

if TYPE_CHECKING:
    from serving.recommender import Recommender


def recommenders(
    workspace: Workspace, bundle: str, rules: Sequence[Path | None], *, historical: bool
) -> "list[Recommender]":
    """One for each file of rules, over the same bundle: each answers as a server with these rules would.

    Raises TandemError where bundle, feature store or rules cannot be used.
    """
    from prometheus_client import CollectorRegistry

    from serving.bundles.bundle import load_bundle
    from serving.bundles.release import OneRelease
    from serving.events.impressions import NoImpressions
    from serving.features.lookup import FeastLookup
    from serving.metrics import Metrics
    from serving.recommendation.safeguards import Safeguards
    from serving.recommender import Recommender
    from serving.resilience.circuit_breakers import CircuitBreakers
    from serving.retrieval.index_recall import IndexRecall
    from serving.rules.rule_file import RuleBook
    from serving.runtime.clock import frozen_clock, wall_clock

    loaded, lookup = load_bundle(workspace.bundles / bundle), FeastLookup(workspace.feature_repo)
    manifest, releases = loaded.manifest, OneRelease(loaded, "sandbox")
    now = frozen_clock(manifest.data_end_timestamp) if historical else wall_clock(manifest.time_zone)

    def over(path: Path | None) -> Recommender:
        metrics = Metrics(CollectorRegistry())
        book, safeguards = RuleBook(path, metrics.registry), Safeguards(CircuitBreakers(metrics))
        return Recommender(releases, lookup, NoImpressions(), metrics, now, book, IndexRecall(0), safeguards)

    return [over(path) for path in rules]
