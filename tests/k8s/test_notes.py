"""What an installation says at its end."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.k8s.test_chart import CHART, HELM

pytestmark = pytest.mark.skipif(HELM is None, reason="helm is not there; `make test-tools` brings it, with Go")
OPEN = "Lists are open: anybody who reaches the gateway may ask for the list of any user"


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart with its notes as a template: without a cluster, Helm shows nothing else."""
    copy = tmp_path_factory.mktemp("chart") / "tandem"
    shutil.copytree(CHART, copy)
    (copy / "templates" / "NOTES.txt").rename(copy / "templates" / "notes.yaml")
    return copy


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        ("default", (), True),
        ("default", ("--set=server.openScopes={metrics}",), False),
        ("no-route", (), False),  # nobody outside of the cluster reaches a server
        ("first-bundle", (), False),  # nothing serves yet
    ],
)
def test_open_lists_behind_a_route_are_said(chart: Path, values: str, options: tuple[str, ...], said: bool) -> None:
    command = [str(HELM), "template", "shop", str(chart), "--kube-version", "1.34.0", "--debug"]
    command += ["--values", str(CHART / "ci" / f"{values}-values.yaml"), *options]
    # Notes are not YAML; with --debug Helm prints it all the same, and exits with 1.
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    assert "Tandem registry.example.com/tandem-serving" in shown
    assert (OPEN in " ".join(shown.split())) is said
