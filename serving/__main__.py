"""`python -m serving`: settings from TANDEM_* environment variables, one bundle, KServe's model server."""

from serving.runtime import feast_import, kserve_import  # noqa: F401 - before anything imports Feast or KServe

# isort: split
import gc
import logging
import sys
from collections.abc import Callable
from functools import partial

from kserve.model_server import app
from prometheus_client import REGISTRY

from contracts.api.requests import RankingRequest, RetrievalRequest
from contracts.audit.audit_log import AuditLog, NoAudit
from contracts.erasure.suppression import SuppressionList
from contracts.errors import TandemError
from serving.api.access import Access
from serving.api.app import add_routes
from serving.api.file_audit import FileAudit, watched_files
from serving.api.kserve_models import models
from serving.api.kserve_server import LoopbackModelServer, quiet, use_uvloop
from serving.bundles.health import BundleHealth
from serving.bundles.live_releases import LiveReleases
from serving.bundles.loader import Loader, give_back_memory
from serving.bundles.proofs import Proofs
from serving.bundles.release import Releases
from serving.bundles.signature import public_keys
from serving.bundles.sources import source_of
from serving.bundles.trial import Trial, TrialLimits
from serving.bundles.watcher import Watch
from serving.erasure.receipts import private_key
from serving.erasure.server_erasure import ErasureWatch, Stores
from serving.events.cache_invalidator import Follower, follow
from serving.events.impressions import ImpressionSink, JsonLinesImpressions, NoImpressions, WithoutErased
from serving.events.intake import Intake, open_intake
from serving.events.live_catalogue import LiveCatalogue
from serving.events.log import EventLogError
from serving.events.metrics import CatalogueMetrics, ConsumerMetrics
from serving.events.open_consumer import new_consumer
from serving.features.guarded_lookup import GuardedLookup
from serving.features.lookup import FeastLookup
from serving.features.online_rows import OnlineRows
from serving.metrics import Metrics
from serving.recommendation.safeguards import Safeguards, safeguards_of
from serving.recommender import Recommender
from serving.related_items import RelatedItems
from serving.resilience.run_limit import RunLimit
from serving.retrieval.index_recall import IndexRecall
from serving.rules.rule_file import RuleBook
from serving.runtime.background import Background
from serving.runtime.clock import Now, frozen_clock, wall_clock
from serving.runtime.feast_import import GC_THRESHOLD
from serving.runtime.huge_pages import use_huge_pages
from serving.runtime.list_ids import ListIds
from serving.runtime.screen import keep_libraries_quiet
from serving.runtime.worker import new_worker
from serving.service import Lists, Service
from serving.settings import Clock, ServingSettings, read_settings
from serving.users import Users


def serve(settings: ServingSettings) -> None:
    """Loads, warms up and answers until a signal ends it.

    Raises TandemError where the bundle or the feature store cannot be used.
    """
    service = new_service(settings, Metrics(REGISTRY, settings.variant))
    access = Access(settings)
    add_routes(app, service, access)  # before KServe's own routes, so that / is the page
    use_uvloop()
    server = LoopbackModelServer(settings, access)
    quiet(settings.log_level)
    logging.getLogger(__name__).warning("%s", access.sentence())
    background = start_background(service)
    try:
        service.worker.submit(warm_up, service).result()
        gc.collect()
        gc.freeze()  # what is loaded by now stays; looking through it for garbage would hold up requests for 0.1 s
        gc.set_threshold(*GC_THRESHOLD)
        give_back_memory()  # Feast's start takes as much for a moment as a bundle does
        use_huge_pages()
        Watch(service.releases).start()
        server.start(models(service))
    finally:
        background.close()
        if service.intake:
            service.intake.close()


