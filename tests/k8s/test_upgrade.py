"""From the chart of version 0.1 to this one: its values render, and what a cluster cannot change stays as it was."""

import subprocess
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.each import each
from tests.support.real_parts.programs import program

ROOT = Path(__file__).resolve().parents[2]
CHART, WRITTEN = ROOT / "k8s" / "tandem", ROOT / "tests" / "fixtures" / "version_0_1"
PREVIOUS = WRITTEN / "chart.tgz"
HELM = program("helm")
Object = dict[str, Any]
Name = tuple[str, str]

pytestmark = pytest.mark.skipif(HELM is None, reason="helm is not there; `make test-tools` brings it, with Go")


def _values_of_the_previous_chart() -> dict[str, bytes]:
    with tarfile.open(WRITTEN / "values.tgz") as archive:
        return {one.name: file.read() for one in archive.getmembers() if (file := archive.extractfile(one))}


VALUES = _values_of_the_previous_chart()
every_values_file = pytest.mark.parametrize("name", each(VALUES), ids=lambda name: name.removesuffix("-values.yaml"))


@cache
def rendered(chart: Path, values: bytes) -> dict[Name, Object]:
    command = [str(HELM), "template", "shop", str(chart), "--kube-version", "1.34.0", "--values", "-"]
    done = subprocess.run(command, input=values, capture_output=True, check=True)
    items = [item for item in yaml.safe_load_all(done.stdout) if item]
    return {(item["kind"], item["metadata"]["name"]): item for item in items}


def immutable(item: Object) -> Object:
    """What the API server refuses to change in an object that is there."""
    spec = item.get("spec", {})
    kept = {
        "Deployment": ("selector",),
        "StatefulSet": ("selector", "serviceName", "volumeClaimTemplates", "podManagementPolicy"),
        "PersistentVolumeClaim": ("accessModes", "storageClassName", "resources"),
        "Service": ("clusterIP",),
    }
    return {key: spec.get(key) for key in kept.get(item["kind"], ())}


@every_values_file
def test_values_of_the_previous_chart_render(name: str) -> None:
    assert rendered(CHART, VALUES[name])


@every_values_file
def test_what_cannot_be_changed_stays(name: str) -> None:
    before, after = rendered(PREVIOUS, VALUES[name]), rendered(CHART, VALUES[name])
    for one in before.keys() & after.keys():
        assert immutable(after[one]) == immutable(before[one]), one


@every_values_file
def test_nothing_that_holds_state_or_answers_goes_away(name: str) -> None:
    before, after = rendered(PREVIOUS, VALUES[name]), rendered(CHART, VALUES[name])
    stays = {"InferenceService", "HTTPRoute", "StatefulSet", "PersistentVolumeClaim", "Service", "ServiceAccount"}
    assert not {one for one in before.keys() - after.keys() if one[0] in stays}


def test_a_value_that_nobody_knows_is_refused_with_its_name() -> None:
    command = [str(HELM), "template", "shop", str(CHART), "--kube-version", "1.34.0", "--values", "-"]
    values = VALUES["default-values.yaml"] + b"\nserving: {replicas: 3}\n"
    done = subprocess.run(command, input=values, capture_output=True, check=False)
    assert done.returncode != 0 and b"serving" in done.stderr
