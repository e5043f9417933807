"""Events that clients post: kept before they are answered, in the features moments later."""

import time
import uuid
from pathlib import Path
from typing import Any

from tests.e2e.cluster import until
from tests.e2e.world import KEY, World

FRESH_SECONDS = 20
LONG = 50
POSTED = 200
POSITION = Path(__file__).resolve().parents[1] / "position.py"


def an_event_changes_the_next_list(world: World) -> str:
    """A purchase of something new is in the user's history, and the list is another one."""
    user = world.user_ids[1]
    before = world.gateway.recommend(user, n=LONG)
    # What another user is recommended and this one has not bought: candidates and features both change.
    items = set(world.gateway.recommend(world.user_ids[2], n=LONG).item_ids[:5]) - _history(world, user)
    started = time.monotonic()
    posted = world.gateway.post("/events", {"events": [purchase(user, item) for item in items]}, KEY)
    assert posted.status_code == 202, f"{posted.status_code} {posted.text}"
    until("the purchases in the history", lambda: items <= _history(world, user), FRESH_SECONDS, 0.1)
    fresh = time.monotonic() - started
    after = world.gateway.recommend(user, n=LONG)
    moved = sum(old != new for old, new in zip(before.item_ids, after.item_ids, strict=True))
    assert moved, f"the same {LONG} items in the same order"
    return f"{len(items)} purchases in the history after {fresh:.1f} s, {moved} of {LONG} places have another item"


def lists_events_and_histories_need_the_key(world: World) -> str:
    """Without it nothing is kept, and nobody reads what a user has bought, nor the list that shows it."""
    user = world.user_ids[0]
    posted = world.gateway.post("/events", purchase(user, "1"))
    read = [world.gateway.client.get(path) for path in (f"/users/{user}/history", f"/recommendations/{user}")]
    codes = [answer.status_code for answer in (posted, *read)]
    assert codes == [401, 401, 401], f"{codes}: {posted.text}; {'; '.join(answer.text for answer in read)}"
    return "401 without the key: an event, a history, a list"


def no_event_is_lost_when_pods_are_killed(world: World) -> str:
    """What was answered 202 is in the log, after a predictor and the consumer were killed meanwhile."""
    kept = 0
    before = applied(world)
    for number in range(POSTED):
        if number == POSTED // 3:
            _kill(world, f"serving.kserve.io/inferenceservice={world.slots[0]}")
            _kill(world, "app.kubernetes.io/component=events")
        event = purchase(world.user_ids[number % len(world.user_ids)], "819063")
        kept += post_until_answered(world, event)
    until("all events applied", lambda: applied(world) >= before + kept, 120)
    seen = applied(world) - before
    assert seen == kept, f"{kept} kept, {seen} applied"
    return f"{POSTED} posted, {kept} answered 202, {seen} in the log and applied"


def purchase(user: str, item: str) -> dict[str, Any]:
    """One event."""
    name = uuid.uuid4().hex
    return {"event_id": name, "event_type": "purchase", "user_id": user, "item_id": item, "basket_id": name}


def post_until_answered(world: World, event: dict[str, Any]) -> int:
    """1 once it was answered 202. A client asks again with the same event_id, so nothing is kept twice."""
    import httpx

    for _ in range(20):
        try:
            if world.gateway.post("/events", event, KEY).status_code == 202:
                return 1
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise AssertionError(f"event {event['event_id']} was not taken in 20 tries")


def _history(world: World, user: str) -> set[str]:
    answer = world.gateway.client.get(f"/users/{user}/history", params={"n": 50}, headers=KEY)
    assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
    return {item["item_id"] for item in answer.json()["items"]}


def applied(world: World) -> int:
    """Events that were applied, by the consumer's position in the log: a counter would begin again with its pod."""
    lines = world.cluster.kubectl(
        "exec", f"deployment/{world.settings.release}-events", "--", "python", "-c", POSITION.read_text()
    )
    return int(lines.strip().splitlines()[-1])


def _kill(world: World, selector: str) -> None:
    pod = world.cluster.items("pods", f"--selector={selector}")[0]["metadata"]["name"]
    world.cluster.kubectl("delete", "pod", pod, "--grace-period=0", "--force")


SCENARIOS = (
    lists_events_and_histories_need_the_key,
    an_event_changes_the_next_list,
    no_event_is_lost_when_pods_are_killed,
)
