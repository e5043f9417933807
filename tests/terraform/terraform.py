"""Terraform in a copy of the repository's folder, against an AWS on loopback."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OVERRIDES = Path(__file__).parent / "overrides"
LOOPBACK_PROVIDER = """
provider "aws" {
  s3_use_path_style           = true
  skip_credentials_validation = true
}
"""


@contextmanager
def aws_on_loopback(port: int) -> Iterator[str]:
    """Address of a fresh AWS in a process of its own; RuntimeError when it does not answer in a minute."""
    environment = os.environ | {
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "default",
    }
    command = [sys.executable, "-m", "tests.terraform.aws", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield _answering(f"http://127.0.0.1:{port}")
    finally:
        server.terminate()
        server.wait(timeout=30)


def _answering(address: str) -> str:
    for _ in range(240):
        try:
            urllib.request.urlopen(f"{address}/moto-api/", timeout=5).close()
            return address
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.25)
    raise RuntimeError(f"no AWS answers at {address}: `python -m tests.terraform.aws PORT` says why")


class Environment:
    """One environment of terraform/environments, in a copy below `work`, with its state in a bucket of `aws`."""

    def __init__(self, name: str, work: Path, aws: str, mirror: str) -> None:
        for folder in ("terraform", "monitoring"):
            ignored = shutil.ignore_patterns(".terraform*", "*.tfstate*", "__pycache__")
            shutil.copytree(ROOT / folder, work / folder, ignore=ignored)
        for override in OVERRIDES.glob("*.tf"):
            shutil.copy(override, work / "terraform" / "modules" / override.stem / "moto_override.tf")
        self.folder = work / "terraform" / "environments" / name
        (self.folder / "moto_override.tf").write_text(LOOPBACK_PROVIDER)
        self.mirror = mirror
        self.variables = {
            "AWS_ENDPOINT_URL": aws,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "TF_VAR_region": "eu-central-1",
            "TF_VAR_github_repository": "example/shop",
            "TF_IN_AUTOMATION": "1",
        }

    def run(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        """`terraform COMMAND OPTIONS...`, whatever its exit code."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TF_")} | self.variables
        line = ["terraform", command, *options]
        return subprocess.run(line, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def done(self, command: str, *options: str) -> str:
        """What it printed; AssertionError with its own words where it failed."""
        result = self.run(command, *options)
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
        return result.stdout

    def init(self, bucket: str, key: str) -> None:
        """The state at s3://bucket/key, locked while somebody changes it, as terraform/README.md has it."""
        backend = {"bucket": bucket, "key": key, "region": "eu-central-1", "use_path_style": "true"}
        backend |= {"skip_credentials_validation": "true", "skip_requesting_account_id": "true"}
        options = [f"-backend-config={name}={value}" for name, value in backend.items()]
        self.done("init", "-input=false", "-no-color", f"-plugin-dir={self.mirror}", *options)

    def planned(self, *options: str) -> list[dict[str, Any]]:
        """The changes of resources in a plan, without those that change nothing."""
        self.done("plan", "-input=false", "-no-color", "-out=plan", *options)
        changes = json.loads(self.done("show", "-json", "plan")).get("resource_changes", [])
        return [change for change in changes if change["change"]["actions"] not in (["no-op"], ["read"])]
