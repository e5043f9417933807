"""The alerts' rules over made-up series: promtool evaluates monitoring/alerts.yaml as a Prometheus would."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.real_parts.programs import program

RULES = Path(__file__).parents[2] / "monitoring" / "alerts.yaml"
PROMTOOL = program("promtool")
pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not there; `make test-tools` brings it, with Go")
REFUSED, PUBLISHED, ANOTHER = "shop-train-29384010", "shop-train-29384011", "shop-trainers-report"


def failed_jobs(**values: str) -> list[dict[str, str]]:
    """What kube-state-metrics exports of Jobs, by name; one value a minute."""
    return [
        {"series": f'kube_job_status_failed{{namespace="shop",job_name="{job}"}}', "values": series}
        for job, series in values.items()
    ]


def test_a_training_run_that_a_gate_refused_is_told_by_its_name(tmp_path: Path) -> None:
    """From the minute in which the Job has failed; the run that was published and other Jobs are left out."""
    series = failed_jobs(**{REFUSED: "0 0 1 1", PUBLISHED: "0 0 0 0", ANOTHER: "1 1 1 1"})
    annotations = {
        "summary": f"Training run {REFUSED} was not published, or not promoted; what served goes on serving",
        "action": f"`kubectl logs --all-containers job/{REFUSED}` ends in the gate that failed, or in the error.",
    }
    labels = {"severity": "warning", "namespace": "shop", "job_name": REFUSED}
    fires = [{"exp_labels": labels, "exp_annotations": annotations}]
    asked = [{"eval_time": "1m", "alertname": "TandemTrainingFailed", "exp_alerts": []},
             {"eval_time": "2m", "alertname": "TandemTrainingFailed", "exp_alerts": fires}]  # fmt: skip
    case = {"interval": "1m", "input_series": series, "alert_rule_test": asked}
    file = tmp_path / "case.yaml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [case]}))
    done = subprocess.run([PROMTOOL or "", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
