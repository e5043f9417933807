"""Releases in KServe's Knative mode: revisions of one service, and its canaryTrafficPercent."""

import tempfile
import time

from tests.e2e import bundles, install
from tests.e2e.cluster import until
from tests.e2e.release import ABORTED, PROMOTED, published, released, rollout_values, tandem
from tests.e2e.world import World

SETTLE_SECONDS = 5
ROLLBACK_SECONDS = 60


def a_good_revision_promotes_itself(world: World) -> str:
    """The latest revision has all of the traffic at the end."""
    bundle = published(world, bundles.good)
    with world.gateway.under_load(world.user_ids, world.settings.requests_per_second) as traffic:
        ended = released(world, bundle)
        time.sleep(SETTLE_SECONDS)
    assert ended.exit_code == PROMOTED, ended.last_line
    assert not traffic.failed, f"{len(traffic.failed)} of {len(traffic.answers)} failed: {traffic.faults()}"
    shares = traffic.by_variant()
    assert _percent(world) is None and len(shares) == 2, (_percent(world), shares)
    assert world.gateway.recommend(world.user_ids[0]).bundle_version == bundle.rpartition("/")[2]
    return f"promoted in {ended.seconds:.0f} s, {len(traffic.answers)} requests, 0 failed, {dict(shares)} by slot"


def a_revision_with_empty_lists_is_rolled_back(world: World) -> str:
    """The revision before has all of the traffic again; what was empty is the canary's share at most."""
    before, bundle = world.gateway.recommend(world.user_ids[0]).bundle_version, published(world, bundles.empty)
    with world.gateway.under_load(world.user_ids, world.settings.requests_per_second) as traffic:
        ended = released(world, bundle)
        time.sleep(SETTLE_SECONDS)
    assert ended.exit_code == ABORTED, f"exit code {ended.exit_code}: {ended.last_line}"
    assert _percent(world) == 0
    again = [world.gateway.recommend(user) for user in world.user_ids]
    assert {answer.bundle_version for answer in again} == {before}, "the canary still answers"
    most = ended.most_harmed(len(traffic.answers))
    assert traffic.harmed <= most, f"{traffic.harmed} harmed: {traffic.faults()}"
    return (
        f"rolled back in {ended.seconds:.0f} s at {ended.largest_share} %, {len(traffic.answers)} requests, "
        f"{traffic.harmed} harmed; {ended.last_line}"
    )


def helm_upgrade_keeps_the_share(world: World) -> str:
    """The aborted canary is what the InferenceService asks for; without its 0 % an upgrade would give it everything."""
    before = world.gateway.recommend(world.user_ids[0]).bundle_version
    with world.gateway.under_load(world.user_ids, world.settings.requests_per_second) as traffic:
        install.upgrade(world, *rollout_values(world))
        time.sleep(SETTLE_SECONDS)
    assert _percent(world) == 0, _percent(world)
    assert not traffic.harmed, f"{traffic.harmed} harmed: {traffic.faults()}"
    assert {answer.bundle_version for answer in traffic.answers} == {before}, "another bundle answers"
    return f"0 % after helm upgrade as before it, {len(traffic.answers)} requests, 0 harmed"


def rollback_is_a_new_revision(world: World) -> str:
    """`tandem rollback` to the bundle that was installed first: as long as a pod takes to start."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as mode:
        mode.write("mode: Knative\n")
        mode.flush()
        with world.gateway.under_load(world.user_ids, world.settings.requests_per_second) as traffic:
            started = time.monotonic()
            whose = ("--release", world.settings.release, "--namespace", world.settings.namespace)
            tandem("rollback", *whose, "--settings", mode.name)
            until("the bundle of before", lambda: _serves(world, world.version), ROLLBACK_SECONDS, 0.1)
            seconds = time.monotonic() - started
            time.sleep(SETTLE_SECONDS)
    assert not traffic.failed, f"{len(traffic.failed)} of {len(traffic.answers)} failed: {traffic.faults()}"
    assert _percent(world) is None and seconds < ROLLBACK_SECONDS, (_percent(world), seconds)
    return f"back in {seconds:.1f} s, {len(traffic.answers)} requests, 0 failed"


def _serves(world: World, version: str) -> bool:
    return world.gateway.recommend(world.user_ids[0]).bundle_version == version


def _percent(world: World) -> int | None:
    predictor = world.cluster.get("inferenceservice", world.settings.release)["spec"]["predictor"]
    percent: int | None = predictor.get("canaryTrafficPercent")
    return percent


SCENARIOS = (
    a_good_revision_promotes_itself,
    a_revision_with_empty_lists_is_rolled_back,
    helm_upgrade_keeps_the_share,
    rollback_is_a_new_revision,
)
