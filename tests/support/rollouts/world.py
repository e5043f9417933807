"""Rollouts in a cluster in memory, by a clock that a test moves and an observer with chosen answers."""

import io
import json
from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry

from rollout.analysis.observer import Observer
from rollout.cluster.objects import EVENT, HTTP_ROUTE, Objects
from rollout.controller import Clock, Controller
from rollout.record.announce import Announcer, Events, Exposition, JsonLines
from rollout.record.state import Rollout, Step
from rollout.record.store import Store
from rollout.record.verdict import Analysis, GateResult, Verdict
from rollout.release import Release, slots_of
from rollout.settings import GateName, Mode, RolloutSettings
from tests.support.rollouts.memory_cluster import RELEASE, MemoryObjects, knative_release, standard_release

Say = Callable[[Rollout], Verdict]
SHORT = {"analyses_per_step": 1, "interval_seconds": 30, "ready_seconds": 20, "patience_seconds": 120}


class Clockwork:
    """Time that passes by waiting alone; `meanwhile` is what happens in the world during each wait."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.meanwhile: Callable[[], None] = lambda: None

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.meanwhile()

    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.wait)


class Says:
    """Observer with an opinion."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def look(self, rollout: Rollout) -> tuple[Analysis, Step]:
        verdict = self._say(rollout)
        gate = GateResult(gate=GateName.ERRORS, verdict=verdict, sentence=f"{verdict} at {rollout.percent} %")
        return Analysis(gates=(gate,), click_evidence=float(rollout.percent)), rollout.step


def good(_: Rollout) -> Verdict:
    return Verdict.SUCCESSFUL


def bad_at_25(rollout: Rollout) -> Verdict:
    return Verdict.FAILED if rollout.percent >= 25 else Verdict.SUCCESSFUL


def unclear(_: Rollout) -> Verdict:
    return Verdict.INCONCLUSIVE


def release_of(
    objects: Objects,
    clock: Clock,
    observer: Observer,
    settings: RolloutSettings,
    holder: str,
    announcers: Sequence[Announcer] = (),
) -> Release:
    store, slots = Store(objects, RELEASE, holder), slots_of(objects, RELEASE, settings)
    told = [Events(objects, RELEASE), *announcers]
    return Release(Controller(slots, store, observer, told, settings, clock), store, clock)


class World:
    """A release in a cluster in memory, and controllers for it."""

    def __init__(self, mode: Mode = Mode.STANDARD) -> None:
        self.mode = mode
        self.objects = MemoryObjects()
        self.time = Clockwork()
        self.out = io.StringIO()
        self.registry = CollectorRegistry()
        for kind, body in standard_release() if mode is Mode.STANDARD else knative_release():
            self.objects.create(kind, body)

    def release(self, say: Say = good, holder: str = "one", **settings: Any) -> Release:
        self.registry = CollectorRegistry()
        announcers: list[Announcer] = [JsonLines(RELEASE, self.out), Exposition(self.registry)]
        chosen = RolloutSettings.model_validate({"mode": self.mode, **SHORT, **settings})
        return release_of(self.objects, self.time.clock(), Says(say), chosen, holder, announcers)

    def controller(self, say: Say = good, holder: str = "one", **settings: Any) -> Controller:
        return self.release(say, holder, **settings).controller

    def weights(self) -> dict[str, int]:
        route = self.objects.get(HTTP_ROUTE, RELEASE)
        assert route
        return {entry["name"].split("-")[1]: entry["weight"] for entry in route["spec"]["rules"][-1]["backendRefs"]}

    def bundle(self, slot: str) -> str | None:
        return slots_of(self.objects, RELEASE, RolloutSettings(mode=self.mode)).bundle(slot)

    def story(self) -> list[str]:
        return [json.loads(line)["choice"] for line in self.out.getvalue().splitlines()]

    def reasons(self) -> list[str]:
        return [event["reason"] for event in self.objects.of(EVENT)]


def ended(rollout: Rollout | None) -> Rollout:
    assert rollout is not None
    return rollout
