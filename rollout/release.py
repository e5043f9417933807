"""One release on a cluster, put together: slots, record, observer and announcers around a controller."""

from dataclasses import dataclass

import httpx
from prometheus_client import CollectorRegistry, start_http_server

from contracts.audit.audit_log import Audit
from contracts.errors import InvalidInput
from rollout.analysis.mirror import Mirror
from rollout.analysis.observer import ClusterObserver
from rollout.analysis.prometheus import Prometheus
from rollout.cluster.objects import Objects
from rollout.controller import Clock, Controller
from rollout.record.announce import Announcer, Audited, Events, Exposition, JsonLines
from rollout.record.state import Record, Request, Rollout
from rollout.record.store import RolloutHeld, Store
from rollout.restore import restore
from rollout.settings import Mode, RolloutSettings
from rollout.slots.knative import KnativeSlots
from rollout.slots.slots import Slots
from rollout.slots.standard import StandardSlots

HTTP_TIMEOUT_SECONDS = 10
ASK_SECONDS = 60  # for a live controller to do what it is asked; it listens every few seconds


@dataclass(frozen=True)
class Release:
    """What the commands act on."""

    controller: Controller
    store: Store
    clock: Clock

    def ask(self, request: Request) -> Rollout:
        """Has the controller at work do it, or does it here when there is none.

        Raises InvalidInput when no rollout is under way, RolloutHeld when the one at work does not answer in time.
        """
        if (rollout := self.store.read().rollout) is None or rollout.ended:
            raise InvalidInput(
                f"no rollout is under way, so there is nothing to {request}; see `tandem rollout status`"
            )
        self.store.change(lambda record: record.model_copy(update={"request": request}))
        try:
            return self.controller.resume()
        except RolloutHeld:
            return self._ended_elsewhere(rollout.id)

    def roll_back(self, to: str | None) -> Rollout:
        """Rolls back to an earlier bundle. A rollout under way is aborted; that is all unless a bundle is named."""
        rollout = self.store.read().rollout
        if rollout is not None and not rollout.ended:
            aborted = self.ask(Request.ABORT)
            if to is None or to == rollout.stable_bundle:
                return aborted
        return self.controller.roll_back(to)

    def _ended_elsewhere(self, rollout_id: str) -> Rollout:
        ends = self.clock.now() + ASK_SECONDS
        while self.clock.now() < ends:
            rollout = self.store.read().rollout
            if rollout and rollout.id == rollout_id and rollout.ended:
                return rollout
            self.clock.wait(1)
        raise RolloutHeld(f"{self.store.read().holder} has been asked and has not done it in {ASK_SECONDS} s")


def record_of(release: str, namespace: str) -> Record:
    """What the cluster remembers of a release."""
    return Store(_objects_in(namespace), release, holder="").read()


def restored(release: str, namespace: str) -> Rollout | None:
    """The rollout whose shares and bundles are in place again; None where there was none."""
    objects = _objects_in(namespace)
    return restore(Store(objects, release, holder=""), StandardSlots(objects, release))


def open_release(
    release: str, namespace: str, settings: RolloutSettings, holder: str, audit: Audit, metrics_port: int = 0
) -> Release:
    """The release in a namespace of the current cluster; its decisions are noted in the audit log."""
    objects, registry = _objects_in(namespace), CollectorRegistry()
    if metrics_port:
        start_http_server(metrics_port, registry=registry)
    slots, clock = slots_of(objects, release, settings), Clock()
    store = Store(objects, release, holder)
    announcers: list[Announcer] = [
        Events(objects, release),
        JsonLines(release),
        Exposition(registry),
        Audited(audit, release, holder),
    ]
    return Release(Controller(slots, store, observer_of(slots, settings), announcers, settings, clock), store, clock)


def _objects_in(namespace: str) -> Objects:
    """Objects of a namespace of the current cluster."""
    from rollout.cluster.kubernetes import connect  # the client takes seconds to load, and only a real cluster needs it

    return connect(namespace)


def slots_of(objects: Objects, release: str, settings: RolloutSettings) -> Slots:
    """Slots as KServe was installed."""
    if settings.mode is Mode.KNATIVE:
        return KnativeSlots(objects, release, settings.mirror.host)
    return StandardSlots(objects, release)


def observer_of(slots: Slots, settings: RolloutSettings) -> ClusterObserver:
    """Observer with its two HTTP clients."""
    prometheus = httpx.Client(base_url=settings.metrics.prometheus_url, timeout=HTTP_TIMEOUT_SECONDS)
    mirror = None
    if settings.mirror.url:
        asked = httpx.Client(
            base_url=settings.mirror.url, timeout=HTTP_TIMEOUT_SECONDS, headers=settings.mirror.headers()
        )
        mirror = Mirror(asked, slots.headers, settings.mirror)
    return ClusterObserver(Prometheus(prometheus, settings.metrics), mirror, settings.analysis)
