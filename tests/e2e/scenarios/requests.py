"""What clients see: lists, the forced slot, the closed paths, weights."""

import time
from collections import Counter

from tests.e2e.cluster import until
from tests.e2e.traffic import Answer
from tests.e2e.world import KEY, World

REQUESTS = 200
PAUSE_SECONDS = 0.025
"""Between requests of one caller: a pod answers 50 of them a second by the chart's defaults."""


def recommendations(world: World) -> str:
    """Every known user gets full lists of that user's own; an unknown one gets popular items."""
    answers = [world.gateway.recommend(user) for user in world.user_ids]
    assert all(answer.status == 200 and len(answer.item_ids) == 10 for answer in answers), answers
    assert all(answer.bundle_version == world.version for answer in answers), answers[0]
    assert len({answer.item_ids for answer in answers}) > 1, "every user got the same list"
    stranger = world.gateway.client.get("/recommendations/nobody-knows-me", headers=KEY).json()
    assert stranger["degraded_level"] != "full" and stranger["items"], stranger
    return f"{len(answers)} users, each a list of 10; a stranger got {stranger['degraded_level']}"


def forced_slot(world: World) -> str:
    """The header decides, whatever the weights are."""
    counts = {}
    for slot in ("blue", "green"):
        answers = [_unhurried(world, user, slot) for user in world.user_ids * 5]
        assert {answer.variant for answer in answers} == {slot}, {answer.variant for answer in answers}
        counts[slot] = len(answers)
    return f"{counts['blue']} of {counts['blue']} to blue, {counts['green']} of {counts['green']} to green"


def closed_paths(world: World) -> str:
    """What is for operators alone is not forwarded."""
    paths = ("/metrics", "/admin/bundle", "/v2/repository/index", "/v2/repository/models/recommender/unload")
    statuses = {path: world.gateway.client.get(path).status_code for path in paths}
    assert set(statuses.values()) == {404}, statuses
    unload = world.gateway.post("/v2/repository/models/recommender/unload", {})
    assert unload.status_code == 404, unload.text
    return f"{len(paths) + 1} requests, all 404"


def weights(world: World) -> str:
    """80 and 20 percent are what the clients see, and the forced slot stays forced."""
    set_weights(world, blue=80, green=20)
    try:
        until("the new weights", lambda: world.gateway.recommend(world.user_ids[0]).variant == "green", 30, 0)
        users = world.user_ids * (REQUESTS // len(world.user_ids) + 1)
        answers = [_unhurried(world, user) for user in users]
        green = sum(answer.variant == "green" for answer in answers) / len(answers)
        statuses = Counter(answer.status for answer in answers)
        assert set(statuses) == {200}, statuses
        assert 0.1 < green < 0.32, green  # 200 draws of 20 percent lie outside once in 10,000 runs
        forced = {_unhurried(world, user, slot="blue").variant for user in world.user_ids * 3}
        assert forced == {"blue"}, forced
    finally:
        set_weights(world, blue=100, green=0)
    return f"{green:.0%} of {len(answers)} requests to green at weight 20"


def _unhurried(world: World, user: str, slot: str = "") -> Answer:
    time.sleep(PAUSE_SECONDS)
    return world.gateway.recommend(user, slot=slot)


def set_weights(world: World, **percent: int) -> None:
    """What `tandem rollout` does to the route."""
    release = world.settings.release
    rules = world.cluster.get("httproute", release)["spec"]["rules"]
    for backend in rules[-1]["backendRefs"]:
        backend["weight"] = percent[backend["name"].removeprefix(f"{release}-").removesuffix("-predictor")]
    import json

    world.cluster.kubectl(
        "patch", "httproute", release, "--type=merge", f"--patch={json.dumps({'spec': {'rules': rules}})}"
    )


SCENARIOS = (recommendations, forced_slot, closed_paths, weights)
