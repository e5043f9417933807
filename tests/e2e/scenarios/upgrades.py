"""From the version before to this one: its chart and its image are installed, and then today's, while clients ask."""

import subprocess
import tarfile
import tempfile
from pathlib import Path

from tests.e2e import install
from tests.e2e.cluster import CHART, until
from tests.e2e.scenarios.events import applied, post_until_answered, purchase
from tests.e2e.scenarios.resilience import wait_replaced
from tests.e2e.world import World

POSTED = 50
ROOT = CHART.parents[1]


def helm_upgrade_from_the_previous_chart(world: World) -> str:
    """No request fails, shares stay, and events that either version has taken are applied once."""
    settings, cluster = world.settings, world.cluster
    if not settings.previous_tag:
        return "left out: E2E_PREVIOUS_TAG names no image of the version before"
    before = applied(world)
    with tempfile.TemporaryDirectory() as folder:
        chart = _chart_of(settings.previous, Path(folder))
        options = install.values(world, f"images.tag={settings.previous_tag}")
        cluster.helm("upgrade", settings.release, str(chart), *options)
        _wait_for_tag(world, settings.previous_tag)
    with world.gateway.under_load(world.user_ids, settings.requests_per_second) as traffic:
        kept = _post(world)
        install.upgrade(world)
        _wait_for_tag(world, settings.tag)
        kept += _post(world)
    assert not traffic.failed, f"{len(traffic.failed)} of {len(traffic.answers)} failed: {traffic.faults()}"
    until("all events applied", lambda: applied(world) >= before + kept, 60)
    assert applied(world) == before + kept, f"{kept} kept, {applied(world) - before} applied"
    return f"from {settings.previous}: {len(traffic.answers)} requests, 0 failed; {kept} events kept and applied"


def _chart_of(revision: str, folder: Path) -> Path:
    """The chart as it was; its links lead to files of monitoring/."""
    archive = folder / "chart.tar"
    command = ["git", "archive", "--format=tar", f"--output={archive}", revision, "k8s/tandem", "monitoring"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"commit {revision} of E2E_PREVIOUS is not in this clone: {done.stderr.strip()}"
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return folder / "k8s" / "tandem"


def _wait_for_tag(world: World, tag: str) -> None:
    wait_replaced(world, f"-serving:{tag}")
    world.cluster.kubectl("rollout", "status", f"deployment/{world.settings.release}-events", "--timeout=300s")


def _post(world: World) -> int:
    users = [world.user_ids[number % len(world.user_ids)] for number in range(POSTED)]
    return sum(post_until_answered(world, purchase(user, "819063")) for user in users)


SCENARIOS = (helm_upgrade_from_the_previous_chart,)
