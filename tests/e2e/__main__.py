"""`make e2e`: one line a scenario with its figures, 'N passed, N failed' at the end, exit code 1 where one failed."""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from subprocess import SubprocessError

from rich.console import Console

from tests.e2e import install
from tests.e2e.cluster import Cluster, CommandFailed
from tests.e2e.scenarios import events, knative, requests, resilience, rollouts, watching, workflows
from tests.e2e.settings import EndToEndSettings
from tests.e2e.world import World

Scenario = Callable[[World], str]
INSTALLATION: tuple[Scenario, ...] = (install.stores, install.first_bundle, install.slots)
STANDARD: tuple[Scenario, ...] = (
    *requests.SCENARIOS, *events.SCENARIOS, *resilience.SCENARIOS, *watching.SCENARIOS, *rollouts.SCENARIOS,
    *workflows.SCENARIOS,
)  # fmt: skip
KNATIVE: tuple[Scenario, ...] = (requests.recommendations, *knative.SCENARIOS)
console = Console(highlight=False, soft_wrap=True)


def run(world: World, scenarios: tuple[Scenario, ...]) -> tuple[int, int]:
    """(passed, failed). The installation is needed by all others, so they are not tried without it."""
    wanted = {name for name in world.settings.only.split(",") if name}
    passed = 0
    for scenario in INSTALLATION[-1:] if world.bundle_url else INSTALLATION:
        if not attempt(world, scenario):
            return passed, 1
        passed += 1
    outcomes = [attempt(world, one) for one in scenarios if not wanted or one.__name__ in wanted]
    return passed + sum(outcomes), len(outcomes) - sum(outcomes)


def attempt(world: World, scenario: Scenario) -> bool:
    """Whether the scenario held; prints its line."""
    started = time.monotonic()
    name = scenario.__name__.replace("_", " ")
    try:
        figures = scenario(world)
    except (AssertionError, TimeoutError, CommandFailed, OSError, SubprocessError) as error:
        console.print(f"FAILED  {name} ({time.monotonic() - started:.0f} s): {error}", markup=False)
        return False
    console.print(f"ok      {name} ({time.monotonic() - started:.0f} s): {figures}", markup=False)
    return True


def main() -> int:
    """Exit code: 0 where everything held."""
    settings = EndToEndSettings()
    cluster = Cluster(settings.namespace)
    if not settings.installed:
        cluster.kubectl("delete", "namespace", settings.namespace, "--ignore-not-found", "--timeout=180s")
        cluster.kubectl("create", "namespace", settings.namespace)
    scenarios = STANDARD if settings.mode == "standard" else KNATIVE
    with ExitStack() as forwards:
        world = World(settings, cluster, forwards, bundle_url=settings.installed)
        passed, failed = run(world, scenarios)
        if failed:
            install.write_down(world, Path("data/e2e"))
    if not settings.keep:
        cluster.kubectl("delete", "namespace", settings.namespace, "--wait=false")
    console.print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
