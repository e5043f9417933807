"""Every decision as a Kubernetes Event, a line of JSON and metrics; those that change what serves in the audit log."""

import logging
import sys
from datetime import UTC, datetime
from typing import Protocol, TextIO

from prometheus_client import CollectorRegistry, Counter, Gauge

from contracts.audit.audit_log import Actor, Audit, AuditFailed
from rollout.cluster.objects import CONFIG_MAP, EVENT, Conflict, Objects
from rollout.record.state import Choice, Decision, Phase, Rollout
from rollout.record.verdict import Verdict

WARNINGS = (Choice.PAUSED, Choice.FORGIVEN, Choice.ABORTING, Choice.ABORTED)
VALUES = {Verdict.SUCCESSFUL: 1, Verdict.INCONCLUSIVE: 0, Verdict.FAILED: -1}
MAX_MESSAGE = 1024  # of an Event
CHANGES = (Choice.STARTED, Choice.SHIFTED, Choice.PROMOTING, Choice.PROMOTED, Choice.ABORTING, Choice.ABORTED)
"""Of who gets which bundle."""


class Announcer(Protocol):
    """Receives each decision after it was recorded; after a crash, the latest one again."""

    def announce(self, rollout: Rollout, decision: Decision) -> None:
        """Passes the decision on."""


class Events:
    """Events of ConfigMap `<release>-rollout`, so that `kubectl describe` of it shows what happened.

    The name is made of the rollout and the number of the decision: a decision announced twice is one Event.
    """

    def __init__(self, objects: Objects, release: str) -> None:
        self._objects = objects
        self._about = f"{release}-rollout"

    def announce(self, rollout: Rollout, decision: Decision) -> None:
        """Creates the Event, unless it is there."""
        moment = datetime.fromtimestamp(decision.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        namespace = self._objects.namespace
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{self._about}.{rollout.id}.{decision.number}", "namespace": namespace},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": CONFIG_MAP.name,
                "name": self._about,
                "namespace": namespace,
            },
            "type": "Warning" if decision.choice in WARNINGS else "Normal",
            "reason": f"Canary{decision.choice}",
            "message": f"{rollout.bundle} at {decision.percent} %: {decision.sentence}"[:MAX_MESSAGE],
            "source": {"component": "tandem-rollout"},
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }
        try:
            self._objects.create(EVENT, body)
        except Conflict:
            return


class JsonLines:
    """One line a decision, by default on standard output."""

    def __init__(self, release: str, stream: TextIO | None = None) -> None:
        self._release = release
        self._stream = stream or sys.stdout

    def announce(self, rollout: Rollout, decision: Decision) -> None:
        """Writes the line at once: a log collector shall not wait for the next one."""
        line = _Line(
            release=self._release, rollout=rollout.id, bundle=rollout.bundle, canary=rollout.canary, **dict(decision)
        )
        self._stream.write(line.model_dump_json() + "\n")
        self._stream.flush()


class _Line(Decision):
    release: str
    rollout: str
    bundle: str
    canary: str


class Exposition:
    """Metrics of the controller on a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._decisions = Counter(
            "tandem_rollout_decisions_total", "Decisions of the rollout controller.", ["decision"], registry=registry
        )
        self._percent = Gauge("tandem_rollout_canary_percent", "Traffic the canary is meant to get.", registry=registry)
        self._phase = Gauge("tandem_rollout_phase", "1 for the phase of the rollout.", ["phase"], registry=registry)
        self._gate = Gauge(
            "tandem_rollout_gate",
            "Latest verdict: 1 successful, 0 inconclusive, -1 failed.",
            ["gate"],
            registry=registry,
        )

    def announce(self, rollout: Rollout, decision: Decision) -> None:
        """Counts the decision and shows where the rollout stands."""
        self._decisions.labels(decision.choice).inc()
        self._percent.set(decision.percent)
        for phase in Phase:
            self._phase.labels(phase).set(phase is rollout.phase)
        for result in decision.gates:
            self._gate.labels(result.gate).set(VALUES[result.verdict])


class Audited:
    """A line of the audit log for each decision that changes who gets which bundle, by whom: gates, or by hand.

    The number of the decision is in it: after a crash the same one may be there twice. Commands by hand have a line of
    their own before they are taken up.
    """

    def __init__(self, audit: Audit, release: str, holder: str) -> None:
        """holder: of the rollout, as HOST:PROCESS."""
        self._audit = audit
        self._release = release
        self._actor = Actor("rollout", holder, "cluster")

    def announce(self, rollout: Rollout, decision: Decision) -> None:
        """Writes the line. One that cannot be written is said on the log of the process: no abort waits for a disk."""
        if decision.choice not in CHANGES:
            return
        try:
            self._audit.record(
                self._actor,
                f"rollout.{decision.choice.lower()}",
                release=self._release,
                rollout=rollout.id,
                number=decision.number,
                bundle=rollout.bundle,
                stable=rollout.stable_bundle,
                percent=decision.percent,
                because=decision.sentence,
            )
        except AuditFailed as error:
            logging.getLogger(__name__).error("%s was decided and is not in the audit log: %s", decision.choice, error)
