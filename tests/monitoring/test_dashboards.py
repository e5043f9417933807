"""Dashboards ask for what is exported: every panel's PromQL, by promtool and by the collectors themselves."""

import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from monitoring.exposition import registry_of
from monitoring.result import DriftResult, Exposure, Rows, Verdict
from rollout.record.announce import Exposition
from serving.events.metrics import CatalogueMetrics, ConsumerMetrics, InteractionMetrics
from serving.metrics import Metrics
from serving.retrieval.index_recall import IndexRecall
from serving.rules.rule_file import RuleBook
from serving.runtime.list_ids import ListIds
from tests.support.real_parts.programs import program

MONITORING = Path(__file__).resolve().parents[2] / "monitoring"
PROMTOOL = program("promtool")
ADDED_BY_PROMETHEUS = {"namespace", "pod", "instance", "job"}
DRIFT = DriftResult(
    bundle_version="b",
    created_at="2026-01-01T00:00:00+00:00",
    verdict=Verdict.STABLE,
    drifted_features_share=0.0,
    rows=Rows(lines=0, compared=0, degraded=0, malformed=0),
    reference_rows=0,
    users=0,
    effective_rows=0.0,
    degraded_share=0.0,
    exposure=Exposure(gini=0.0, shown_items=0, positions=0),
    answers_by_bundle={},
    features=[],
    malformed_lines=[],
)
METRIC = re.compile(r"(tandem_[a-z_]+)(?:\{([^}]*)\})?")
GROUPING = re.compile(r"\b(?:by|on) \(([^)]*)\)")


def panels() -> Iterator[tuple[str, str]]:
    """(dashboard and panel, PromQL with its variable filled in)."""
    for path in sorted((MONITORING / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']}", target["expr"].replace("$namespace", ".*")


def alerts() -> Iterator[tuple[str, str]]:
    """(alert, PromQL)."""
    for group in yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


@cache
def exported() -> dict[str, set[str]]:
    """Labels by name of every sample that server, consumer, controller and drift job can have."""
    registry = CollectorRegistry()
    Metrics(registry), InteractionMetrics(registry, ListIds()), ConsumerMetrics(registry), CatalogueMetrics(registry)
    IndexRecall(1, registry), RuleBook(None, registry), Exposition(registry)
    found: dict[str, set[str]] = {}
    for one in (registry, registry_of(DRIFT)):
        for collector, names in one._collector_to_names.items():
            labels: set[str] = set(getattr(collector, "_labelnames", ()))
            found |= {name: labels | ({"le"} if name.endswith("_bucket") else set()) for name in names}
    return found


def faults(expression: str) -> list[str]:
    """What an expression asks for and nobody exports."""
    said, labels = [], set(ADDED_BY_PROMETHEUS)
    for name, matchers in METRIC.findall(expression):
        known = exported().get(name, set()) | ADDED_BY_PROMETHEUS
        labels |= known
        said += [] if name in exported() else [f"no metric {name}"]
        said += [
            f"{name} has no label {label}" for label in re.findall(r"(\w+)\s*[=!]", matchers) if label not in known
        ]
    grouped = {label.strip() for group in GROUPING.findall(expression) for label in group.split(",")}
    return said + [f"nothing has a label {label}" for label in sorted(grouped - labels)]


def test_every_panel_and_alert_asks_for_what_is_exported() -> None:
    wrong = {name: faults(expression) for name, expression in (*panels(), *alerts()) if "kube_" not in expression}
    assert {name: said for name, said in wrong.items() if said} == {}
    assert len(wrong) > 30


def test_a_metric_and_a_label_that_nobody_exports_are_found() -> None:
    assert faults('rate(tandem_answers_totals{variant="x"}[5m])')[0] == "no metric tandem_answers_totals"
    assert faults('tandem_answers_total{slot="x"}') == ["tandem_answers_total has no label slot"]
    assert faults("sum by (slot) (tandem_answers_total)") == ["nothing has a label slot"]


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not there; `make test-tools` brings it, with Go")
def test_promtool_reads_every_expression(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{row}", "expr": text} for row, (_, text) in enumerate(panels())]
    (tmp_path / "panels.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    for path in (tmp_path / "panels.yaml", MONITORING / "alerts.yaml"):
        done = subprocess.run([str(PROMTOOL), "check", "rules", str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_legends_name_labels_that_are_left() -> None:
    """A {{label}} that the query has summed away would show as nothing."""
    for path in (MONITORING / "dashboards").glob("*.json"):
        for target in targets(json.loads(path.read_text())):
            grouped = {label.strip() for group in GROUPING.findall(target["expr"]) for label in group.split(",")}
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= grouped, target


def targets(dashboard: Any) -> Iterator[dict[str, str]]:
    for panel in dashboard["panels"]:
        yield from panel["targets"]
