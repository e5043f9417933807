"""What people look at: the dashboards, against the Prometheus of the run, and the log of who changed what."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.e2e.world import KEY, World

DASHBOARDS = Path(__file__).resolve().parents[3] / "monitoring" / "dashboards"
AUDITED = Path(__file__).resolve().parents[1] / "audited.py"
CHANGES = 100
WITH_TRAFFIC = ("serving", "events")
"""The rollout's pods end with it and drift is a file: neither is scraped here."""


def dashboards_show_data(world: World) -> str:
    """Prometheus takes every expression, and most panels of what has had traffic show something."""
    shown, empty = 0, []
    for board in WITH_TRAFFIC:
        for panel in json.loads((DASHBOARDS / f"{board}.json").read_text())["panels"]:
            results = [_result(world, target["expr"]) for target in panel["targets"]]
            shown += any(results)
            empty += [] if any(results) else [panel["title"]]
    assert shown > len(empty), f"only {shown} panels show something; nothing: {', '.join(empty)}"
    return f"{shown} panels show data; nothing yet: {', '.join(empty) or 'none'}"


def pods_of_both_slots_write_one_audit_log(world: World) -> str:
    """What was changed over the gateway at the same time is in the log once, and its chain of hashes is whole."""
    names = [f"audited-{number}" for number in range(CHANGES)]

    def change(name: str) -> int:
        item = {"item_id": name, "title": "Oat drink 1 l", "department": "GROCERY"}
        return world.gateway.post("/items", item, KEY).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = Counter(pool.map(change, names))
    assert answers == {202: CHANGES}, answers
    pod = f"deployment/{world.slots[0]}-predictor"
    printed = world.cluster.kubectl("exec", pod, "--", "python", "-c", AUDITED.read_text())
    log = json.loads(printed.strip().splitlines()[-1])
    assert not log["fault"], log["fault"]
    changed = Counter(name for entry in log["entries"] for name in entry["what"].get("first_ids", []))
    assert {name: changed[name] for name in names} == dict.fromkeys(names, 1), changed
    who = Counter(entry["who"] for entry in log["entries"])
    return f"{CHANGES} changes by several pods, {len(log['entries'])} entries by {dict(who)}, all as they were written"


def _result(world: World, expression: str) -> list[object]:
    """Series of an expression with all namespaces. Prometheus' own words where it refuses."""
    query = expression.replace("$namespace", ".*")
    body = httpx.get(f"{world.prometheus_url}/api/v1/query", params={"query": query}, timeout=10).json()
    assert body["status"] == "success", f"{query}: {body.get('error')}"
    result: list[object] = body["data"]["result"]
    return result


SCENARIOS = (dashboards_show_data, pods_of_both_slots_write_one_audit_log)
