"""`helm rollback` writes weights and bundles of an older revision; what was decided comes back."""

import pytest

from contracts.errors import InvalidInput
from rollout.record.state import Phase, Request
from rollout.record.store import Store
from rollout.restore import restore
from rollout.slots.slots import Slots
from rollout.slots.standard import StandardSlots
from tests.support.rollouts.memory_cluster import RELEASE, standard_release
from tests.support.rollouts.world import World, bad_at_25, ended, unclear


@pytest.fixture
def world() -> World:
    return World()


def helm_rolls_back(world: World) -> None:
    """Everything as at the first installation: v1 in blue with all traffic, v0 in green."""
    for kind, body in standard_release():
        now = world.objects.get(kind, body["metadata"]["name"])
        assert now
        world.objects.replace(kind, now | {"spec": body["spec"]})


def store(world: World) -> Store:
    return Store(world.objects, RELEASE, holder="")


def slots(world: World) -> Slots:
    return StandardSlots(world.objects, RELEASE)


def state(world: World) -> tuple[dict[str, int], str | None, str | None]:
    return world.weights(), world.bundle("blue"), world.bundle("green")


def test_a_promotion_outlives_a_rollback_of_the_chart(world: World) -> None:
    world.controller().start("v2")
    helm_rolls_back(world)
    restore(store(world), slots(world))
    assert state(world) == ({"blue": 0, "green": 100}, "v1", "v2")


def test_an_aborted_canary_does_not_come_back(world: World) -> None:
    world.controller().start("v2")
    world.controller(bad_at_25).start("v3")  # staged in blue, where v1 was
    helm_rolls_back(world)
    restore(store(world), slots(world))
    assert state(world) == ({"blue": 0, "green": 100}, "v1", "v2")


def test_a_canary_under_way_keeps_its_share(world: World) -> None:
    world.controller(unclear).start("v2")
    helm_rolls_back(world)
    restore(store(world), slots(world))
    assert state(world) == ({"blue": 99, "green": 1}, "v1", "v2")


def test_before_any_rollout_the_chart_decides(world: World) -> None:
    before = state(world)
    assert restore(store(world), slots(world)) is None
    assert state(world) == before


def test_what_is_decided_meanwhile_counts(world: World) -> None:
    """A controller at work ends the rollout after it was read and before the weights are written."""
    release = world.release(unclear)
    release.controller.start("v2")

    class Late(StandardSlots):
        asked = False

        def share(self, canary: str, percent: int) -> None:
            if not self.asked:
                self.asked = True
                release.ask(Request.ABORT)
            super().share(canary, percent)

    restore(store(world), Late(world.objects, RELEASE))
    assert state(world) == ({"blue": 100, "green": 0}, "v1", "v0")


@pytest.mark.parametrize("restored", ["nothing", "share"])
def test_the_job_of_the_older_revision_releases_nothing(world: World, restored: str) -> None:
    """`helm rollback` brings back the Job that released v2; it may look before the slots are restored, or while."""
    world.controller().start("v2")
    helm_rolls_back(world)
    if restored == "share":
        slots(world).share("green", 100)
    assert world.controller().start("v2") is None
    restore(store(world), slots(world))
    assert state(world) == ({"blue": 0, "green": 100}, "v1", "v2")


def test_the_job_of_a_revision_before_that_releases_nothing(world: World) -> None:
    for bundle in ("v2", "v3"):
        world.controller().start(bundle)
    helm_rolls_back(world)
    with pytest.raises(InvalidInput, match="v2 was stable before v3; `tandem rollback --to`"):
        world.controller().start("v2")
    restore(store(world), slots(world))
    assert state(world) == ({"blue": 100, "green": 0}, "v3", "v2")
    assert ended(world.controller().start("v2", again=True)).phase is Phase.PROMOTED
