"""Shares and bundles as the record has them, after something else wrote older ones: `helm rollback` does."""

from rollout.record.state import Phase, Rollout
from rollout.record.store import Store
from rollout.slots.slots import Slots


def restore(store: Store, slots: Slots) -> Rollout | None:
    """The rollout whose state is in place again; None where there was none, so that nothing was owned by it.

    No claim is needed: it writes what a controller at work would write, and again where that has moved on meanwhile.
    """
    while (rollout := store.read().rollout) is not None:
        put_back(slots, rollout)
        if (now := store.read().rollout) and now.phase is rollout.phase and now.percent == rollout.percent:
            return rollout
    return None


def put_back(slots: Slots, rollout: Rollout) -> None:
    """Traffic first: the slot that lost it still has pods of its bundle for some seconds."""
    taken_back = rollout.phase in (Phase.ABORTING, Phase.ABORTED)
    slots.share(rollout.canary, 0 if taken_back else rollout.percent)
    for slot, bundle in (
        (rollout.stable, rollout.stable_bundle),
        (rollout.canary, rollout.displaced_bundle if taken_back else rollout.bundle),
    ):
        if bundle:
            slots.put(slot, bundle)
