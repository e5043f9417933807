"""Releases that decide for themselves, while clients ask: a good one is promoted, a bad one rolled back."""

import time

from tests.e2e import bundles, install
from tests.e2e.cluster import until
from tests.e2e.release import (
    ABORTED,
    PROMOTED,
    SETTLE_SECONDS,
    Clients,
    Ended,
    clients,
    published,
    released,
    rollout_values,
    tandem,
    weights,
)
from tests.e2e.world import World

LONGEST_TRAINING_SECONDS = 1200
REFUSED_SECONDS = 60
"""How long a release waits for pods that will never be ready."""


def a_good_bundle_promotes_itself(world: World) -> str:
    """To 100 %, without a failed request."""
    ended, asking = _release(world, bundles.good)
    assert ended.exit_code == PROMOTED, ended.last_line
    assert not asking.failed, asking.faults()
    shares = asking.traffic.by_variant()
    assert max(weights(world).values()) == 100 and len(shares) == 2, shares
    return f"promoted in {ended.seconds:.0f} s, {asking.figures()}, {dict(shares)} by slot"


def helm_rollback_keeps_what_was_promoted(world: World) -> str:
    """The older revision has the weights and bundles of before; what the rollout came to is put back."""
    before, serving = weights(world), world.gateway.recommend(world.user_ids[0]).bundle_version
    install.upgrade(world, *rollout_values(world))
    with world.gateway.under_load(world.user_ids, world.settings.requests_per_second) as traffic:
        started = time.monotonic()
        world.cluster.helm("rollback", world.settings.release)
        until("weights of before", lambda: weights(world) == before, 180)
        seconds = time.monotonic() - started
        for slot in world.slots:
            world.cluster.kubectl("rollout", "status", f"deployment/{slot}-predictor", "--timeout=300s")
        # KServe may have seen nothing of it yet, so that the status above was of the pods of before.
        until("no other bundle's answers", lambda: _answering(world) == {serving}, 120, 3)
        time.sleep(SETTLE_SECONDS)
    assert not traffic.failed, traffic.faults()
    assert _answering(world) == {serving}, f"{_answering(world)} answer, {serving} was promoted"
    elsewhere = sum(answer.bundle_version != serving for answer in traffic.answers)
    return f"put back after {seconds:.0f} s, {len(traffic.answers)} requests, 0 failed, {elsewhere} of an older bundle"


def rollback_takes_seconds(world: World) -> str:
    """`tandem rollback` to the bundle that was promoted before, which is still loaded."""
    before = weights(world)
    with world.gateway.under_load(world.user_ids, world.settings.requests_per_second) as traffic:
        started = time.monotonic()
        tandem("rollback", "--release", world.settings.release, "--namespace", world.settings.namespace)
        until(
            "the bundle of before",
            lambda: world.gateway.recommend(world.user_ids[0]).bundle_version == world.version,
            60,
            0.1,
        )
        seconds = time.monotonic() - started
        time.sleep(SETTLE_SECONDS)
    assert weights(world) != before and seconds < 30, seconds
    assert not traffic.failed, traffic.faults()
    return f"back in {seconds:.1f} s, {len(traffic.answers)} requests, 0 failed"


def a_slow_bundle_is_rolled_back(world: World) -> str:
    """A ranker that takes a third of a second longer; every list is right."""
    return _rolled_back(world, bundles.slow)


def a_bundle_that_cannot_answer_gets_no_request(world: World) -> str:
    """Every pod refuses a catalogue without titles, and the release ends where its first share would begin."""
    return _rolled_back(world, bundles.without_titles, f"rollout.readySeconds={REFUSED_SECONDS}")


def a_bundle_with_empty_lists_is_rolled_back(world: World) -> str:
    """One candidate a user: no error anywhere, and nothing to show to those who have bought it."""
    return _rolled_back(world, bundles.empty)


def a_bundle_that_ranks_upside_down_is_rolled_back(world: World) -> str:
    """Full lists that have nothing to do with stable's, nor with anybody's taste."""
    return _rolled_back(world, bundles.upside_down)


def a_training_run_releases_itself(world: World) -> str:
    """The scheduled job by hand: it trains, publishes, and its second container releases what the first has made."""
    before = world.gateway.recommend(world.user_ids[0]).bundle_version
    install.upgrade(world, *rollout_values(world), "training.rollout=true", params="params-again.yaml")
    job = f"retrain-{int(time.time())}"
    with world.gateway.under_load(world.user_ids, world.settings.requests_per_second) as traffic:
        started = time.monotonic()
        world.cluster.kubectl("create", "job", job, f"--from=cronjob/{world.settings.release}-train")
        until("the training job", lambda: install.finished(world, job), LONGEST_TRAINING_SECONDS, 3)
        seconds = time.monotonic() - started
        time.sleep(SETTLE_SECONDS)
    after = world.gateway.recommend(world.user_ids[0]).bundle_version
    assert max(weights(world).values()) == 100 and after != before, f"{before} serves: {weights(world)}"
    assert not traffic.failed, f"{len(traffic.failed)} of {len(traffic.answers)} failed: {traffic.faults()}"
    return f"{after} trained and promoted in {seconds:.0f} s, {len(traffic.answers)} requests, 0 failed"


def _rolled_back(world: World, change: bundles.Change, *values: str) -> str:
    before = weights(world)
    ended, asking = _release(world, change, *values)
    assert ended.exit_code == ABORTED, f"exit code {ended.exit_code}: {ended.last_line}"
    assert weights(world) == before, weights(world)
    assert not asking.stable.failed, f"{len(asking.stable.failed)} failed on stable: {asking.stable.faults()}"
    harmed, most = asking.traffic.harmed, ended.most_harmed(len(asking.traffic.answers))
    assert harmed <= most, f"{harmed} harmed, a canary of {ended.largest_share} % harms {most:.0f} at most"
    return f"rolled back in {ended.seconds:.0f} s at {ended.largest_share} %, {asking.figures()}; {ended.last_line}"


def _release(world: World, change: bundles.Change, *values: str) -> tuple[Ended, Clients]:
    """A release under load."""
    bundle = published(world, change)
    with clients(world) as asking:
        ended = released(world, bundle, *values)
    return ended, asking


def _answering(world: World) -> set[str]:
    return {world.gateway.recommend(user).bundle_version for user in world.user_ids}


SCENARIOS = (
    a_good_bundle_promotes_itself,
    helm_rollback_keeps_what_was_promoted,
    rollback_takes_seconds,
    a_slow_bundle_is_rolled_back,
    a_bundle_that_cannot_answer_gets_no_request,
    a_bundle_with_empty_lists_is_rolled_back,
    a_bundle_that_ranks_upside_down_is_rolled_back,
    a_training_run_releases_itself,
)
