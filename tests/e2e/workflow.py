"""A workflow of .github as scripts/run-workflow runs it: by act, with stand-ins for GitHub and the cloud."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LONGEST_SECONDS = 1800


@dataclass(frozen=True)
class Ran:
    """How a run ended."""

    exit_code: int
    seconds: float
    summary: str  # Markdown that GitHub would show for the run
    last_lines: str  # of the log, for the message of a failure

    @property
    def is_green(self) -> bool:
        """Whether every job succeeded."""
        return self.exit_code == 0


def dispatch(
    workflow: str,
    inputs: Mapping[str, str],
    *,
    variables: Mapping[str, str],
    secrets: Mapping[str, str],
    environment: Mapping[str, str],
    artifacts: Path | None = None,
) -> Ran:
    """Runs a workflow by hand, as `gh workflow run` does. `environment`: what a runner of one's own has set."""
    started = time.monotonic()
    command = ["scripts/run-workflow", "workflow_dispatch", workflow, "--json"]
    for option, pairs in (("--input", inputs), ("--var", variables), ("--env", environment)):
        command += [word for name, value in pairs.items() for word in (option, f"{name}={value}")]
    for name in secrets:  # act reads the value from a variable of the name, so that no process shows it
        command += ["--secret", name]
    kept = {"ARTIFACTS": str(artifacts)} if artifacts else {}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | dict(secrets) | kept,
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    entries = list(_entries(done.stdout + done.stderr))
    summary = "".join(entry["content"] for entry in entries if entry.get("command") == "summary")
    said = [entry["msg"].strip() for entry in entries if entry.get("raw_output") or entry.get("level") == "error"]
    last = "\n".join(said[-12:]) or done.stderr or done.stdout
    return Ran(done.returncode, time.monotonic() - started, summary, last[-2000:])


def _entries(log: str) -> Iterator[dict[str, Any]]:
    """Lines of the log that act wrote as JSON."""
    for line in log.splitlines():
        if line.startswith("{"):
            try:
                yield json.loads(line)
            except ValueError:
                continue