def new_service(settings: ServingSettings, metrics: Metrics) -> Service:
    """The collaborators of one process. Raises TandemError where bundle or feature store cannot be used."""
    limit = RunLimit(settings.model_run_seconds)
    loader = Loader(
        source_of(settings.bundle_dir, settings.bundle_cache),
        public_keys(settings.bundle_public_key or ""),
        Trial(
            TrialLimits(settings.bundle_trial_seconds, settings.bundle_trial_megabytes), Proofs(settings.bundle_cache)
        ),
        limit.run,
    )
    health = BundleHealth(settings.bundle_failure_share, settings.bundle_failure_seconds)
    releases = LiveReleases(loader, metrics, settings.variant, settings.experiment, health)
    now = _now(settings, releases)
    safeguards = safeguards_of(settings, metrics)
    lookup = GuardedLookup(
        FeastLookup(
            settings.feature_repo,
            lambda: now()[0],
            settings.online_store_timeout_ms / 1000,
            settings.not_interested_days,
        ),
        safeguards.breakers,
    )
    suppressed = SuppressionList(settings.erasures) if settings.erasures else None
    if settings.receipt_key:
        private_key(settings.receipt_key)  # refused now, and not after somebody was erased
    intake = open_intake(settings)
    list_ids = _list_ids(settings)
    recommender = Recommender(
        releases,
        lookup,
        _impressions(settings, suppressed),
        metrics,
        now,
        RuleBook(settings.rules, metrics.registry),
        IndexRecall(settings.recall_sample_seconds, metrics.registry),
        safeguards,
        list_ids,
    )
    worker = new_worker()
    return Service(
        settings=settings,
        metrics=metrics,
        releases=releases,
        recommender=recommender,
        lists=Lists(recommender, worker),
        users=Users(releases, lookup, metrics),
        related_items=RelatedItems(releases, lookup, metrics),
        worker=worker,
        seconds=lambda: now()[0],
        limit=limit,
        list_ids=list_ids,
        intake=intake,
        cache=safeguards.cache,
        suppressed=suppressed,
        stores=_stores(settings, intake, safeguards) if suppressed is not None else None,
        audit=AuditLog(settings.audit_log) if settings.audit_log else NoAudit(),
    )


def _list_ids(settings: ServingSettings) -> ListIds:
    """With what all replicas and slots have alike: a key of this process would not know the lists of the others."""
    secret = settings.user_token_key or settings.api_key
    return ListIds(secret.get_secret_value() if secret else "")


def _impressions(settings: ServingSettings, suppressed: SuppressionList | None) -> ImpressionSink:
    if settings.impression_log is None:
        return NoImpressions()
    hours = settings.impression_log_hours
    log = JsonLinesImpressions(settings.impression_log, settings.impression_log_bytes, hours * 3600)
    return log if suppressed is None else WithoutErased(log, suppressed.contains)


def _stores(settings: ServingSettings, intake: Intake | None, safeguards: Safeguards) -> Stores:
    return Stores(
        intake.interactions if intake else None,
        OnlineRows(settings.feature_repo).erase,
        settings.impression_log,
        safeguards.remembered,
        safeguards.cache,
        settings.impression_folder_shared,
    )


def start_background(service: Service) -> Background:
    """Threads that end models' runs, follow erasures and files, and give posted events effect. Raises TandemError."""
    background = Background()
    background.start("model-runs", service.limit.watch)
    watches: list[Callable[[], int]] = []
    if service.suppressed is not None and service.stores is not None:
        watches.append(ErasureWatch(service.suppressed, service.stores).step)
    watches += [FileAudit(service.audit, name, path).step for name, path in watched_files(service.settings).items()]
    if watches:
        background.start("watches", partial(follow, watches, failed="Erasures and files are not followed"))
    if service.intake:
        follower = Follower(service.intake.interactions, service.forget)
        catalogue = LiveCatalogue(service.intake.items, CatalogueMetrics(service.metrics.registry))
        service.releases.lay_over(catalogue.over)  # a bundle that is changed to has what was posted, too
        try:
            catalogue.begin(service.releases)  # before the first answer
        except EventLogError as error:  # it is followed from now on, and recommendations do not wait for it
            logging.getLogger(__name__).warning("The catalogue is as the bundle has it: %s", error)
        background.start("follower", partial(follow, (follower.step,)))
        # In a thread of its own: what waits for a tower holds up no change of a user's list.
        background.start("catalogue", partial(follow, (partial(catalogue.step, service.releases),)))
        if service.settings.event_consumer:
            metrics = ConsumerMetrics(service.metrics.registry)
            consumer = new_consumer(service.settings, service.intake.interactions, metrics)
            background.start("consumer", consumer.run)
    return background


def warm_up(service: Service) -> None:
    """Answers once before the first request does: models, index and store make their first allocations here."""
    for user_id in service.releases.serving().bundle.manifest.example_user_ids[:2]:  # nothing is recorded of it
        try:
            ids = service.recommender.retrieve(RetrievalRequest(user_id=user_id, k=10)).item_ids
            service.recommender.rank(RankingRequest(user_id=user_id, item_ids=ids))
        except TandemError as error:  # the server can answer without the store, so it starts without it
            logging.getLogger(__name__).warning("Warm-up was not answered: %s", type(error).__name__)


def _now(settings: ServingSettings, releases: Releases) -> Now:
    if settings.clock is Clock.DATA:  # of the data that serves, which may change
        return lambda: frozen_clock(releases.serving().bundle.manifest.data_end_timestamp)()
    return wall_clock(releases.serving().bundle.manifest.time_zone)


def main() -> int:
    """Exit code 2 with one line where the server cannot start."""
    keep_libraries_quiet()
    try:
        serve(read_settings())
    except TandemError as error:
        sys.stderr.write(f"tandem: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
