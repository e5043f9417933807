"""kubectl and helm as the run uses them."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHART = Path(__file__).resolve().parents[2] / "k8s" / "tandem"


class CommandFailed(Exception):
    """A kubectl or helm command ended with another code than 0; its own words are the text."""


class Cluster:
    """The cluster of the current kubeconfig, seen from one namespace."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def kubectl(self, *arguments: str, text: str | None = None, seconds: float = 600) -> str:
        """What the command printed. Raises CommandFailed."""
        return _run(["kubectl", "--namespace", self.namespace, *arguments], text, seconds)

    def helm(self, *arguments: str, seconds: float = 600) -> str:
        """What the command printed. Raises CommandFailed."""
        return _run(["helm", "--namespace", self.namespace, *arguments], None, seconds)

    def get(self, kind: str, name: str) -> Any:
        """One object. Raises CommandFailed where it is not there."""
        return json.loads(self.kubectl("get", kind, name, "--output", "json"))

    def items(self, kind: str, *options: str) -> list[Any]:
        """Objects of a kind."""
        found: list[Any] = json.loads(self.kubectl("get", kind, *options, "--output", "json"))["items"]
        return found

    def apply(self, manifest: str) -> None:
        """Makes the objects so."""
        self.kubectl("apply", "--filename", "-", text=manifest)


def _run(command: list[str], text: str | None, seconds: float) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode != 0:
        raise CommandFailed(f"{' '.join(command[:6])} …: {done.stderr.strip()[-2000:] or done.stdout[-2000:]}")
    return done.stdout


def until(what: str, holds: Callable[[], Any], seconds: float, pause: float = 1.0) -> Any:
    """The first true value of `holds`. Raises TimeoutError naming what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if value := holds():
                return value
            last = "not yet"
        except (CommandFailed, OSError) as error:  # webhooks and Services answer a moment later than they exist
            last = str(error)
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s ({last})")
        time.sleep(pause)
