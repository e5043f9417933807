"""What people look at: the dashboards, against the Prometheus of the run."""

import json
from pathlib import Path

import httpx

from tests.e2e.world import World

DASHBOARDS = Path(__file__).resolve().parents[3] / "monitoring" / "dashboards"
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


def _result(world: World, expression: str) -> list[object]:
    """Series of an expression with all namespaces. Prometheus' own words where it refuses."""
    query = expression.replace("$namespace", ".*")
    body = httpx.get(f"{world.prometheus_url}/api/v1/query", params={"query": query}, timeout=10).json()
    assert body["status"] == "success", f"{query}: {body.get('error')}"
    result: list[object] = body["data"]["result"]
    return result


SCENARIOS = (dashboards_show_data,)
