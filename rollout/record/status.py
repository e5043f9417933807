"""The record of a release in words."""

from collections.abc import Iterator
from datetime import UTC, datetime

from rollout.record.state import Decision, Record, Rollout


def lines(record: Record) -> Iterator[str]:
    """The most asked facts come first: how far it is, what it waits for, why it decided so."""
    if record.rollout is None:
        yield "no rollout yet"
    else:
        yield from _of_rollout(record.rollout)
    if record.request:
        yield f"asked by hand: {record.request}"
    if record.rollout and not record.rollout.ended:
        yield f"controller: {record.holder or 'none at work; `tandem rollout start` with the same bundle goes on'}"
    if record.history:
        yield f"stable before: {', '.join(reversed(record.history))}"


def _of_rollout(rollout: Rollout) -> Iterator[str]:
    yield f"{rollout.bundle}: {rollout.phase} in slot {rollout.canary}, {rollout.percent} % of the traffic"
    if not rollout.ended:
        yield f"stable: {rollout.stable_bundle} in slot {rollout.stable}"
    if rollout.waits_for:
        yield f"waits for: {rollout.waits_for}"
    if rollout.decision:
        yield from _of_decision(rollout.decision)
    if rollout.analysed and rollout.analysed != rollout.decision:
        yield from _of_decision(rollout.analysed)


def _of_decision(decision: Decision) -> Iterator[str]:
    moment = datetime.fromtimestamp(decision.at, UTC).isoformat(timespec="seconds")
    yield f"decision {decision.number} at {moment}: {decision.choice}, {decision.sentence}"
    yield from (f"  {result.gate}: {result.verdict}, {result.sentence}" for result in decision.gates)
